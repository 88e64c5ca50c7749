"""Snapshots on disk: what a flush decided to tell, as JSON (state.md, rule 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tocsin.config.plan import Route
from tocsin.lanes import Lane
from tocsin.model import Alert, Instant, Json, Snapshot
from tocsin.pipeline import blobs
from tocsin.pipeline.rows import Group
from tocsin.ports import Store

SCHEMA = 1
FORGOTTEN = "0" * 16  # stands for the fingerprints that nobody knows any more


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


def near(store: Store, lane: Lane) -> Lane:
    """Give a lane that knows what it owed last, however many alerts that were.

    When the snapshot is no more, nobody knows: whatever fires counts as new then, and an end as an end.
    """
    owed = lane.owed
    if owed is None or not owed.far:
        return lane
    try:
        alerts = blobs.get_json(store, owed.snapshot)["alerts"] if owed.snapshot else []
    except blobs.LostError:
        alerts = [[FORGOTTEN, owed.fires]]
    firing = frozenset(alert[0] for alert in alerts if alert[1])
    return replace(lane, owed=replace(owed, firing=firing, resolved=frozenset(a[0] for a in alerts) - firing, far=""))


def from_json(row: Mapping[str, Any], *, firing_only: bool) -> Snapshot:
    """Read a snapshot; ``firing_only`` leaves out what resolved, for an integration that does not want to hear it."""
    alerts = tuple(
        Alert(name, labels, annotations, firing, start, end, url)
        for name, firing, labels, annotations, start, end, url in row["alerts"]
        if firing or not firing_only
    )
    return Snapshot(row["group_key"], row["route_id"], row["labels"], alerts, row["taken"], row["route_labels"])
