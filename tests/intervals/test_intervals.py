from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.errors import IntervalError
from tocsin.intervals import TimeInterval, contains, from_json, parse, to_json
from tocsin.model import SECOND


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


WEEKDAY_HOURS = {"times": [{"start_time": "09:00", "end_time": "17:00"}], "weekdays": ["monday:friday"]}


@pytest.mark.parametrize(
    ("interval", "instant", "within"),
    [
        pytest.param({}, "2026-11-23T03:00:00", True, id="no field: always"),
        pytest.param(WEEKDAY_HOURS, "2026-11-23T09:00:00", True, id="the start belongs to it"),
        pytest.param(WEEKDAY_HOURS, "2026-11-23T08:59:59", False, id="a second before the start"),
        pytest.param(WEEKDAY_HOURS, "2026-11-23T16:59:59", True, id="the last second"),
        pytest.param(WEEKDAY_HOURS, "2026-11-23T17:00:00", False, id="the end does not belong to it"),
        pytest.param(WEEKDAY_HOURS, "2026-11-22T12:00:00", False, id="a Sunday"),
        pytest.param({"weekdays": ["sunday"]}, "2026-11-22T12:00:00", True, id="Sunday is the first day"),
        pytest.param({"weekdays": ["Saturday"]}, "2026-11-21T12:00:00", True, id="names in any case"),
        pytest.param({"times": [{"start_time": "22:00", "end_time": "24:00"}]}, "2026-11-23T23:59:59", True,
                     id="24:00 is the end of the day"),
        pytest.param({"times": []}, "2026-11-23T03:00:00", False, id="a present but empty field never matches"),
        pytest.param({"days_of_month": ["-1"]}, "2026-02-28T12:00:00", True, id="-1 is the last day of February"),
        pytest.param({"days_of_month": ["-1"]}, "2028-02-28T12:00:00", False, id="but not in a leap year"),
        pytest.param({"days_of_month": ["-3:-1"]}, "2026-11-28T00:00:00", True, id="the third day from the end"),
        pytest.param({"days_of_month": ["-3:-1"]}, "2026-11-27T23:59:59", False, id="the fourth day from the end"),
        pytest.param({"days_of_month": ["30:31"]}, "2026-02-28T12:00:00", False, id="February has no 30th"),
        pytest.param({"days_of_month": ["25:31"]}, "2026-02-28T12:00:00", True, id="a range is clamped to the month"),
        pytest.param({"days_of_month": ["1:-1"]}, "2026-02-14T12:00:00", True, id="from the first to the last"),
        pytest.param({"days_of_month": ["-31:-28"]}, "2026-02-01T12:00:00", True, id="a start before the month"),
        pytest.param({"months": ["january:march", "December"]}, "2026-12-31T23:59:59", True, id="months by name"),
        pytest.param({"months": ["1:3"]}, "2026-04-01T00:00:00", False, id="months by number"),
        pytest.param({"years": ["2020:2022", "2026"]}, "2026-06-01T00:00:00", True, id="years"),
        pytest.param({"years": ["2020:2022"]}, "2023-01-01T00:00:00", False, id="a year later"),
        pytest.param({**WEEKDAY_HOURS, "location": "Europe/London"}, "2026-07-01T08:00:00", True,
                     id="nine o'clock in London in summer is eight in UTC"),
        pytest.param({**WEEKDAY_HOURS, "location": "Europe/London"}, "2026-12-01T08:00:00", False,
                     id="and nine in winter"),
        pytest.param({"weekdays": ["monday"], "location": "Pacific/Auckland"}, "2026-11-22T12:00:00", True,
                     id="it is Monday in Auckland while it is Sunday in UTC"),
        pytest.param({"weekdays": ["tuesday"], "months": ["november"], "days_of_month": ["23"]}, "2026-11-23T12:00:00",
                     False, id="every present field must match"),
        pytest.param({"location": ""}, "2026-11-23T12:00:00", True, id="an empty location is UTC"),
        pytest.param({"years": ["1969"]}, "1969-12-31T23:59:59", True, id="before 1970"),
    ],
)  # fmt: skip
def test_an_interval_contains_an_instant(interval: dict[str, Any], instant: str, within: bool) -> None:
    read = parse(interval)
    assert read.contains(at(instant)) is within
    assert contains((read,), at(instant)) is within


def test_any_interval_of_a_set_will_do_and_none_of_an_empty_one() -> None:
    weekends, nights = (
        parse({"weekdays": ["saturday"]}),
        parse({"times": [{"start_time": "00:00", "end_time": "06:00"}]}),
    )
    assert contains((weekends, nights), at("2026-11-23T03:00:00"))
    assert not contains((), at("2026-11-23T03:00:00"))


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        pytest.param({"weekdays": ["funday"]}, "funday is not a valid weekday", id="a day that is none"),
        pytest.param({"weekdays": ["1"]}, "1 is not a valid weekday", id="weekdays have no numbers"),
        pytest.param({"weekdays": ["friday:monday"]}, "ranges do not wrap", id="a week does not wrap"),
        pytest.param({"weekdays": ["monday:tuesday:friday"]}, "write first:last", id="three ends"),
        pytest.param({"months": ["smarch"]}, "smarch is not a valid month", id="a month that is none"),
        pytest.param({"months": ["december:january"]}, "is before start month", id="a year does not wrap"),
        pytest.param({"years": ["2026:2020"]}, "end year 2020 is before start year 2026", id="years backwards"),
        pytest.param({"years": ["soon"]}, "soon is not a valid year", id="a year that is none"),
        pytest.param({"days_of_month": ["0"]}, "0 is not a valid day of the month", id="there is no day 0"),
        pytest.param({"days_of_month": ["32"]}, "out of range", id="nor day 32"),
        pytest.param({"days_of_month": ["-1:1"]}, "end day must be negative", id="from the end to the start"),
        pytest.param({"days_of_month": ["5:1"]}, "end day 1 is always before start day 5", id="days backwards"),
        pytest.param({"days_of_month": ["10:-25"]}, "always before", id="days that cross in every month"),
        pytest.param({"times": [{"start_time": "9:00", "end_time": "17:00"}]}, "parse timestamp 9:00", id="9"),
        pytest.param({"times": [{"start_time": "09:00", "end_time": "24:01"}]}, "invalid format", id="after 24:00"),
        pytest.param({"times": [{"start_time": "22:00", "end_time": "06:00"}]}, "split a range over midnight",
                     id="a night does not wrap"),
        pytest.param({"times": [{"start_time": "22:00"}]}, "both start and end times must be provided", id="no end"),
        pytest.param({"location": "Mars/Olympus"}, "unknown time zone Mars/Olympus", id="no such zone"),
        pytest.param({"location": "../etc/passwd"}, "unknown time zone", id="a path is no zone"),
        pytest.param({"location": "Europe"}, "unknown time zone", id="a continent is no zone"),
        pytest.param({"day": ["monday"]}, 'unknown key "day"', id="an unknown key"),
    ],
)  # fmt: skip
def test_what_is_no_interval_is_refused_with_a_sentence(interval: dict[str, Any], sentence: str) -> None:
    with pytest.raises(IntervalError) as caught:
        parse(interval)
    assert sentence in str(caught.value)


def ranges(lowest: int, highest: int) -> st.SearchStrategy[tuple[tuple[int, int], ...] | None]:
    pair = st.tuples(st.integers(lowest, highest), st.integers(lowest, highest))
    return st.none() | st.lists(pair, max_size=3).map(tuple)


INTERVALS = st.builds(
    TimeInterval,
    times=ranges(0, 1440),
    weekdays=ranges(0, 6),
    days_of_month=ranges(-31, 31),
    months=ranges(1, 12),
    years=ranges(1970, 2100),
    location=st.sampled_from(["UTC", "Europe/London", "America/New_York"]),
)


@settings(deadline=None)
@given(st.lists(INTERVALS, max_size=3))
def test_json_brings_a_set_back_exactly(intervals: list[TimeInterval]) -> None:
    assert from_json(to_json(intervals)) == tuple(intervals)


@settings(deadline=None)
@given(INTERVALS, st.integers(0, 4_000_000_000))
def test_an_interval_with_more_fields_never_contains_more(interval: TimeInterval, second: int) -> None:
    looser = TimeInterval(times=interval.times, location=interval.location)
    assert looser.contains(second * SECOND) or not interval.contains(second * SECOND)
