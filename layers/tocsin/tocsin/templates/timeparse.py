"""Reading a time by a Go layout (``time.ParseInLocation`` with UTC), for ``toDate`` and ``mustToDate``.

Source: https://pkg.go.dev/time#Parse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tocsin.model import SECOND, Instant
from tocsin.templates.civil import DAY_SECONDS, UTC, Location, days_from_civil, fixed
from tocsin.templates.gotime import ELEMENT, MONTHS, WEEKDAYS, days_in

_NOON = 12
_PIVOT_YEAR = 69  # "06" means 1969 … 2068, as in Unix
_SPACED = {"_2": r" ?(\d{1,2})", "__2": r" {0,2}(\d{1,3})"}
_NUMBERS = {
    "2006": r"(\d{4})",
    "06": r"(\d{2})",
    "01": r"(\d{2})",
    "1": r"(\d{1,2})",
    "02": r"(\d{2})",
    "2": r" ?(\d{1,2})",
    "002": r"(\d{3})",
    "15": r"(\d{2})",
    "03": r"(\d{2})",
    "3": r"(\d{1,2})",
    "04": r"(\d{2})",
    "4": r"(\d{1,2})",
    "05": r"(\d{2})",
    "5": r"(\d{1,2})",
    **_SPACED,
}
_MEANS = {
    "2006": "year", "06": "year", "01": "month", "1": "month", "02": "day", "2": "day", "_2": "day", "002": "yearday",
    "__2": "yearday", "15": "hour", "03": "hour12", "3": "hour12", "04": "minute", "4": "minute", "05": "second",
    "5": "second",
}  # fmt: skip
_ZONE_NAME = re.compile(r"UTC|ChST|MeST|GMT(?:[+-]\d{1,2})?|WITA|[+-]\d{2}(?:\d{2})?|[A-Z]{3,5}", re.ASCII)
_FRACTION = re.compile(r"[.,](\d+)", re.ASCII)


@dataclass(slots=True)
class _Reading:
    """The text, how far it is read, and what was found."""

    layout: str
    text: str
    position: int = 0
    found: dict[str, int] = field(default_factory=dict)
    zone: str = ""

    def fail(self, why: str = "") -> ValueError:
        reason = why or f"it stops making sense at {self.text[self.position :]!r}"
        return ValueError(f"{self.text!r} does not follow the layout {self.layout!r}: {reason}")

    def take(self, pattern: str) -> re.Match[str]:
        match = re.compile(pattern, re.ASCII | re.IGNORECASE).match(self.text, self.position)
        if match is None:
            raise self.fail()
        self.position = match.end()
        return match

    def literal(self, expected: str) -> None:
        """Skip literal text; a run of blanks in the layout stands for any run in the text."""
        for part in re.findall(r" +|[^ ]", expected):
            if part[0] == " ":
                if self.position < len(self.text) and self.text[self.position] != " ":
                    raise self.fail()
                self.position += len(self.text[self.position :]) - len(self.text[self.position :].lstrip(" "))
            elif self.text.startswith(part, self.position):
                self.position += 1
            else:
                raise self.fail()


def parse_time(layout: str, text: str) -> tuple[Instant, Location]:
    """Read ``text`` by ``layout``; what the layout leaves out is year 0, 1 January, midnight, UTC.

    Raises:
        ValueError: with a sentence saying where text and layout part.
    """
    reading = _Reading(layout, text)
    end = 0
    for match in ELEMENT.finditer(layout):
        reading.literal(layout[end : match.start()])
        end = match.end()
        _element(reading, match[0], layout[end:])
    reading.literal(layout[end:])
    if reading.position < len(text):
        raise reading.fail(f"{text[reading.position :]!r} is left over")
    return _assemble(reading)


def _element(reading: _Reading, element: str, following: str) -> None:
    if element in _NUMBERS:
        value = int(reading.take(_NUMBERS[element])[1])
        if element == "06":
            value += 1900 if value >= _PIVOT_YEAR else 2000
        reading.found[_MEANS[element]] = value
        if element in {"05", "5"} and not re.match(r"[.,](?:0+|9+)(?![0-9])", following):
            _fraction(reading)
    elif element in {"January", "Jan"}:
        names = MONTHS if element == "January" else tuple(name[:3] for name in MONTHS)
        reading.found["month"] = _name(reading, names) + 1
    elif element in {"Monday", "Mon"}:
        _name(reading, WEEKDAYS if element == "Monday" else tuple(name[:3] for name in WEEKDAYS))
    elif element in {"PM", "pm"}:
        reading.found["pm"] = int(reading.take("AM|PM")[0].upper() == "PM")
    elif element == "MST":
        match = _ZONE_NAME.match(reading.text, reading.position)
        if match is None:
            raise reading.fail()
        reading.position, reading.zone = match.end(), match[0]
    elif element[0] in ".,":
        if element[1] == "0":
            digits = reading.take(r"[.,](\d{" + str(len(element) - 1) + "})")[1]
            reading.found["nanosecond"] = int(digits.ljust(9, "0")[:9])
        else:
            _fraction(reading)
    elif element == "_":
        reading.literal("_")
    else:
        _offset(reading, element)


def _name(reading: _Reading, names: tuple[str, ...]) -> int:
    found = reading.take("|".join(names))[0].lower()
    return [name.lower() for name in names].index(found)


def _fraction(reading: _Reading) -> None:
    match = _FRACTION.match(reading.text, reading.position)
    if match:
        reading.position = match.end()
        reading.found["nanosecond"] = int(match[1].ljust(9, "0")[:9])


def _offset(reading: _Reading, element: str) -> None:
    if element[0] == "Z" and reading.text[reading.position : reading.position + 1] == "Z":
        reading.position += 1
        reading.found["offset"] = 0
        return
    shape = r"([+-])" + re.sub(r"0[07]", r"(\\d\\d)", element[1:])
    groups = reading.take(shape).groups()
    hours, minutes, seconds = (*(int(part) for part in groups[1:]), 0, 0)[:3]
    offset = hours * 3600 + minutes * 60 + seconds
    reading.found["offset"] = -offset if groups[0] == "-" else offset


def _assemble(reading: _Reading) -> tuple[Instant, Location]:
    found = reading.found
    year, month, day = found.get("year", 0), found.get("month", 1), found.get("day", 1)
    hour = found.get("hour", found.get("hour12", 0))
    minute, second = found.get("minute", 0), found.get("second", 0)
    if "pm" in found:
        hour = hour % _NOON + (_NOON if found["pm"] else 0)
    if "yearday" in found:
        month, day = 1, found["yearday"]
        in_range = 1 <= day <= 337 + days_in(year, 2)
    else:
        in_range = 1 <= month <= 12 and 1 <= day <= days_in(year, month)  # noqa: PLR2004 - a year's months
    if not in_range or hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - a clock
        raise reading.fail("a part is out of its range")
    location = UTC
    if "offset" in found:
        location = fixed(found["offset"], reading.zone)
    elif reading.zone not in {"", "UTC"}:
        location = Location(reading.zone, None, _gmt(reading.zone), reading.zone)
    seconds = days_from_civil(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - location.offset
    return seconds * SECOND + found.get("nanosecond", 0), location


def _gmt(zone: str) -> int:
    """Return the offset of ``GMT+3``; every other abbreviation is taken as 0, as Go does for one it does not know."""
    return int(zone[3:]) * 3600 if zone.startswith("GMT") and zone[3:] else 0
