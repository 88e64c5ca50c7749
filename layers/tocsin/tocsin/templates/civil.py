"""Civil dates from instants and back, for every year, with the offsets of IANA zones.

Python's ``datetime`` ends at the years 1 and 9999; Go's zero time seen from New York lies in year 0. The arithmetic
here is the proleptic Gregorian calendar of Howard Hinnant's ``chrono``-compatible algorithms
(https://howardhinnant.github.io/date_algorithms.html); only a zone's offset is asked of ``zoneinfo``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC as PYTHON_UTC
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.model import SECOND, Instant

DAY_SECONDS = 86_400
_ERA_DAYS = 146_097  # days in 400 years
_EPOCH_DAY = 719_468  # days from 0000-03-01 to 1970-01-01
_EPOCH = datetime(1970, 1, 1, tzinfo=PYTHON_UTC)
# What datetime can hold with a day to spare for any offset.
_FIRST_SECOND = -62_135_510_400
_LAST_SECOND = 253_402_214_400


@dataclass(frozen=True, slots=True)
class Location:
    """A zone: by name (``zone``), or an offset of its own (``offset`` seconds east, printed as ``abbreviation``)."""

    name: str
    zone: ZoneInfo | None = None
    offset: int = 0
    abbreviation: str = ""

    def at(self, instant: Instant) -> tuple[int, str]:
        """Return the offset in seconds east of UTC and the abbreviation in force at ``instant``."""
        if self.zone is None:
            return self.offset, self.abbreviation
        second = min(max(instant // SECOND, _FIRST_SECOND), _LAST_SECOND)
        local = (_EPOCH + timedelta(seconds=second)).astimezone(self.zone)
        offset = local.utcoffset() or timedelta()
        return offset.days * DAY_SECONDS + offset.seconds, local.tzname() or ""

    def is_dst(self, instant: Instant) -> bool:
        """Whether daylight saving time is in force at ``instant``."""
        if self.zone is None:
            return False
        second = min(max(instant // SECOND, _FIRST_SECOND), _LAST_SECOND)
        return bool((_EPOCH + timedelta(seconds=second)).astimezone(self.zone).dst())


UTC = Location("UTC", abbreviation="UTC")


def fixed(offset: int, abbreviation: str = "") -> Location:
    """Return a zone that is nothing but an offset, as a time with ``+02:00`` has."""
    return UTC if offset == 0 and abbreviation in {"", "UTC"} else Location(abbreviation, None, offset, abbreviation)


@lru_cache(maxsize=256)
def load_location(name: str) -> Location:
    """Find an IANA zone.

    Raises:
        LookupError: no such zone is known.
    """
    if name in {"", "UTC"}:
        return UTC
    if name == "Local":
        return Location("Local", abbreviation="UTC")
    try:
        return Location(name, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LookupError(f"unknown time zone {name}") from error


@dataclass(frozen=True, slots=True)
class Civil:
    """A date and time of day as a clock on the wall of its zone shows it."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanosecond: int
    weekday: int  # 0 is Sunday
    yearday: int  # 1 is 1 January
    offset: int = 0
    abbreviation: str = "UTC"


def days_from_civil(year: int, month: int, day: int) -> int:
    """Count days since 1970-01-01; ``month`` and ``day`` may lie outside their ranges and carry, as in Go."""
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    year -= month <= 2  # noqa: PLR2004 - the algorithm's year begins in March
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5
    return (
        era * _ERA_DAYS + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year + day - 1 - _EPOCH_DAY
    )


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a count of days since 1970-01-01."""
    days += _EPOCH_DAY
    era, day_of_era = divmod(days, _ERA_DAYS)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9  # noqa: PLR2004 - from March back to January
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1  # noqa: PLR2004


def to_civil(instant: Instant, location: Location = UTC) -> Civil:
    """Read ``instant`` off a clock in ``location``."""
    offset, abbreviation = location.at(instant)
    seconds, nanosecond = divmod(instant + offset * SECOND, SECOND)
    days, rest = divmod(seconds, DAY_SECONDS)
    year, month, day = civil_from_days(days)
    return Civil(
        year,
        month,
        day,
        rest // 3600,
        rest % 3600 // 60,
        rest % 60,
        nanosecond,
        (days + 4) % 7,
        days - days_from_civil(year, 1, 1) + 1,
        offset,
        abbreviation,
    )


def from_civil(
    date: tuple[int, int, int], clock: tuple[int, int, int], nanosecond: int = 0, location: Location = UTC
) -> Instant:
    """Return the instant at which a clock in ``location`` shows this date and time.

    In a gap or overlap of daylight saving time one of the two offsets is taken, as Go's ``time.Date`` does.
    """
    seconds = days_from_civil(*date) * DAY_SECONDS + clock[0] * 3600 + clock[1] * 60 + clock[2]
    offset, _ = location.at(seconds * SECOND)
    other, _ = location.at((seconds - offset) * SECOND)
    if other != offset:
        again, _ = location.at((seconds - other) * SECOND)
        offset = other if again == other else offset
    return (seconds - offset) * SECOND + nanosecond
