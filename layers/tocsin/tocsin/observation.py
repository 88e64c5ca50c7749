"""Observations, not states: four maxima per fingerprint, and what follows from them (state.md, rule 1).

Maxima commute, so the order and the repetition of what comes in cannot matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin.model import Alert, Instant, Labels, Observation, fingerprint

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Telling:
    """How one side (firing or resolved) was told latest: the words of the observation with the greatest ``seen``."""

    seen: Instant
    at: Instant  # the start while firing, the end when resolved
    annotations: Labels
    generator_url: str = ""

    def order(self) -> tuple[Instant, Instant, str]:
        """Rank tellings without regard to when they arrived; equal ``seen`` falls back on the content."""
        return (self.seen, self.at, json.dumps([dict(sorted(self.annotations.items())), self.generator_url]))


@dataclass(frozen=True, slots=True)
class AlertState:
    """What is known of one fingerprint: a join of observations."""

    labels: Labels
    source: str = ""
    firing_start: Instant = 0
    firing_seen: Instant = 0
    resolved_end: Instant = 0
    resolved_seen: Instant = 0
    stamp: Instant = 0  # when anything was heard of it last, by our own clock
    firing: Telling | None = None
    resolved: Telling | None = None
    quarantined: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The name Alertmanager gives this label set."""
        return fingerprint(self.labels)

    @property
    def fires(self) -> bool:
        """Whether it fires: a start after the last end, or heard firing after it was heard resolved."""
        return self.firing_start > self.resolved_end or self.firing_seen > self.resolved_seen

    def alert(self) -> Alert:
        """Give the alert as somebody is told of it."""
        told = (self.firing if self.fires else self.resolved) or self.firing or self.resolved
        annotations = told.annotations if told else {}
        url = told.generator_url if told else ""
        start = self.firing.at if self.firing else self.resolved_end
        end = None if self.fires else self.resolved_end
        if end is not None:
            start = min(start, end)
        return Alert(self.fingerprint, self.labels, annotations, self.fires, start, end, url)


def observe(state: AlertState | None, seen: Observation, stamp: Instant) -> AlertState:
    """Join an observation to what is known.

    Args:
        state: what is known so far, or None.
        seen: the observation; its ``start`` and ``end`` are clamped to the stamp (a sender's clock may run ahead).
        stamp: when ``receive`` took the body, in nanoseconds.
    """
    clock = seen.seen  # one clock a source, ahead or behind: only starts and ends are compared with ours
    if seen.firing:
        start = min(seen.start if seen.start is not None else clock, stamp)
        telling = Telling(clock, start, dict(seen.annotations), seen.generator_url)
        new = AlertState(
            seen.labels, seen.source, firing_start=start, firing_seen=clock, stamp=stamp, firing=telling,
            quarantined=seen.quarantined,
        )  # fmt: skip
    else:
        end = min(seen.end if seen.end is not None else clock, stamp)
        telling = Telling(clock, end, dict(seen.annotations), seen.generator_url)
        new = AlertState(
            seen.labels, seen.source, resolved_end=end, resolved_seen=clock, stamp=stamp, resolved=telling,
            quarantined=seen.quarantined,
        )  # fmt: skip
    return join(state, new)


def join(one: AlertState | None, other: AlertState) -> AlertState:
    """Join two states of the same label set; commutative, associative, idempotent."""
    if one is None:
        return other
    return replace(
        one,
        source=max(one.source, other.source),
        firing_start=max(one.firing_start, other.firing_start),
        firing_seen=max(one.firing_seen, other.firing_seen),
        resolved_end=max(one.resolved_end, other.resolved_end),
        resolved_seen=max(one.resolved_seen, other.resolved_seen),
        stamp=max(one.stamp, other.stamp),
        firing=_later(one.firing, other.firing),
        resolved=_later(one.resolved, other.resolved),
        quarantined=one.quarantined or other.quarantined,
    )


def _later(one: Telling | None, other: Telling | None) -> Telling | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=Telling.order)


def to_json(state: AlertState) -> dict[str, Any]:
    """Write a state as the data of its row."""
    return {
        "schema": SCHEMA,
        "labels": dict(state.labels),
        "source": state.source,
        "max": [state.firing_start, state.firing_seen, state.resolved_end, state.resolved_seen, state.stamp],
        "firing": _telling_json(state.firing),
        "resolved": _telling_json(state.resolved),
        "quarantined": state.quarantined,
        **state.extra,
    }


_KNOWN = frozenset({"schema", "labels", "source", "max", "firing", "resolved", "quarantined"})


def from_json(row: Mapping[str, Any]) -> AlertState:
    """Read a state from its row; fields of a neighbouring release are carried along untouched (rule 16)."""
    firing_start, firing_seen, resolved_end, resolved_seen, stamp = row["max"]
    return AlertState(
        labels=row["labels"],
        source=row["source"],
        firing_start=firing_start,
        firing_seen=firing_seen,
        resolved_end=resolved_end,
        resolved_seen=resolved_seen,
        stamp=stamp,
        firing=_telling(row["firing"]),
        resolved=_telling(row["resolved"]),
        quarantined=bool(row.get("quarantined")),
        extra={key: value for key, value in row.items() if key not in _KNOWN},
    )


def _telling_json(telling: Telling | None) -> list[Any] | None:
    return None if telling is None else [telling.seen, telling.at, dict(telling.annotations), telling.generator_url]


def _telling(row: list[Any] | None) -> Telling | None:
    return None if row is None else Telling(row[0], row[1], row[2], row[3])
