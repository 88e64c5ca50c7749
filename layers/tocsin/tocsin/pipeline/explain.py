"""Why was I told, and why not: everything recorded of an alert, put in order (``tocsin explain``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tocsin import observation
from tocsin.config.plan import Plan, Route
from tocsin.grouping import group_id
from tocsin.model import Instant
from tocsin.muting import muted_by
from tocsin.observation import AlertState
from tocsin.pipeline import history
from tocsin.pipeline import rows as rows_of
from tocsin.pipeline.route import catch_all_route
from tocsin.pipeline.rows import ALERT_SHARDS, Member, alert_key, members_pk, read_lane
from tocsin.ports import Key, Row, Store
from tocsin.routing import explain_match, group_key, group_labels, match

MOST = 50  # alerts explained at once; a person who asks for more wants a narrower question


def alerts(store: Store, *, fingerprint: str = "", labels: Mapping[str, str] | None = None) -> Iterator[AlertState]:
    """Find alerts by their fingerprint, or by labels that all have to be equal."""
    if fingerprint:
        row = store.get([alert_key(fingerprint)]).get(alert_key(fingerprint))
        if row is not None:
            yield observation.from_json(row.data)
        return
    wanted = (labels or {}).items()
    for shard in ALERT_SHARDS:
        for row in store.scan(f"alerts#{shard}"):
            if all(row.data["labels"].get(name, "") == value for name, value in wanted):
                yield observation.from_json(row.data)


def explain(store: Store, plan: Plan, state: AlertState, now: Instant | None = None) -> dict[str, Any]:
    """Tell the story of one alert.

    Args:
        store: where it is recorded.
        plan: the plan in use; what was decided under older ones is in the records.
        state: the alert.
        now: names what mutes a route at this instant; without it that is left out.

    Returns:
        ``alert`` (what is known), ``incoming`` (the messages that changed it), ``tried`` (every node of the route tree
        that was asked, and its answer), ``groups`` (for each group: why it was told or not, each attempt, each lane).
    """
    routes = (catch_all_route(plan),) if state.quarantined else match(plan.route, state.labels)
    told = state.alert()
    messages = history.read_incoming(store, state.extra.get("messages", []))
    groups: dict[str, Mapping[str, Any]] = {}
    for record in messages.values():
        for decision in record["alerts"]:
            if decision["fingerprint"] == state.fingerprint:
                groups |= {route["group"]: route for route in decision["routes"] if route["group"]}
    for node in routes:
        key = group_key(node, group_labels(node, state.labels))
        group = group_id(node.id, key)
        groups.setdefault(group, {"group": group, "receiver": node.receiver, "line": node.line})
    return {
        "alert": {
            "fingerprint": state.fingerprint, "labels": dict(state.labels), "annotations": dict(told.annotations),
            "status": "firing" if state.fires else "resolved", "start": told.start, "end": told.end,
            "source": state.source, "heard": state.stamp, "quarantined": state.quarantined,
            "maxima": {
                "firing.start": state.firing_start, "firing.seen": state.firing_seen,
                "resolved.end": state.resolved_end, "resolved.seen": state.resolved_seen,
            },
        },
        "incoming": [{"message": name, **record} for name, record in sorted(messages.items(), key=_when)],
        "tried": [] if state.quarantined else [
            {"line": node.line, "depth": node.depth, "verdict": node.verdict, "receiver": node.route.receiver,
             "reason": node.reason}
            for node in explain_match(plan.route, state.labels)
        ],
        "groups": [
            {**_group(store, name, route, state.fingerprint), **_intent(plan, name, route, routes, state, now)}
            for name, route in groups.items()
        ],
    }  # fmt: skip


def _intent(
    plan: Plan, name: str, route: Mapping[str, Any], routes: Sequence[Route], state: AlertState, now: Instant | None
) -> dict[str, Any]:
    """Say what the plan in use means for a group: whom it would tell, and what keeps it quiet."""
    receiver = plan.receivers.get(route["receiver"])
    nodes = {group_id(node.id, group_key(node, group_labels(node, state.labels))): node for node in routes}
    muted = muted_by(nodes[name], plan.time_intervals, now) if name in nodes and now is not None else ""
    return {
        "integrations": [each.id for each in receiver.integrations] if receiver else [],
        "current": name in nodes, "muted": muted,
    }  # fmt: skip


def _when(entry: tuple[str, Mapping[str, Any]]) -> int:
    return int(entry[1]["at"])


def _group(store: Store, group: str, route: Mapping[str, Any], fingerprint: str) -> dict[str, Any]:
    records = [row.data for row in history.read_group(store, group)]
    flushes = [r for r in records if r["kind"] == "flush" and fingerprint in {*r["firing"], *r["resolved"]}]
    lanes = {lane["lane"] for record in flushes for lane in record["lanes"]}
    lanes |= {record["lane"] for record in records if record["kind"] != "flush"}
    key = Key(members_pk(group), fingerprint)
    rows = store.get([key, rows_of.group_key(group)])
    member, row = rows.get(key), rows.get(rows_of.group_key(group))
    return {
        "group": group, "receiver": route["receiver"], "line": route["line"],
        "group_key": flushes[-1]["group_key"] if flushes else "",
        "in_group": Member.read(member).alert.firing if member else None,
        "flushed": bool(row.data.get("flushed")) if row else None, "next_flush": row.due_at if row else None,
        "flushes": flushes,
        "attempts": [record for record in records if record["kind"] != "flush"],
        "lanes": [_lane(row) for row in _lanes(store, sorted(lanes))],
    }  # fmt: skip


def _lanes(store: Store, names: Sequence[str]) -> list[Row]:
    return list(store.get([Key(f"lane#{name}") for name in names]).values())


def _lane(row: Row) -> dict[str, Any]:
    lane = read_lane(row)
    return {
        "receiver": lane.receiver, "integration": lane.integration, "receipt": lane.receipt, "waits": lane.waits,
        "vendor_believes_open": lane.open, "reason": lane.owed.reason if lane.owed else "", "fallback": lane.fallback,
        "next": row.due_at, "ref": dict(lane.ref),
    }  # fmt: skip
