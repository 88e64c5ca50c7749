"""Spans of time as people write them: Prometheus' ``1h30m`` and Go's ``1.5h``, to nanoseconds and back."""

from __future__ import annotations

import re

from tocsin.errors import DurationError
from tocsin.model import DAY, HOUR, MINUTE, SECOND, Span

MICROSECOND: Span = 1_000
MILLISECOND: Span = 1_000_000
WEEK: Span = 7 * DAY
YEAR: Span = 365 * DAY
LONGEST: Span = 2**63 - 1  # what Go's time.Duration holds, about 292 years

# prometheus/common model/time.go: every unit at most once, from the longest to the shortest.
_PROMETHEUS = re.compile(
    r"(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?"
)
_PROMETHEUS_UNITS: tuple[Span, ...] = (YEAR, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND)

# https://pkg.go.dev/time#ParseDuration
_GO_UNITS: dict[str, Span] = {
    "ns": 1,
    "us": MICROSECOND,
    "\u00b5s": MICROSECOND,
    "\u03bcs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_GO_TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]+)")


def parse_duration(text: str) -> Span:
    """Read a Prometheus duration: ``1h30m``, units y w d h m s ms in that order, or a bare ``0``.

    Returns:
        Nanoseconds. A year has 365 days.

    Raises:
        DurationError: with a sentence that quotes the text.

    Source: prometheus/common ``model/time.go`` (``ParseDuration``).
    """
    if not text:
        raise DurationError('empty duration: write one such as "5m" or "1h30m"')
    if text == "0":
        return 0
    found = _PROMETHEUS.fullmatch(text)
    if found is None:
        raise DurationError(
            f'not a valid duration: "{text}": use whole numbers with the units y, w, d, h, m, s, ms in that order, '
            'such as "1h30m"'
        )
    span = sum(int(number) * unit for number, unit in zip(found.groups(), _PROMETHEUS_UNITS, strict=True) if number)
    return _in_range(span, text)


def format_duration(span: Span) -> str:
    """Print a span as Prometheus does; what is finer than a millisecond is cut off.

    Years, weeks and days are used only where they divide the rest exactly, so that ``90d`` stays ``90d``.
    """
    rest = span // MILLISECOND
    if rest == 0:
        return "0s"
    printed = "-" if rest < 0 else ""
    rest = abs(rest)
    for name, unit in (("y", YEAR), ("w", WEEK), ("d", DAY)):
        count, over = divmod(rest, unit // MILLISECOND)
        if count and not over:
            return f"{printed}{count}{name}"
    for name, unit in (("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND)):
        count, rest = divmod(rest, unit // MILLISECOND)
        printed += f"{count}{name}" if count else ""
    return printed


def parse_go_duration(text: str) -> Span:
    """Read a duration of Go's ``time`` package: ``1.5h``, ``-300ms``, ``1h15m30.918s``, ``0``.

    Raises:
        DurationError: with a sentence that quotes the text.

    Source: https://pkg.go.dev/time#ParseDuration
    """
    sign, rest = (-1 if text.startswith("-") else 1), text.removeprefix("-") if text.startswith("-") else text
    if sign > 0:
        rest = rest.removeprefix("+")
    if rest == "0":
        return 0
    span, at = 0, 0
    for term in _GO_TERM.finditer(rest):
        if term.start() != at or term[2] not in _GO_UNITS:
            break
        whole, _, fraction = term[1].partition(".")
        unit = _GO_UNITS[term[2]]
        span += int(whole or "0") * unit
        span += int(fraction) * unit // 10 ** len(fraction) if fraction else 0
        at = term.end()
    if at != len(rest) or not rest:
        raise DurationError(
            f'not a valid duration: "{text}": use numbers with the units h, m, s, ms, us, ns, such as "1m30s" or "1.5h"'
        )
    return sign * _in_range(span, text)


def format_go_duration(span: Span) -> str:
    """Print a span as Go's ``Duration.String``: ``1h30m0s``, ``1.5s``, ``250ms``, ``0s``."""
    if span == 0:
        return "0s"
    sign, rest = ("-" if span < 0 else ""), abs(span)
    for name, unit in (("ns", 1), ("\u00b5s", MICROSECOND), ("ms", MILLISECOND)):
        if rest < unit * 1000:
            return f"{sign}{_decimal(rest, unit)}{name}"
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    printed = f"{hours}h" if hours else ""
    printed += f"{minutes}m" if minutes or hours else ""
    return f"{sign}{printed}{_decimal(rest, SECOND)}s"


def _decimal(span: Span, unit: Span) -> str:
    """Print a span in a unit, without trailing zeros."""
    whole, rest = divmod(span, unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def _in_range(span: Span, text: str) -> Span:
    if span > LONGEST:
        raise DurationError(f'duration out of range: "{text}": the longest is about 292 years')
    return span
