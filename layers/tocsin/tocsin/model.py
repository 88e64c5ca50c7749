"""The nouns every floor shares: instants, labels, alerts, observations, snapshots.

Instants and spans are integers of nanoseconds, as in Go's ``time``: Alertmanager prints nanoseconds, integers
compare exactly, and both engines store them without loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Instant: TypeAlias = int  # nanoseconds since 1970-01-01T00:00:00Z
Span: TypeAlias = int  # nanoseconds
Labels: TypeAlias = Mapping[str, str]
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

SECOND: Span = 1_000_000_000
MINUTE: Span = 60 * SECOND
HOUR: Span = 60 * MINUTE
DAY: Span = 24 * HOUR

# FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/
_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_FNV_MASK = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Labels) -> str:
    """Name a label set as Alertmanager does: FNV-1a over the sorted ``name 0xff value 0xff``, 16 hex digits.

    Source: prometheus/common ``model/signature.go`` (``labelSetToFingerprint``).
    """
    digest = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            digest = ((digest ^ byte) * _FNV_PRIME) & _FNV_MASK
    return f"{digest:016x}"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one source said of one alert at one moment; never "the state" of the alert (state.md, rule 1).

    ``start`` and ``end`` are the alert's own times where the sender knows them, clamped to the stamp by
    ``observation.observe``. ``seen`` is the source's one clock for firing and resolved alike: the event's own time
    where every event carries one, else the stamp of ``receive``.
    """

    source: str
    labels: Labels
    annotations: Labels
    firing: bool
    seen: Instant
    start: Instant | None = None
    end: Instant | None = None
    generator_url: str = ""
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as somebody is told of it. ``end`` is None while it fires."""

    fingerprint: str
    labels: Labels
    annotations: Labels
    firing: bool
    start: Instant
    end: Instant | None = None
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a flush decided to tell, immutable from then on; delivery reads this and nothing else (rule 6).

    ``alerts`` stand in the order they are told: by job, instance, then all labels
    (Alertmanager ``types.AlertSlice.Less``).
    """

    group_key: str
    route_id: str
    group_labels: Labels
    alerts: tuple[Alert, ...]
    taken: Instant
    route_labels: Labels = field(default_factory=dict)
