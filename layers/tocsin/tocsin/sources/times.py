"""Times as senders write them. Go's zero time, and whatever is no time, is None: the sender does not know it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tocsin.model import SECOND, Instant
from tocsin.sources.lenient import number

_SHAPE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r" ?(?:[Zz]|UTC|([+-])([0-9]{2}):?([0-9]{2})?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECOND_DIGITS = 9
_LATEST: Instant = 2**63 - 1  # what a 64-bit integer holds, the year 2262
_LATEST_SECONDS = 100_000_000_000  # the year 5138: a larger count is one of milliseconds


def instant(value: object) -> Instant | None:
    """Read RFC 3339 and its relatives: nanoseconds, ``+0000``, a space for the T, no offset (UTC).

    None for anything else, for times before 1970 (Go's zero time is in year 1) and beyond 64 bits of nanoseconds.
    """
    shape = _SHAPE.fullmatch(value.strip()) if isinstance(value, str) else None
    if shape is None:
        return None
    fraction, sign, hours, minutes = shape.group(7, 8, 9, 10)
    year, month, day, hour, minute, second = (int(part) for part in shape.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        moment = local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None
    since = moment - _EPOCH
    nanoseconds = int((fraction or "0")[:_NANOSECOND_DIGITS].ljust(_NANOSECOND_DIGITS, "0"))
    leap = 1 if second == 60 else 0  # noqa: PLR2004 (RFC 3339, section 5.7: a leap second)
    return _known((since.days * 86_400 + since.seconds + leap) * SECOND + nanoseconds)


def epoch(value: object) -> Instant | None:
    """Read a count of seconds since 1970, also one sent as text or in milliseconds; None for anything else."""
    count = number(value)
    if count is None or not 0 < count < _LATEST:
        return None
    if count > _LATEST_SECONDS:
        count /= 1000
    whole = int(count)
    return _known(whole * SECOND + round((count - whole) * SECOND))


def own_clock(stamp: Instant, *candidates: Instant | None) -> Instant:
    """Give the event's own time, the first that is known, or the stamp; ``observation.observe`` clamps to the stamp."""
    return next((candidate for candidate in candidates if candidate is not None), stamp)


def rfc3339(moment: Instant) -> str:
    """Print an instant as Go does (RFC3339Nano, UTC): as many digits of the second as it needs."""
    seconds, nanoseconds = divmod(moment, SECOND)
    day = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return f"{day}{fraction}Z"


def _known(moment: Instant) -> Instant | None:
    return moment if 0 < moment <= _LATEST else None
