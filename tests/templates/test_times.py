"""Times and spans as Go writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin.model import HOUR, MINUTE, SECOND
from tocsin.templates.civil import fixed, from_civil, load_location, to_civil
from tocsin.templates.gotime import (
    LAYOUT_STRING,
    ZERO,
    format_duration,
    format_time,
    parse_rfc3339,
    parse_rfc3339_zoned,
    rfc3339nano,
)
from tocsin.templates.timeparse import parse_time

INSTANTS = st.integers(ZERO, 253_402_300_799 * SECOND)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: minutes * 60)


@given(INSTANTS, OFFSETS)
def test_rfc3339_reads_back_what_it_wrote(instant: int, offset: int) -> None:
    written = rfc3339nano(instant, fixed(offset))
    if written[0] != "-" and len(written.partition("-")[0]) == 4:
        assert parse_rfc3339(written) == instant


@given(INSTANTS)
def test_the_calendar_agrees_with_pythons(instant: int) -> None:
    civil = to_civil(instant)
    seconds, nanoseconds = divmod(instant, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert (civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second, civil.nanosecond) == (
        *moment.timetuple()[:6],
        nanoseconds,
    )
    assert (civil.weekday, civil.yearday) == (moment.isoweekday() % 7, moment.timetuple().tm_yday)
    assert from_civil((civil.year, civil.month, civil.day), moment.timetuple()[3:6], nanoseconds) == instant


@given(INSTANTS, OFFSETS)
def test_a_layout_reads_back_what_it_wrote(instant: int, offset: int) -> None:
    layout = "Mon Jan _2 15:04:05.000000000 2006 -07:00"
    written = format_time(instant, layout, fixed(offset))
    if not 1 <= to_civil(instant, fixed(offset)).year <= 9999:
        return
    assert parse_time(layout, written)[0] == instant


RFC3339 = {
    "2026-03-04T05:06:07Z": "2026-03-04T05:06:07Z",
    "2026-03-04T05:06:07.100Z": "2026-03-04T05:06:07.1Z",
    "2026-03-04T05:06:07.123456789123Z": "2026-03-04T05:06:07.123456789Z",
    "2026-03-04T05:06:07+02:00": "2026-03-04T03:06:07Z",
    "2026-03-04t05:06:07-00:30": "2026-03-04T05:36:07Z",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
}


@pytest.mark.parametrize("text", RFC3339)
def test_rfc3339(text: str) -> None:
    assert rfc3339nano(parse_rfc3339(text)) == RFC3339[text]


def test_the_offset_can_be_kept() -> None:
    assert rfc3339nano(*parse_rfc3339_zoned("2026-03-04T05:06:07+02:00")) == "2026-03-04T05:06:07+02:00"


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-03-04", "2026-03-04T05:06:07", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-03-04T24:00:00Z", "2026-03-04T05:60:07Z", "2026-03-04T05:06:60Z", "2026-03-04T05:06:07+02", "x",
        "2026-03-04T05:06:07+25:00", "٢026-03-04T05:06:07Z", "2026-03-04T05:06:07Z ",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_rfc3339(text)


SPANS = {
    0: "0s",
    1: "1ns",
    1_500: "1.5µs",
    2_000_000: "2ms",
    1_500_000_000: "1.5s",
    MINUTE: "1m0s",
    HOUR + 2 * MINUTE + 3 * SECOND + 500_000_000: "1h2m3.5s",
    100 * HOUR: "100h0m0s",
    -90 * SECOND: "-1m30s",
    (1 << 63) - 1: "2562047h47m16.854775807s",
}


@pytest.mark.parametrize("span", SPANS)
def test_spans(span: int) -> None:
    assert format_duration(span) == SPANS[span]


def test_a_zone_has_its_own_names_and_offsets() -> None:
    instant = parse_rfc3339("2026-07-01T12:00:00Z")
    assert format_time(instant, LAYOUT_STRING, load_location("Europe/Paris")) == "2026-07-01 14:00:00 +0200 CEST"
    assert format_time(ZERO, LAYOUT_STRING, load_location("America/New_York")) == "0000-12-31 19:03:58 -0456 LMT"
    with pytest.raises(LookupError, match="unknown time zone Mars/Phobos"):
        load_location("Mars/Phobos")


def test_a_clock_time_that_daylight_saving_skips_is_still_an_instant() -> None:
    paris = load_location("Europe/Paris")
    skipped = from_civil((2026, 3, 29), (2, 30, 0), 0, paris)
    assert rfc3339nano(skipped) in {"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}
    assert rfc3339nano(from_civil((2026, 3, 29), (12, 0, 0), 0, paris)) == "2026-03-29T10:00:00Z"
    assert rfc3339nano(from_civil((2026, 3, 29), (1, 30, 0), 0, paris)) == "2026-03-29T00:30:00Z"


READS = [
    ("2006-01-02", "2026-03-04", "2026-03-04T00:00:00Z"),
    ("Jan 2, 2006 at 3:04pm (MST)", "Feb 3, 2013 at 7:54pm (PST)", "2013-02-03T19:54:00Z"),
    ("02 Jan 06 15:04 MST", "04 Mar 69 05:06 UTC", "1969-03-04T05:06:00Z"),
    ("2006-002", "2024-366", "2024-12-31T00:00:00Z"),
    ("15:04:05,000", "05:06:07,250", "0000-01-01T05:06:07.25Z"),
    ("Monday, 02-Jan-06 15:04:05 -0700", "Wednesday, 04-Mar-26 05:06:07 -0130", "2026-03-04T06:36:07Z"),
    ("2006-01-02 15:04:05 MST", "2026-03-04 05:06:07 GMT+3", "2026-03-04T02:06:07Z"),
]


@pytest.mark.parametrize(("layout", "text", "instant"), READS)
def test_layouts_read(layout: str, text: str, instant: str) -> None:
    assert rfc3339nano(parse_time(layout, text)[0]) == instant


@pytest.mark.parametrize(
    ("layout", "text"),
    [
     ("2006", "26"), ("Jan", "Foo"), ("15:04", "25:00"), ("2006-01-02", "2026-01-02T"), ("x2006", "y2006"),
     ("MST", "é"),
     ("2006-002", "2025-366"), ("a b", "a-b"), (".000", ".12"),
    ],
)  # fmt: skip
def test_layouts_refuse(layout: str, text: str) -> None:
    with pytest.raises(ValueError, match="does not follow the layout"):
        parse_time(layout, text)
