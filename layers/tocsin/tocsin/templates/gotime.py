"""Go's way of writing and reading times and spans: layouts, RFC 3339 and ``1h2m3s``.

Source: https://pkg.go.dev/time#pkg-constants (layouts), https://pkg.go.dev/time#Duration.String (spans).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from tocsin.model import HOUR, MINUTE, SECOND, Instant, Span
from tocsin.templates.civil import DAY_SECONDS, UTC, Civil, Location, days_from_civil, fixed, to_civil

ZERO: Instant = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z, Go's zero time
LAYOUT_STRING = "2006-01-02 15:04:05.999999999 -0700 MST"

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

# The elements of a layout, in Go's order of precedence at one place.
ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_(?=2006)|_2|3|4|5|PM|pm"
    r"|[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07|[.,](?:0+|9+)(?![0-9])"
)

_FRACTION_DIGITS = 9


def _offset(element: str, offset: int) -> str:
    """Write an offset as one of the ``-07…`` and ``Z07…`` elements asks."""
    if element[0] == "Z" and offset == 0:
        return "Z"
    sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
    colon = ":" if ":" in element else ""
    written = f"{sign}{offset // 3600:02}"
    digits = len(element.replace(":", "")) - 1
    if digits > 2:  # noqa: PLR2004 - hours are two digits
        written += f"{colon}{offset % 3600 // 60:02}"
    if digits > 4:  # noqa: PLR2004 - hours and minutes are four
        written += f"{colon}{offset % 60:02}"
    return written


def _fraction(element: str, nanosecond: int) -> str:
    digits = f"{nanosecond:09}".ljust(len(element) - 1, "0")[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    return element[0] + digits


def _year(civil: Civil) -> str:
    return f"-{-civil.year:04}" if civil.year < 0 else f"{civil.year:04}"


def _zone(civil: Civil) -> str:
    if civil.abbreviation:
        return civil.abbreviation
    sign, minutes = ("-", -civil.offset // 60) if civil.offset < 0 else ("+", civil.offset // 60)
    return f"{sign}{minutes // 60:02}{minutes % 60:02}"


_WRITERS: dict[str, Callable[[Civil], str]] = {
    "January": lambda c: MONTHS[c.month - 1],
    "Jan": lambda c: MONTHS[c.month - 1][:3],
    "01": lambda c: f"{c.month:02}",
    "1": lambda c: str(c.month),
    "Monday": lambda c: WEEKDAYS[c.weekday],
    "Mon": lambda c: WEEKDAYS[c.weekday][:3],
    "02": lambda c: f"{c.day:02}",
    "_2": lambda c: f"{c.day:2}",
    "2": lambda c: str(c.day),
    "002": lambda c: f"{c.yearday:03}",
    "__2": lambda c: f"{c.yearday:3}",
    "15": lambda c: f"{c.hour:02}",
    "03": lambda c: f"{(c.hour + 11) % 12 + 1:02}",
    "3": lambda c: str((c.hour + 11) % 12 + 1),
    "04": lambda c: f"{c.minute:02}",
    "4": lambda c: str(c.minute),
    "05": lambda c: f"{c.second:02}",
    "5": lambda c: str(c.second),
    "2006": _year,
    "06": lambda c: f"{c.year % 100:02}",
    "PM": lambda c: "PM" if c.hour >= 12 else "AM",  # noqa: PLR2004 - noon
    "pm": lambda c: "pm" if c.hour >= 12 else "am",  # noqa: PLR2004 - noon
    "MST": _zone,
    "_": lambda _: "_",
}


def format_time(instant: Instant, layout: str, location: Location = UTC) -> str:
    """Write ``instant`` by a Go layout (``Mon Jan _2 15:04:05 2006``)."""
    civil = to_civil(instant, location)

    def write(match: re.Match[str]) -> str:
        element = match[0]
        if element in _WRITERS:
            return _WRITERS[element](civil)
        return _fraction(element, civil.nanosecond) if element[0] in ".," else _offset(element, civil.offset)

    return ELEMENT.sub(write, layout)


def rfc3339nano(instant: Instant, location: Location = UTC) -> str:
    """Write an instant as Go's ``time.RFC3339Nano``, which is how Alertmanager's JSON has it: trailing zeros cut."""
    return format_time(instant, "2006-01-02T15:04:05.999999999Z07:00", location)


_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_in(year: int, month: int) -> int:
    """Count the days of a month."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 if month == 2 and not leap else _MONTH_DAYS[month - 1]  # noqa: PLR2004 - February


def parse_rfc3339(text: str) -> Instant:
    """Read ``2026-11-23T07:53:32.123456789+02:00``, exact to the nanosecond; further digits are cut, as in Go.

    Raises:
        ValueError: with a sentence that names the text.
    """
    return parse_rfc3339_zoned(text)[0]


def parse_rfc3339_zoned(text: str) -> tuple[Instant, Location]:
    """Read a time as `parse_rfc3339` does and keep the offset it was written with.

    Raises:
        ValueError: with a sentence that names the text.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time; write it as RFC 3339 does: 2006-01-02T15:04:05Z or …+02:00")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    offset_hours, offset_minutes = int(match[10] or 0), int(match[11] or 0)
    if not 1 <= month <= 12 or not 1 <= day <= days_in(year, month):  # noqa: PLR2004 - a year's months
        raise ValueError(f"{text!r} is not a time: there is no such day")
    if hour > 23 or minute > 59 or second > 59 or offset_hours > 24 or offset_minutes > 59:  # noqa: PLR2004 - a clock
        raise ValueError(f"{text!r} is not a time: no clock shows it")
    offset = (offset_hours * 3600 + offset_minutes * 60) * (-1 if match[9] == "-" else 1)
    nanosecond = int((match[7] or "").ljust(_FRACTION_DIGITS, "0")[:_FRACTION_DIGITS])
    seconds = days_from_civil(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset
    return seconds * SECOND + nanosecond, fixed(offset)


def _trimmed(value: int, unit: int) -> str:
    """Write ``value / unit`` exactly, without trailing zeros."""
    whole, rest = divmod(value, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if unit > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)


@lru_cache(maxsize=1024)
def format_duration(span: Span) -> str:
    """Write a span as Go does: ``1h2m3.5s``, ``150ms``, ``0s``."""
    if span == 0:
        return "0s"
    sign, span = ("-", -span) if span < 0 else ("", span)
    if span < SECOND:
        for name, unit in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if span >= unit:
                return f"{sign}{_trimmed(span, unit)}{name}"
    written = f"{_trimmed(span % MINUTE, SECOND)}s"
    if span >= MINUTE:
        written = f"{span % HOUR // MINUTE}m{written}"
    if span >= HOUR:
        written = f"{span // HOUR}h{written}"
    return sign + written
