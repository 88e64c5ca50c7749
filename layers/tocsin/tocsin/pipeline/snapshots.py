"""Snapshots on disk: what a flush decided to tell, as JSON (state.md, rule 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.config.plan import Route
from tocsin.model import Alert, Instant, Json, Snapshot
from tocsin.pipeline.rows import Group

SCHEMA = 1


def to_json(group: Group, route: Route, alerts: Sequence[Alert], taken: Instant) -> Json:
    """Write a snapshot."""
    return {
        "schema": SCHEMA,
        "group_key": group.group_key,
        "route_id": group.route_id,
        "labels": dict(group.labels),
        "route_labels": dict(route.labels),
        "taken": taken,
        "alerts": [
            [a.fingerprint, a.firing, dict(a.labels), dict(a.annotations), a.start, a.end, a.generator_url]
            for a in alerts
        ],
    }


def from_json(row: Mapping[str, Any], *, firing_only: bool) -> Snapshot:
    """Read a snapshot; ``firing_only`` leaves out what resolved, for an integration that does not want to hear it."""
    alerts = tuple(
        Alert(name, labels, annotations, firing, start, end, url)
        for name, firing, labels, annotations, start, end, url in row["alerts"]
        if firing or not firing_only
    )
    return Snapshot(row["group_key"], row["route_id"], row["labels"], alerts, row["taken"], row["route_labels"])
