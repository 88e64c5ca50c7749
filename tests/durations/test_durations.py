from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.durations import (
    LONGEST,
    MILLISECOND,
    format_duration,
    format_go_duration,
    parse_duration,
    parse_go_duration,
)
from tocsin.errors import DurationError
from tocsin.model import DAY, HOUR, MINUTE, SECOND


@pytest.mark.parametrize(
    ("text", "span", "printed"),
    [
        pytest.param("0", 0, "0s", id="a bare zero needs no unit"),
        pytest.param("1h30m", 90 * MINUTE, "1h30m", id="two units"),
        pytest.param("1y2w3d4h5m6s7ms", (365 + 14 + 3) * DAY + 4 * HOUR + 5 * MINUTE + 6 * SECOND + 7 * MILLISECOND,
                     "9172h5m6s7ms", id="every unit in order; weeks and days are not printed unless they divide"),
        pytest.param("90d", 90 * DAY, "90d", id="days stay days where they divide"),
        pytest.param("7d", 7 * DAY, "1w", id="seven days are a week"),
        pytest.param("24h", DAY, "1d", id="hours become days where they divide"),
        pytest.param("25h", 25 * HOUR, "25h", id="hours stay hours where they do not"),
        pytest.param("1500ms", 1500 * MILLISECOND, "1s500ms", id="milliseconds carry over"),
        pytest.param("0m", 0, "0s", id="zero with a unit"),
        pytest.param("08s", 8 * SECOND, "8s", id="a leading zero is no octal"),
    ],
)  # fmt: skip
def test_prometheus_durations_are_read_and_printed(text: str, span: int, printed: str) -> None:
    assert parse_duration(text) == span
    assert format_duration(span) == printed


@pytest.mark.parametrize(
    "text", ["", " ", "5", "1m1h", "1h1h", "1.5h", "-5m", "5 m", "5M", "1h 30m", "m", "5ns", "\u0665m", "5m\n"]
)
def test_what_is_no_prometheus_duration_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(DurationError, match="duration"):
        parse_duration(text)


def test_a_duration_beyond_gos_range_is_refused() -> None:
    with pytest.raises(DurationError, match="out of range"):
        parse_duration("300y")


@settings(deadline=None)
@given(st.integers(0, LONGEST // MILLISECOND))
def test_what_is_printed_reads_as_the_same_span(milliseconds: int) -> None:
    span = milliseconds * MILLISECOND
    assert parse_duration(format_duration(span)) == span


def test_what_is_below_a_millisecond_is_cut_off() -> None:
    assert format_duration(MILLISECOND - 1) == "0s"
    assert format_duration(SECOND + 1) == "1s"


@pytest.mark.parametrize(
    ("text", "span", "printed"),
    [
        pytest.param("0", 0, "0s", id="a bare zero"),
        pytest.param("1.5h", 90 * MINUTE, "1h30m0s", id="a fraction of hours"),
        pytest.param("-300ms", -300 * MILLISECOND, "-300ms", id="a negative span"),
        pytest.param("+5s", 5 * SECOND, "5s", id="an explicit plus"),
        pytest.param("1h15m30.918s", HOUR + 15 * MINUTE + 30_918 * MILLISECOND, "1h15m30.918s", id="all at once"),
        pytest.param("1us", 1000, "1\u00b5s", id="microseconds in ASCII"),
        pytest.param("1\u03bcs", 1000, "1\u00b5s", id="microseconds with a Greek mu"),
        pytest.param("1500ns", 1500, "1.5\u00b5s", id="nanoseconds carry over"),
        pytest.param(".5s", 500 * MILLISECOND, "500ms", id="no digit before the point"),
        pytest.param("1.s", SECOND, "1s", id="no digit behind the point"),
        pytest.param("30m1h", 90 * MINUTE, "1h30m0s", id="units in any order"),
        pytest.param("10s", 10 * SECOND, "10s", id="seconds alone"),
    ],
)
def test_go_durations_are_read_and_printed(text: str, span: int, printed: str) -> None:
    assert parse_go_duration(text) == span
    assert format_go_duration(span) == printed


@pytest.mark.parametrize("text", ["", "5", "s", "1d", "1h 1m", "--1s", "1.2.3s", ".s", "1h-1m", "1hx", "-", "3s\n"])
def test_what_is_no_go_duration_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(DurationError, match="not a valid duration"):
        parse_go_duration(text)


@settings(deadline=None)
@given(st.integers(-LONGEST, LONGEST))
def test_a_printed_go_duration_reads_as_the_same_span(span: int) -> None:
    assert parse_go_duration(format_go_duration(span)) == span
