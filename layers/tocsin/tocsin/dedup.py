"""Whether a lane owes its receiver a notification, and why (Alertmanager ``notify/dedup_stage.go``).

Compared is what is *owed*, not what was told (state.md, rule 10): during an outage every flush would else be a "first
notification" again.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from tocsin.model import Instant, Span


class Reason(StrEnum):
    """Why a notification goes out, or does not."""

    FIRST = "first notification"
    NEW_ALERTS = "new alerts added"
    SOME_RESOLVED = "some alerts resolved"
    ALL_RESOLVED = "all alerts resolved"
    REPEAT = "repeat interval elapsed"
    STALE = "no word from the source: stale"
    NOTHING_FIRING = "nothing fires and nothing was told"
    UNCHANGED = "nothing changed, repeat interval not yet over"
    STALE_TOLD = "stale, and told so"
    MUTED = "muted by a time interval"
    NO_INTEGRATIONS = "the receiver has no integrations"

    @property
    def sends(self) -> bool:
        """Whether somebody is to be told."""
        return self in _SENDS


_SENDS = frozenset(
    {
        Reason.FIRST, Reason.NEW_ALERTS, Reason.SOME_RESOLVED, Reason.ALL_RESOLVED, Reason.REPEAT, Reason.STALE,
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Owed:
    """What was owed last on a lane: fingerprints and the nominal time of the flush."""

    firing: AbstractSet[str]
    resolved: AbstractSet[str]
    at: Instant
    stale: bool = False


def decide(
    last: Owed | None,
    firing: AbstractSet[str],
    resolved: AbstractSet[str],
    *,
    due: Instant,
    repeat_interval: Span,
    send_resolved: bool,
    stale: bool = False,
) -> Reason:
    """Name what this flush means for a lane.

    Args:
        last: what was owed before, None if nothing was.
        firing: fingerprints that fire now.
        resolved: fingerprints that resolved since the last flush.
        due: the nominal time of this flush, in nanoseconds; repeats are measured between nominal times.
        repeat_interval: nanoseconds; a repeat goes at the first flush strictly after it.
        send_resolved: whether the integration wants to hear of resolutions.
        stale: whether everything that fires has been silent for longer than ``stale_after``.
    """
    if last is None:
        return Reason.FIRST if firing else Reason.NOTHING_FIRING
    if not firing <= last.firing:
        return Reason.NEW_ALERTS if last.firing else Reason.FIRST
    if not firing:
        return Reason.ALL_RESOLVED if last.firing else Reason.NOTHING_FIRING
    if send_resolved and not resolved <= last.resolved:
        return Reason.SOME_RESOLVED
    if stale:
        return Reason.STALE_TOLD if last.stale else Reason.STALE
    if last.at < due - repeat_interval:
        return Reason.REPEAT
    return Reason.UNCHANGED
