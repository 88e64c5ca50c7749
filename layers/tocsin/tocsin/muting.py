"""Whether a route keeps quiet right now (Alertmanager ``notify/mute.go``, ``timeinterval``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin import intervals
from tocsin.config.plan import Route
from tocsin.model import Instant


def muted_by(route: Route, time_intervals: Mapping[str, Any], now: Instant) -> str:
    """Name what mutes a route at an instant, "" if nothing does.

    Args:
        route: its ``active_time_intervals`` are asked first, then its ``mute_time_intervals``; neither is inherited.
        time_intervals: the plan's, name to JSON.
        now: the instant of the flush.
    """
    active = route.active_time_intervals
    if active and not any(_contains(time_intervals[name], now) for name in active):
        return f"outside of its active time intervals ({', '.join(active)})"
    for name in route.mute_time_intervals:
        if _contains(time_intervals[name], now):
            return f"within its mute time interval {name}"
    return ""


def _contains(interval: Any, now: Instant) -> bool:  # noqa: ANN401 (JSON)
    return intervals.contains(intervals.from_json(interval), now)
