from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from tocsin.cli import check, main, routes

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = """route:
  receiver: a
  routes:
  - matchers: [severity="page"]
    receiver: b
    continue: true
  - matchers: [team="x"]
receivers:
- name: a
  webhook_configs: [{url: 'http://127.0.0.1:9/'}]
- name: b
"""
BAD = "route:\n  receiver: c\n  grup_by: [x]\nreceivers:\n- name: a\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives its exit code, what it printed, and what it complained of."""

    def command(*arguments: object) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        subparsers = parser.add_subparsers(dest="command")
        check.add_parser(subparsers)
        routes.add_parser(subparsers)
        try:
            args = parser.parse_args([str(argument) for argument in arguments])
            code = {"check": check, "routes": routes}[args.command].run(args)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yml"
    path.write_text(BAD)
    return path


def test_check_says_what_a_good_config_has(run: Run, good: Path) -> None:
    code, out, err = run("check", good)
    assert (code, err) == (0, "")
    counts = "3 routes, 2 receivers, 0 inhibit rules, 0 time intervals, 0 templates, 0 sources, 0 heartbeats"
    assert out == f"{good}: fine: {counts}\n"


def test_check_prints_every_problem_with_its_place(run: Run, bad: Path) -> None:
    code, out, _ = run("check", bad)
    assert code == 1
    assert out.splitlines() == [
        f'{bad}:2:13: undefined receiver "c" used in route: known receivers are a',
        f'{bad}:3:3: unknown key "grup_by" in route: did you mean "group_by"?',
        f"{bad}: 2 errors",
    ]


def test_check_goes_on_to_the_next_file(run: Run, bad: Path, good: Path) -> None:
    code, out, _ = run("check", bad, good, bad.parent / "none.yml")
    assert code == 1
    assert f"{good}: fine" in out
    assert "none.yml: no such file: check the path" in out


def test_warnings_are_printed_but_do_not_count(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "foreign.yml"
    path.write_text(GOOD.replace("- name: b", "- name: b\n  opsgenie_configs: [{api_key: x}]"))
    code, out, _ = run("check", path)
    assert code == 0
    assert f"{path}:12:22: warning: Tocsin does not speak opsgenie_configs" in out


def test_check_prints_json(run: Run, bad: Path, good: Path) -> None:
    code, out, _ = run("check", "-o", "json", good, bad)
    assert code == 1
    first, second = json.loads(out)
    assert first == {"file": str(good), "ok": True, "problems": []}
    assert second["problems"][0] == {
        "file": str(bad), "line": 2, "column": 13, "severity": "error",
        "message": 'undefined receiver "c" used in route: known receivers are a',
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("routes",), ("routes", "show"), ("routes", "test"), ("check", "-o", "xml", "f"), ("routes", "draw")],
)
def test_wrong_usage_ends_with_two(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_the_release_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    assert capsys.readouterr().out == f"tocsin {version('tocsin')}\n"


def test_routes_show_draws_bars_as_the_newer_amtool_does_with_plain_spaces(run: Run, good: Path) -> None:
    good.write_text(
        """
route:
  receiver: a
  routes:
    - matchers: [severity="page"]
      routes:
        - matchers: [team="x"]
    - matchers: [team="y"]
receivers: [{name: a}]
"""
    )
    _, out, _ = run("routes", "show", "--config", good)
    assert '    │   └── {team="x"}  receiver: a\n' in out


def test_routes_show_draws_the_tree(run: Run, good: Path) -> None:
    code, out, _ = run("routes", "show", "--config", good)
    assert code == 0
    assert out == (
        "Routing tree:\n"
        ".\n"
        "└── default-route  receiver: a\n"
        '    ├── {severity="page"}  continue: true  receiver: b\n'
        '    └── {team="x"}  receiver: a\n'
        "\n"
    )


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [((), "a"), (("severity=page",), "b"), (("severity=page", "team=x"), "b,a"), (('severity="page"',), "b")],
)
def test_routes_test_prints_the_receivers(run: Run, good: Path, labels: tuple[str, ...], receivers: str) -> None:
    code, out, _ = run("routes", "test", "--config.file", good, *labels)
    assert (code, out) == (0, f"{receivers}\n")


def test_routes_test_verifies_receivers(run: Run, good: Path) -> None:
    assert run("routes", "test", "--config", good, "--verify.receivers", "b", "severity=page")[0] == 0
    code, out, _ = run("routes", "test", "--config", good, "--verify.receivers=a", "severity=page")
    assert (code, out) == (1, "b\nWARNING: Expected receivers did not match resolved receivers.\n")


def test_routes_test_explains_by_line(run: Run, good: Path) -> None:
    _, out, _ = run("routes", "test", "--config", good, "--explain", "severity=page")
    assert out.splitlines() == [
        "line 2: matches everything",
        '  line 4: matches severity="page": goes to b, continues with the next sibling',
        '  line 7: does not match: team="x" does not hold, there is no team',
        "b",
    ]


def test_routes_test_prints_json(run: Run, good: Path) -> None:
    _, out, _ = run("routes", "test", "--config", good, "-o", "json", "severity=page")
    answer = json.loads(out)
    assert answer["receivers"] == ["b"]
    assert answer["routes"][0]["groupKey"] == '{}/{severity="page"}:{}'
    assert [tried["verdict"] for tried in answer["tried"]] == ["descended", "chosen", "refused"]


@pytest.mark.parametrize("label", ["severity", "severity=~page", "a!=b", "{a=b}"])
def test_what_is_no_label_is_wrong_usage(run: Run, good: Path, label: str) -> None:
    code, out, err = run("routes", "test", "--config", good, label)
    assert (code, out) == (2, "")
    assert "failed to parse labels" in err


def test_a_bad_config_is_told_on_standard_error(run: Run, bad: Path) -> None:
    code, out, err = run("routes", "test", "--config", bad, "a=b")
    assert (code, out) == (1, "")
    assert err.startswith(f"{bad}:2:13: undefined receiver")


@pytest.mark.parametrize("name", ["alertmanager.yml", "tocsin.yml"])
def test_the_examples_are_fine(run: Run, name: str) -> None:
    code, out, _ = run("check", EXAMPLES / name)
    assert code == 0, out
    assert [line for line in out.splitlines() if "warning" in line and "inhibit_rules" not in line] == []


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=Watchdog severity=none", "null"),
        ("alertname=ClusterUnreachable severity=page", "pagerduty-platform,slack-platform"),
        ("alertname=HighErrorRate severity=critical", "slack-platform"),
        ("alertname=SearchIndexOld severity=warning destination=slack-search", "slack-search"),
        ("alertname=CertificateExpires severity=ticket", "tickets"),
        ("alertname=Notice severity=info", "email-digest"),
        ("alertname=NobodyThoughtOfThis", "slack-platform"),
    ],
)
def test_the_examples_route_as_their_comments_say(run: Run, labels: str, receivers: str) -> None:
    assert run("routes", "test", "--config", EXAMPLES / "tocsin.yml", *labels.split()) == (0, f"{receivers}\n", "")


@pytest.mark.oracle
@pytest.mark.parametrize(
    "command",
    [
        ("amtool", "check-config", EXAMPLES / "alertmanager.yml"),
        ("amtool-next", "check-config", EXAMPLES / "alertmanager.yml"),
        ("promtool", "check", "rules", EXAMPLES / "rules" / "platform.yml"),
    ],
    ids=lambda command: command[0],
)
def test_the_examples_are_fine_for_prometheus_own_tools(command: tuple[object, ...]) -> None:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    answer = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
