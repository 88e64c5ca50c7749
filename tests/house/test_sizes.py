"""No file, function, handler or channel outgrows its bound: where one does, there is a seam to be found."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FILE = 400
FUNCTION = 50
HANDLER = 40
CHANNEL = 150


def committed(*patterns: str) -> list[str]:
    """The paths git knows, deleted ones left out; tests are exempt from the bounds."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("this copy is no git checkout: nobody can say which files are its own")
    return [path for path in listing.stdout.split("\0") if path and (ROOT / path).is_file()]


def ours(*patterns: str) -> list[str]:
    return [path for path in committed(*patterns) if not path.startswith("tests/")]


def lines(path: str) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def functions(source: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_there_is_something_to_measure() -> None:
    assert len(ours("*.py")) > 100
    assert any(path.startswith("layers/tocsin/tocsin/channels/") for path in ours("*.py"))
    assert any(path.endswith("/app.py") for path in ours("functions/*.py"))


def test_a_file_stays_within_its_bound() -> None:
    grown = {path: count for path in ours("*.py") if (count := lines(path)) > FILE}
    assert grown == {}, f"longer than {FILE} lines: find the seam"


def test_a_function_stays_within_its_bound() -> None:
    grown = {
        f"{path}:{name}": count
        for path in ours("*.py")
        for name, count in functions((ROOT / path).read_text(encoding="utf-8"))
        if count > FUNCTION
    }
    assert grown == {}, f"longer than {FUNCTION} lines: find the seam"


def test_a_door_stays_a_door() -> None:
    grown = {path: count for path in ours("functions/*/app.py") if (count := lines(path)) > HANDLER}
    assert grown == {}, f"a handler longer than {HANDLER} lines does work that belongs in the package"


def test_a_channel_is_one_small_place() -> None:
    grown = {path: count for path in ours("layers/tocsin/tocsin/channels/*.py") if (count := lines(path)) > CHANNEL}
    assert grown == {}, f"a channel's file longer than {CHANNEL} lines: make it a package, or several"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("def f():\n    pass\n", [("f", 2)], id="a function is counted from its name to its last line"),
        pytest.param(
            "class C:\n    async def m(self):\n        x = 1\n        return x\n", [("m", 3)], id="methods too"
        ),
        pytest.param("def f():\n    def g():\n        pass\n", [("f", 3), ("g", 2)], id="and what is inside another"),
    ],
)
def test_how_functions_are_measured(body: str, expected: list[tuple[str, int]]) -> None:
    assert list(functions(body)) == expected
