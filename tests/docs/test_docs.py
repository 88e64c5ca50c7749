"""README, CONTRIBUTING and docs/ are tested artefacts: what they name exists, what they show is what happens."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest
from tocsin import channels, sources
from tocsin.bootstrap.configs import load_config
from tocsin.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "tocsin" / "tocsin"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OURS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/security.md")]
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def code_of(page: Path) -> list[str]:
    """Every line that a reader may type: indented blocks and code spans."""
    text = page.read_text()
    indented = re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    prompts = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [line.partition("  #")[0].partition(" # ")[0].strip() for line in (*indented, *prompts, *spans)]


# ---- links -----------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
LOCAL = [(page, link) for page, link in LINKS if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize(("page", "link"), LOCAL, ids=[f"{name_of(page)}-{link}" for page, link in LOCAL])
def test_every_link_within_the_repository_leads_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


# ---- commands --------------------------------------------------------------------------------------------------------

MAKEFILES = (ROOT / "Makefile", *ROOT.glob("*.mk"), *ROOT.glob("infra/*.mk"))
TARGETS = set(re.findall(r"^([a-zA-Z_-]+):", "".join(path.read_text() for path in MAKEFILES), re.MULTILINE))


@pytest.mark.parametrize("page", OURS, ids=name_of)
def test_every_make_target_that_is_named_exists(page):
    named = {word for line in code_of(page) if line.startswith("make ") for word in line.split()[1:] if "=" not in word}
    assert named - TARGETS == set()


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tocsin", exit_on_error=False)
    import_module(f"tocsin.cli.{command}").add_parser(parser.add_subparsers(dest="command"))
    return parser


TYPED = sorted({(page, line) for page in OURS for line in code_of(page) if re.match(r"tocsin \w+ ", line)})


@pytest.mark.parametrize(("page", "line"), TYPED, ids=[f"{name_of(page)}-{line}" for page, line in TYPED])
def test_every_command_that_is_shown_can_be_called_so(page, line):
    words = shlex.split(line)[1:]
    if words[0] in COMMANDS and words[1:2] != ["push"] and words[1:2] != ["rollback"]:
        parser_of(words[0]).parse_args(words)
    else:
        assert words[0] in COMMANDS


SHOWN = [
    (page, command, printed)
    for page in OURS
    for block in blocks(page, "console")
    for command, printed in re.findall(r"^\$ tocsin (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE)
]


@pytest.mark.parametrize(("page", "command", "printed"), SHOWN, ids=[command for _, command, _ in SHOWN])
def test_the_console_shows_what_is_printed(page, command, printed, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out == printed


# ---- samples ---------------------------------------------------------------------------------------------------------

ALONE = "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://example.org'}]}]\n"
SAMPLES = [(page, block) for page in OURS for block in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "block"), SAMPLES, ids=[f"{name_of(p)}-{b.splitlines()[0]}" for p, b in SAMPLES])
def test_every_yaml_sample_is_what_its_first_line_says(page, block, tmp_path):
    kind = block.splitlines()[0].removeprefix("# ").split()[0]
    if kind == "tocsin.yml":
        (tmp_path / "alertmanager.yml").write_text(ALONE)
    if kind == "rules":
        _check_rules(block, tmp_path)
        return
    assert kind in {"alertmanager.yml", "tocsin.yml"}
    (tmp_path / kind).write_text(block)
    assert load_config(tmp_path / kind).warnings == ()


def _check_rules(block: str, folder: Path) -> None:
    used = set(re.findall(r"\btocsin_\w+", block))
    assert used - documented().keys() == set(), "alarms on metrics that do not exist"
    promtool = shutil.which("promtool")
    if promtool:
        (folder / "rules.yml").write_text(block)
        checked = subprocess.run(
            [promtool, "check", "rules", "rules.yml"], cwd=folder, capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


# ---- README ----------------------------------------------------------------------------------------------------------


def test_the_first_screen_says_what_it_is_how_to_try_it_and_the_three_ways():
    what, commands, *_ = README.split("\n\n")[1:]
    assert len(re.findall(r"\.(?:\s|$)", what)) == 3, "three sentences"
    assert [line.split("#")[0].strip() for line in commands.splitlines()] == ["make demo", "make test"]
    screen = "\n".join(README.splitlines()[:24])
    assert all(way in screen for way in ("receiver of the Alertmanager", "sam deploy", "sam local invoke"))


def row(start: str) -> list[str]:
    found = next(line for line in README.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_the_commands_that_work_today_are_those_that_there_are():
    _, today, later = row("commands")
    assert set(re.findall(r"`(\w+)`", today)) == COMMANDS.keys()
    assert not set(re.findall(r"`(\w+)", later)) & COMMANDS.keys()


@pytest.mark.parametrize("name", sorted({*channels.REGISTRY, *sources.REGISTRY} - {sources.INTERNAL}))
def test_every_source_and_channel_is_named_as_working_today(name):
    assert name in (row("comes in")[1] + row("goes out")[1]).lower()


# ---- operations ------------------------------------------------------------------------------------------------------


def documented() -> dict[str, set[str]]:
    """The table of metrics: name to labels."""
    table = OPERATIONS.partition("## Metrics")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(tocsin_\w+)` \| ([^|]*)\|", table, re.MULTILINE)
    return {name: set(labels.replace(",", " ").split()) for name, labels in rows}


def counted() -> dict[str, set[str]]:
    """Every metric that the code counts or watches: name to labels, as they stand in the calls."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            called = ast.unparse(node.func)
            if called.endswith("telemetry.count"):
                found[f"tocsin_{node.args[0].value}_total"] |= {str(word.arg) for word in node.keywords}
            elif called in {"watch", "self.telemetry.watch"}:
                found[f"tocsin_{node.args[0].value}"] |= set()
    return found


def test_every_metric_is_documented_with_its_labels_and_none_besides():
    assert documented() == counted()


def test_every_alarm_of_the_stack_is_documented():
    names = set(re.findall(r"^  (\w+Alarm):$", (ROOT / "template.yaml").read_text(), re.MULTILINE))
    told = set(re.findall(r"^\| `(…?\w+)` \|", OPERATIONS.partition("## On AWS")[2], re.MULTILINE))
    endings = tuple(name.removeprefix("…") for name in told if name.startswith("…"))
    assert {name for name in names if name not in told and not name.endswith(endings)} == set()
    assert {name for name in told if not name.startswith("…")} <= names


def test_every_path_that_serve_answers_is_documented():
    served = set(re.findall(r'"(/-/\w+|/metrics)"', (PACKAGE / "server.py").read_text()))
    told = set(re.findall(r"^\| `(?:GET|POST) (/\S+)` \|", OPERATIONS, re.MULTILINE))
    assert served == {path for path in told if not path.startswith("/webhooks")}


def test_every_channel_says_when_it_may_tell_twice():
    table = (ROOT / "docs" / "security.md").read_text().partition("## Once, and when twice")[2]
    named = {line.split("|")[1].strip().lower().split(",")[0] for line in table.splitlines() if line.startswith("| ")}
    assert channels.REGISTRY.keys() <= named


def test_every_marker_is_documented():
    markers = re.findall(r'^  "(\w+): ', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    table = (ROOT / "CONTRIBUTING.md").read_text()
    assert markers
    assert [marker for marker in markers if f"| `{marker}` |" not in table] == []
