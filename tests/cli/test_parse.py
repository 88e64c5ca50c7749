"""``tocsin parse``: three ways to print, and what the exit code says."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from pathlib import Path

import pytest
from tocsin.cli import parse

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads"
FIRING = str(PAYLOADS / "alertmanager" / "firing.json")
ODD = str(PAYLOADS / "alertmanager" / "odd.json")
NOW = ["--now", "2026-11-02T10:00:00Z"]


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="tocsin")
    parse.add_parser(parser.add_subparsers())
    args = parser.parse_args(["parse", *arguments])
    return int(args.run(args))


def test_json_prints_the_normalised_observations(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alertmanager", FIRING, "-o", "json", *NOW) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["fingerprint"] == "a3c3aa48e75374cc"
    assert (told["status"], told["seen"], told["end"]) == ("firing", "2026-11-02T10:00:00Z", None)
    assert told["start"] == "2026-11-02T09:14:32.108223971Z"


def test_simple_prints_a_line_an_observation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pingdom", str(PAYLOADS / "pingdom" / "http-up.json")) == 0
    line = capsys.readouterr().out
    assert re.fullmatch(r'[0-9a-f]{16}  resolved     \{alertname="Homepage", check_id="4711001", .*\}\n', line)


def test_extended_prints_each_field_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    sample = str(PAYLOADS / "alertmanager" / "unicode.json")
    assert run("alertmanager", sample, FIRING, "-o", "extended", *NOW) == 0
    out = capsys.readouterr().out
    assert "start        2026-11-02T10:00:00Z\n" in out
    assert "label        ort=Zürich\n" in out
    assert "Zeile eins\\nZeile zwei\\t<b>" in out, "a line break stays on its line"
    assert out.count("\n\n") == 1, "an empty line between two observations"


def test_several_files_are_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alertmanager", FIRING, FIRING, "-o", "json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_dash_reads_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    body = (PAYLOADS / "cloudwatch" / "metric-alarm.json").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert run("eventbridge", "-", "-o", "json", *NOW) == 0
    assert json.loads(capsys.readouterr().out)[0]["labels"]["alertname"] == "publishing-db-cpu"


def test_what_says_nothing_says_why_and_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("eventbridge", str(PAYLOADS / "cloudwatch" / "configuration-change.json"), "-o", "json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert "nothing to tell: configuration change of an alarm" in said.err


def test_what_is_not_understood_is_printed_as_it_would_be_quarantined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"\xffnonsense")
    assert run("alertmanager", str(body), "-o", "json", *NOW) == 1
    said = capsys.readouterr()
    (told,) = json.loads(said.out)
    assert told["quarantined"] is True
    assert told["labels"]["alertname"] == "TocsinQuarantined"
    assert f"{body}: the body is not UTF-8 (byte 0); JSON was expected" in said.err


def test_a_body_that_is_odd_in_part_prints_the_good_part_and_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alertmanager", ODD, "--now", "2026-11-03T10:00:00Z") == 1
    kinds = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["firing", "resolved", "quarantined"]


def test_a_file_that_is_not_there_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("alertmanager", str(tmp_path / "gone.json")) == 2
    assert "gone.json: cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["smoke", FIRING], "invalid choice: 'smoke'"),
        (["alertmanager"], "required: FILE"),
        (["alertmanager", FIRING, "--now", "noon"], "'noon' is no RFC 3339 time"),
        (["alertmanager", FIRING, "--header", "novalue"], "'novalue' is not of the form NAME=VALUE"),
        (["alertmanager", FIRING, "-o", "yaml"], "invalid choice: 'yaml'"),
    ],
)
def test_mistakes_of_usage_exit_2(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


def test_headers_reach_the_source_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    class Listening:
        name = "alertmanager"

        def parse(self, body: bytes, headers: dict[str, str], stamp: int) -> list[object]:
            seen.append(headers)
            return []

    monkeypatch.setattr(parse, "source", lambda _: Listening())
    assert run("alertmanager", FIRING, "--header", "X-Kind=a=b", "--header", "Other=") == 0
    assert seen == [{"x-kind": "a=b", "other": ""}]
