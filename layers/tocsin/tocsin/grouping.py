"""Which alerts are told together, in which order, and when (Alertmanager ``dispatch/dispatch.go``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tocsin.model import Alert, Instant, Labels, Span


def group_id(route_id: str, group_key: str) -> str:
    """Name a group's rows: the group key alone is not unique, two siblings with equal matchers share it."""
    return hashlib.sha256(f"{route_id}\0{group_key}".encode()).hexdigest()[:32]


def lane_id(route_id: str, group_key: str, receiver: str, integration: str) -> str:
    """Name a lane's rows (state.md, rule 9)."""
    return hashlib.sha256(f"{route_id}\0{group_key}\0{receiver}\0{integration}".encode()).hexdigest()[:32]


def first_due(now: Instant, start: Instant, group_wait: Span) -> Instant:
    """When a new group is flushed first: after group_wait, or at once if start + group_wait is already past."""
    return now if start + group_wait <= now else now + group_wait


def next_due(due: Instant, interval: Span, now: Instant) -> Instant:
    """Give the first point after ``now`` on the grid that ``due`` and group_interval make (state.md, rule 7)."""
    missed = max(0, now - due) // interval
    return due + (missed + 1) * interval


def in_order(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Sort as Alertmanager tells them: by job, instance, then all labels (``alert.AlertSlice.Less``)."""
    return tuple(sorted(alerts, key=_rank))


class _Labels:
    """A label set that orders as prometheus/common ``model.LabelSet.Before`` does."""

    __slots__ = ("labels",)

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Labels) and self.labels == other.labels

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.labels.items())))

    def __lt__(self, other: _Labels) -> bool:
        mine, theirs = self.labels, other.labels
        if len(mine) != len(theirs):
            return len(mine) < len(theirs)
        for name in sorted({*mine, *theirs}):
            if name not in mine or name not in theirs:
                return name not in mine
            if mine[name] != theirs[name]:
                return mine[name] < theirs[name]
        return False


def _rank(alert: Alert) -> tuple[bool, str, bool, str, _Labels]:
    labels = alert.labels
    return (
        "job" not in labels,  # an alert without a job comes after those that have one
        labels.get("job", ""),
        "instance" not in labels,
        labels.get("instance", ""),
        _Labels(labels),
    )
