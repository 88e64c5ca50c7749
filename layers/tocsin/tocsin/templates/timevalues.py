"""``time.Time``, ``time.Duration``, months and weekdays as templates see them, with their methods.

Source: https://pkg.go.dev/time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tocsin.model import HOUR, MINUTE, SECOND, Instant
from tocsin.templates import gotime
from tocsin.templates.civil import UTC, Civil, Location, from_civil, to_civil
from tocsin.templates.values import INT, STRING, Failure, Function, GoType, Number, Struct, Value

_FAR = 1 << 63  # spans saturate at 64 bits


class Duration(Number):
    """A span of nanoseconds that prints as ``1h2m3s``."""

    go_type = "time.Duration"

    def go_string(self) -> str:
        """Print as Go does."""
        return gotime.format_duration(int(self))


class Month(Number):
    """A month that prints by its name."""

    go_type = "time.Month"

    def go_string(self) -> str:
        """Print as Go does."""
        return gotime.MONTHS[self - 1] if 1 <= self <= len(gotime.MONTHS) else f"%!Month({int(self)})"


class Weekday(Number):
    """A day of the week that prints by its name."""

    go_type = "time.Weekday"

    def go_string(self) -> str:
        """Print as Go does."""
        return gotime.WEEKDAYS[self]


@dataclass(frozen=True, slots=True)
class Zone(Struct):
    """A ``*time.Location``."""

    location: Location
    go_type: ClassVar[str] = "*time.Location"

    def go_string(self) -> str:
        """Print the zone's name."""
        return self.location.name


@dataclass(frozen=True, slots=True)
class Time(Struct):
    """An instant in a zone. Two are equal as structs when instant and zone are."""

    instant: Instant
    location: Location = UTC
    go_type: ClassVar[str] = "time.Time"

    def go_string(self) -> str:
        """Print as Go does: ``2006-01-02 15:04:05.999999999 -0700 MST``."""
        return self.format(gotime.LAYOUT_STRING)

    def format(self, layout: str) -> str:
        """Print by a layout."""
        return gotime.format_time(self.instant, layout, self.location)

    def civil(self) -> Civil:
        """Read the date and time of day in the zone."""
        return to_civil(self.instant, self.location)

    def add(self, span: int) -> Time:
        """Move by nanoseconds."""
        return Time(self.instant + span, self.location)

    def within(self, location: Location) -> Time:
        """Return the same instant in another zone."""
        return Time(self.instant, location)


def between(later: Time, earlier: Time) -> Duration:
    """Return ``later - earlier``, saturated at 64 bits as Go's ``Sub`` is."""
    return Duration(min(max(later.instant - earlier.instant, -_FAR), _FAR - 1))


TIME = GoType("time.Time", lambda value: isinstance(value, Time))
DURATION = GoType("time.Duration", lambda value: isinstance(value, Duration), constant="int")
LOCATION = GoType("*time.Location", lambda value: isinstance(value, Zone))


def _add_date(time: Time, years: int, months: int, days: int) -> Time:
    civil = time.civil()
    date = (civil.year + years, civil.month + months, civil.day + days)
    instant = from_civil(date, (civil.hour, civil.minute, civil.second), civil.nanosecond, time.location)
    return Time(instant, time.location)


def _truncate(time: Time, span: int) -> Time:
    return time if span <= 0 else time.add(-((time.instant - gotime.ZERO) % span))


def _round(time: Time, span: int) -> Time:
    if span <= 0:
        return time
    rest = (time.instant - gotime.ZERO) % span
    return time.add(-rest if rest + rest < span else span - rest)


def _round_span(span: int, unit: int) -> Duration:
    if unit <= 0:
        return Duration(span)
    sign, span = (-1, -span) if span < 0 else (1, span)
    rest = span % unit
    return Duration(sign * (span - rest if rest + rest < unit else span + unit - rest))


def _truncate_span(span: int, unit: int) -> Duration:
    return Duration(span if unit <= 0 else (span - span % unit if span >= 0 else span + -span % unit))


def _compare(one: Time, other: Time) -> int:
    return (one.instant > other.instant) - (one.instant < other.instant)


def _several(name: str, results: int) -> Function:
    def refuse(*_: Value) -> Value:
        raise Failure(f"can't call method/function {name!r} with {results} results")

    return Function((), refuse)


def _plain(call: Callable[[Time], Value]) -> Function:
    return Function((), call)


def _span(call: Callable[[int], Value]) -> Function:
    return Function((), call)


def go_syntax(time: Time) -> str:
    """Print a time as the Go expression that makes it (``%#v``)."""
    civil = time.civil()
    zone = "time.UTC" if time.location == UTC else f"time.Location({go_quoted(time.location.name)})"
    return (
        f"time.Date({civil.year}, time.{gotime.MONTHS[civil.month - 1]}, {civil.day}, {civil.hour}, {civil.minute}, "
        f"{civil.second}, {civil.nanosecond}, {zone})"
    )


def go_quoted(name: str) -> str:
    """Quote a zone's name."""
    return '"' + name.replace('"', '\\"') + '"'


_TIME_METHODS: Mapping[str, Function] = {
    "Format": Function((STRING,), Time.format),
    "String": _plain(Time.go_string),
    "GoString": _plain(go_syntax),
    "UTC": _plain(lambda t: t.within(UTC)),
    "Local": _plain(lambda t: t.within(Location("Local", abbreviation="UTC"))),
    "In": Function((LOCATION,), lambda t, zone: t.within(zone.location)),
    "Location": _plain(lambda t: Zone(t.location)),
    "Unix": _plain(lambda t: Number(t.instant // SECOND)),
    "UnixMilli": _plain(lambda t: Number(t.instant // 1_000_000)),
    "UnixMicro": _plain(lambda t: Number(t.instant // 1_000)),
    "UnixNano": _plain(lambda t: Number((t.instant + _FAR) % (2 * _FAR) - _FAR)),
    "Year": _plain(lambda t: t.civil().year),
    "Month": _plain(lambda t: Month(t.civil().month)),
    "Day": _plain(lambda t: t.civil().day),
    "Hour": _plain(lambda t: t.civil().hour),
    "Minute": _plain(lambda t: t.civil().minute),
    "Second": _plain(lambda t: t.civil().second),
    "Nanosecond": _plain(lambda t: t.civil().nanosecond),
    "Weekday": _plain(lambda t: Weekday(t.civil().weekday)),
    "YearDay": _plain(lambda t: t.civil().yearday),
    "IsDST": _plain(lambda t: t.location.is_dst(t.instant)),
    "IsZero": _plain(lambda t: t.instant == gotime.ZERO),
    "Add": Function((DURATION,), Time.add),
    "AddDate": Function((INT, INT, INT), _add_date),
    "Sub": Function((TIME,), between),
    "After": Function((TIME,), lambda t, other: t.instant > other.instant),
    "Before": Function((TIME,), lambda t, other: t.instant < other.instant),
    "Equal": Function((TIME,), lambda t, other: t.instant == other.instant),
    "Compare": Function((TIME,), _compare),
    "Round": Function((DURATION,), _round),
    "Truncate": Function((DURATION,), _truncate),
    "Clock": _several("Clock", 3),
    "Date": _several("Date", 3),
    "ISOWeek": _several("ISOWeek", 2),
    "Zone": _several("Zone", 2),
    "ZoneBounds": _several("ZoneBounds", 2),
}
Time.go_methods = _TIME_METHODS
Zone.go_methods = {"String": Function((), Zone.go_string)}
Duration.go_methods = {
    "String": _span(gotime.format_duration),
    "Hours": _span(lambda d: _fractional(d, HOUR)),
    "Minutes": _span(lambda d: _fractional(d, MINUTE)),
    "Seconds": _span(lambda d: _fractional(d, SECOND)),
    "Milliseconds": _span(lambda d: Number(_towards_zero(d, 1_000_000))),
    "Microseconds": _span(lambda d: Number(_towards_zero(d, 1_000))),
    "Nanoseconds": _span(Number),
    "Abs": _span(lambda d: Duration(min(abs(d), _FAR - 1))),
    "Round": Function((DURATION,), _round_span),
    "Truncate": Function((DURATION,), _truncate_span),
}
Month.go_methods = {"String": Function((), Month.go_string)}
Weekday.go_methods = {"String": Function((), Weekday.go_string)}


def _fractional(span: int, unit: int) -> float:
    """Divide as Go does: whole units and the rest apart, so that the rounding is the same."""
    whole = _towards_zero(span, unit)
    return float(whole) + float(span - whole * unit) / float(unit)


def _towards_zero(span: int, unit: int) -> int:
    return span // unit if span >= 0 else -(-span // unit)
