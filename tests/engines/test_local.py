"""Secrets, counters and lines on one machine."""

from __future__ import annotations

import io
import json
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tocsin.engines.local import LocalSecrets, Nobody, SystemClock
from tocsin.engines.metrics import LOGGER, LocalTelemetry, log_to, logfmt
from tocsin.errors import SecretError

# ---- clock and bus ---------------------------------------------------------------------------------------------------


def test_the_clock_counts_nanoseconds_since_the_epoch() -> None:
    before = time.time_ns()
    assert before <= SystemClock().now() <= time.time_ns()


def test_there_is_nobody_to_tell_at_home() -> None:
    Nobody().announce("kind", {"body": b"not even JSON"})


# ---- secrets ---------------------------------------------------------------------------------------------------------


def test_secrets_come_from_config_environment_and_files(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("from file\n")
    secrets = LocalSecrets({"slack": "from config"}, {"TOKEN": "from environment", "EMPTY": ""})
    assert secrets.get("slack") == "from config"
    assert secrets.get("env:TOKEN") == "from environment"
    assert secrets.get("env:EMPTY") == ""
    assert secrets.get(f"file:{path}") == "from file"


@pytest.mark.parametrize(
    ("content", "value"), [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("", "")]
)
def test_a_file_loses_its_last_line_end_only(tmp_path: Path, content: str, value: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content.encode())
    assert LocalSecrets().get(f"file:{path}") == value


def test_a_file_is_read_each_time_and_the_config_can_change(tmp_path: Path) -> None:
    path = tmp_path / "token"
    secrets = LocalSecrets({"a": "old"})
    for content in ("one", "two"):
        path.write_text(content)
        assert secrets.get(f"file:{path}") == content
    secrets.update({"b": "new"})
    assert secrets.get("b") == "new"
    with pytest.raises(SecretError):
        secrets.get("a")


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    secrets = LocalSecrets({"a": "x"}, {"A": "x"})
    for name, sentence in {
        "nobody": "secret 'nobody' is not in the configuration; use env:NAME, file:PATH or a value there",
        "env:NOBODY": "secret 'env:NOBODY': the environment has no NOBODY; set it and start again",
        f"file:{tmp_path}/none": f"secret file {tmp_path}/none cannot be read: No such file or directory; "
        "check the path and its owner",
        f"file:{tmp_path}/binary": f"secret file {tmp_path}/binary cannot be read: it is not UTF-8; "
        "check the path and its owner",
    }.items():
        with pytest.raises(SecretError) as raised:
            secrets.get(name)
        assert str(raised.value) == sentence


# ---- counters --------------------------------------------------------------------------------------------------------


def test_counters_read_as_prometheus_reads_them() -> None:
    telemetry = LocalTelemetry()
    telemetry.count("deliveries", channel="slack", outcome="sent")
    telemetry.count("deliveries", 4, outcome="sent", channel="slack")
    telemetry.count("deliveries", outcome='a "b"\\\n', channel="email")
    telemetry.count("ticks")
    telemetry.count("ticks", 0)
    telemetry.watch("inbox_depth", lambda: 3, "Messages that wait.")
    telemetry.watch("ratio", lambda: 0.25)
    assert telemetry.render().splitlines() == [
        "# TYPE tocsin_deliveries_total counter",
        'tocsin_deliveries_total{channel="email",outcome="a \\"b\\"\\\\\\n"} 1',
        'tocsin_deliveries_total{channel="slack",outcome="sent"} 5',
        "# TYPE tocsin_ticks_total counter",
        "tocsin_ticks_total 1",
        "# HELP tocsin_inbox_depth Messages that wait.",
        "# TYPE tocsin_inbox_depth gauge",
        "tocsin_inbox_depth 3",
        "# TYPE tocsin_ratio gauge",
        "tocsin_ratio 0.25",
    ]
    assert telemetry.value("deliveries", channel="slack", outcome="sent") == 5
    assert telemetry.value("deliveries", channel="nobody") == 0


def test_nothing_counted_is_an_empty_page() -> None:
    assert LocalTelemetry().render() == ""


def test_no_count_is_lost_between_threads() -> None:
    telemetry = LocalTelemetry()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [telemetry.count("n", channel="x") for _ in range(500)], range(8)))
    assert telemetry.value("n", channel="x") == 4_000


# ---- lines -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = log_to(stream, "info")
    yield stream
    logger = logging.getLogger(LOGGER)
    logger.removeHandler(handler)
    logger.propagate = True


STAMP = r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


def test_a_line_holds_its_fields_whatever_they_hold(lines: io.StringIO) -> None:
    fields: dict[str, Any] = {
        "n": 1,
        "ok": True,
        "none": None,
        "plain": "a/b:c",
        "text": 'a "b"\nlevel=error',
        "d": {"k": 1},
    }
    LocalTelemetry().log("warning", "two words", **fields)
    (line,) = lines.getvalue().splitlines()
    assert re.fullmatch(
        STAMP + r'level=warning msg="two words" n=1 ok=true none=null plain=a/b:c '
        r'text="a \\"b\\"\\nlevel=error" d="{\\"k\\":1}"',
        line,
    )


@pytest.mark.parametrize("value", ["", " ", "a=b", '"', "\\", "\x00", "\x1b[31m", "\u2028", "é", "a\nb", "naïve 🔥 x"])
def test_a_value_stays_one_readable_field(value: str) -> None:
    _, _, written = logfmt({"k": value}).partition("=")
    assert (json.loads(written) if written.startswith('"') else written) == value
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written


def test_levels_are_kept(lines: io.StringIO) -> None:
    telemetry = LocalTelemetry()
    for level in ("debug", "info", "warning", "error", "strange"):
        telemetry.log(level, "m")
    assert re.findall(r"level=(\w+)", lines.getvalue()) == ["info", "warning", "error", "error"]


def test_lines_of_the_library_look_the_same_and_errors_stay_one_line(lines: io.StringIO) -> None:
    try:
        int("odd\nvalue")
    except ValueError:
        logging.getLogger("tocsin.server").exception("failed")
    (line,) = lines.getvalue().splitlines()
    assert re.match(STAMP + "level=error failed exception=", line)
    assert "ValueError: invalid literal" in line


def test_a_second_call_replaces_the_first(lines: io.StringIO) -> None:
    other = io.StringIO()
    handler = log_to(other)
    LocalTelemetry().log("info", "m")
    logging.getLogger(LOGGER).removeHandler(handler)
    assert lines.getvalue() == ""
    assert other.getvalue().count("\n") == 1
