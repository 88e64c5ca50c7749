"""What no file here may say: where packages come from, where one machine keeps things, that something is unfinished."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each word is put together here, so that this file does not say it either.
PACKAGE_HOSTS = re.compile(
    "|".join(
        ("pypi" + r"\.org", "python" + "hosted", r"registry\.npm" + "js", "--index" + "-url", "--extra-index" + "-url")
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.:$)}/-])/(?:" + r"root|work|home/\w+|Users/\w+" + ")/")
OPEN_ENDS = re.compile(
    r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")) + r")\b"
)
CONFLICTS = re.compile(r"^(?:<{7} |>{7} )", re.MULTILINE)


def texts() -> dict[str, str]:
    """Every text file that git knows or would take up, by its path."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("this copy is no git checkout: nobody can say which files are its own")
    found = {}
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            body = path.read_bytes()
            if b"\0" not in body:
                found[name] = body.decode("utf-8", "replace")
    return found


FORBIDDEN = [
    pytest.param(PACKAGE_HOSTS, id="the host of a package registry: each machine has its own"),
    pytest.param(MACHINE_PATHS, id="a path of one machine"),
    pytest.param(OPEN_ENDS, id="an open end: finish it, or write an issue"),
    pytest.param(CONFLICTS, id="the mark of a conflict"),
]


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_file_says_it(pattern: re.Pattern[str]) -> None:
    said = [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found.group()}"
        for name, text in texts().items()
        for found in pattern.finditer(text)
    ]
    assert said == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (PACKAGE_HOSTS, "https://pypi" + ".org/simple"),
        (MACHINE_PATHS, "see /ro" + "ot/.config/thing"),
        (MACHINE_PATHS, '"/wo' + 'rk/elsewhere"'),
        (OPEN_ENDS, "# TO" + "DO: later"),
        (CONFLICTS, "a\n" + "<" * 7 + " ours\n"),
    ],
)
def test_it_would_be_found(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def requirement_files() -> list[Path]:
    return sorted((ROOT / "requirements").glob("*.txt"))


def test_there_are_requirement_files() -> None:
    assert {path.stem for path in requirement_files()} >= {"runtime", "dev", "sam", "checkov"}


@pytest.mark.parametrize("path", requirement_files(), ids=lambda path: path.stem)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    bare = [
        line
        for line in text.splitlines()
        if line.strip() and not re.match(r"[\w.\[\]-]+==[^\s;]+.*--hash=sha256:[0-9a-f]{64}", line)
    ]
    assert bare == []
