"""Time intervals: when a route is active or muted.

Source: Alertmanager ``timeinterval/timeinterval.go`` (behaviour, not code) and
https://prometheus.io/docs/alerting/latest/configuration/#time_interval
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.errors import IntervalError
from tocsin.model import SECOND, Instant

Range = tuple[int, int]

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_LONGEST_MONTH = 31
_SHORTEST_MONTH = 28
_MINUTES = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"[+-]?[0-9]+")

RANGE_FIELDS = ("weekdays", "days_of_month", "months", "years")
FIELDS = ("times", *RANGE_FIELDS, "location")


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """One interval: every field that is present must match; a present but empty one never does.

    ``times`` are minutes of the day, ``[start, end)``; other ranges include both ends. Weekdays count from 0, Sunday;
    negative days of the month from its end, -1. ``location`` is an IANA name.
    """

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    location: str = "UTC"

    def contains(self, instant: Instant) -> bool:
        """Say whether an instant lies within, by the clocks of ``location``."""
        local = (_EPOCH + timedelta(seconds=instant // SECOND)).astimezone(ZoneInfo(self.location))
        minute = local.hour * _MINUTES + local.minute
        return (
            (self.times is None or any(start <= minute < end for start, end in self.times))
            and (self.days_of_month is None or any(_day_within(local, days) for days in self.days_of_month))
            and _within(local.month, self.months)
            and _within(local.isoweekday() % len(_WEEKDAYS), self.weekdays)
            and _within(local.year, self.years)
        )


def contains(intervals: Iterable[TimeInterval], instant: Instant) -> bool:
    """Say whether any interval of a named set contains the instant."""
    return any(interval.contains(instant) for interval in intervals)


def to_json(intervals: Iterable[TimeInterval]) -> list[dict[str, Any]]:
    """Give a named set for the plan."""
    return [{name: _listed(value) for name, value in asdict(each).items() if value is not None} for each in intervals]


def from_json(json: Iterable[Mapping[str, Any]]) -> tuple[TimeInterval, ...]:
    """Take a named set from the plan."""
    return tuple(
        TimeInterval(
            times=_ranges(each.get("times")),
            weekdays=_ranges(each.get("weekdays")),
            days_of_month=_ranges(each.get("days_of_month")),
            months=_ranges(each.get("months")),
            years=_ranges(each.get("years")),
            location=each.get("location", "UTC"),
        )
        for each in json
    )


def parse(value: Mapping[str, Any]) -> TimeInterval:
    """Read an interval as YAML gives it, scalars as text; raises ``IntervalError`` at the first fault."""
    unknown = sorted(set(value) - set(FIELDS))
    if unknown:
        raise IntervalError(f'unknown key "{unknown[0]}" in time interval: known keys are {", ".join(FIELDS)}')
    fields: dict[str, Any] = {
        name: tuple(parse_range(name, str(text)) for text in value[name]) for name in RANGE_FIELDS if name in value
    }
    if "times" in value:
        fields["times"] = tuple(
            parse_times(str(each.get("start_time", "")), str(each.get("end_time", ""))) for each in value["times"]
        )
    if "location" in value:
        fields["location"] = parse_location(str(value["location"]))
    return TimeInterval(**fields)


def parse_times(start: str, end: str) -> Range:
    """Read a range of the day, ``HH:MM`` to ``HH:MM`` (``24:00`` allowed); ``IntervalError`` says what is wrong."""
    if not start or not end:
        raise IntervalError("both start and end times must be provided: set start_time and end_time")
    minutes = _minute(start), _minute(end)
    if minutes[0] >= minutes[1]:
        raise IntervalError(
            f"start time cannot be equal or greater than end time: {start} to {end}: "
            "split a range over midnight into two, one to 24:00 and one from 00:00"
        )
    return minutes


def parse_range(field: str, text: str) -> Range:
    """Read one member or ``first:last`` of a field of ``RANGE_FIELDS``; ``IntervalError`` says what is wrong."""
    parts = text.lower().split(":")
    if len(parts) > 2:  # noqa: PLR2004 (first and last)
        raise IntervalError(f"couldn't parse range {text}, invalid format: write first:last")
    begin, end = _member(field, parts[0]), _member(field, parts[-1])
    if field == "days_of_month":
        _check_days(begin, end)
    elif begin > end:
        noun = {"weekdays": "day", "months": "month", "years": "year"}[field]
        raise IntervalError(
            f"end {noun} {parts[-1]} is before start {noun} {parts[0]}: ranges do not wrap, write two of them"
        )
    return begin, end


def parse_location(text: str) -> str:
    """Read an IANA time zone's name; ``IntervalError`` when there is none of that name."""
    name = text or "UTC"
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise IntervalError(f"unknown time zone {text}: write an IANA name such as Europe/London") from None
    return name


def _minute(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise IntervalError(f"couldn't parse timestamp {text}, invalid format: write HH:MM, from 00:00 to 24:00")
    hour, minute = text.split(":")
    return int(hour) * _MINUTES + int(minute)


def _member(field: str, text: str) -> int:
    if field == "weekdays":
        if text not in _WEEKDAYS:
            raise IntervalError(f"{text} is not a valid weekday: write one of {', '.join(_WEEKDAYS)}")
        return _WEEKDAYS.index(text)
    if field == "months" and text in _MONTHS:
        return _MONTHS.index(text) + 1
    if not _DIGITS.fullmatch(text):
        noun = {"months": "month", "days_of_month": "day of the month", "years": "year"}[field]
        raise IntervalError(
            f"{text} is not a valid {noun}: write a whole number" + (" or a name" * (field == "months"))
        )
    return int(text)


def _check_days(begin: int, end: int) -> None:
    """Refuse what can never be right; shorter months clamp later."""
    for day in (begin, end):
        if not 1 <= abs(day) <= _LONGEST_MONTH:
            raise IntervalError(f"{day} is not a valid day of the month: out of range: use 1 to 31 or -31 to -1")
    if begin < 0 < end:
        raise IntervalError("end day must be negative if start day is negative")
    if (_SHORTEST_MONTH + begin if begin < 0 else begin) > (_SHORTEST_MONTH + end if end < 0 else end):
        raise IntervalError(f"end day {end} is always before start day {begin}")


def _within(value: int, ranges: tuple[Range, ...] | None) -> bool:
    return ranges is None or any(begin <= value <= end for begin, end in ranges)


def _day_within(local: datetime, days: Range) -> bool:
    following = local.replace(day=_SHORTEST_MONTH) + timedelta(days=4)
    length = (following - timedelta(days=following.day)).day
    begin, end = (day + length + 1 if day < 0 else day for day in days)
    return begin <= length and begin <= local.day <= end


def _ranges(listed: Iterable[Iterable[int]] | None) -> tuple[Range, ...] | None:
    return None if listed is None else tuple((begin, end) for begin, end in listed)


def _listed(value: Any) -> Any:  # noqa: ANN401 (ranges or a location)
    return value if isinstance(value, str) else [list(each) for each in value]
