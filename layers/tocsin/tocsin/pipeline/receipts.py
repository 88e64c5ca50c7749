"""What an attempt means: names, records and events of outcomes, and whom a failure goes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin import lanes
from tocsin.config.plan import Integration, Plan, Receiver
from tocsin.lanes import Lane
from tocsin.model import SECOND, Instant
from tocsin.pipeline.wire import Wire
from tocsin.ports import Outcome, Retry, Sent, Throttled


@dataclass(frozen=True, slots=True)
class Claimed:
    """A lane we may make one request for."""

    lane: Lane
    wire: Wire
    integration: Integration
    uncertain: bool


def intent(plan: Plan, lane: Lane) -> tuple[Integration | None, Receiver]:
    """Find what the plan says of a lane: its integration (None if it is there no more) and its receiver."""
    receiver = plan.receivers.get(lane.receiver, Receiver(lane.receiver))
    found = [each for each in receiver.integrations if each.id == lane.integration and each.channel == lane.channel]
    return (found[0] if found else None), receiver


def silent(plan: Plan, receiver: str) -> bool:
    """Whether to tell this receiver is to tell nobody."""
    known = plan.receivers.get(receiver)
    return known is not None and not known.integrations


def successor_of(lane: Lane, receiver: Receiver, plan: Plan) -> str:
    """Say who is told when this lane cannot be: one step, never in a circle, never somebody without integrations."""
    if lane.primary:  # a stand-in's failure goes to the catch-all, unless that is what it is
        circle = {lane.receiver, lane.primary}
    elif receiver.fallback and not silent(plan, receiver.fallback):
        return receiver.fallback
    else:
        circle = {lane.receiver}
    return "" if plan.catch_all in circle or silent(plan, plan.catch_all) else plan.catch_all


def due_of(lane: Lane, receiver: Receiver) -> Instant | None:
    """When the lane must be looked at again: the next attempt, or the moment the fallback is to be told."""
    due = lanes.due(lane)
    if due is None or lane.unmet_since is None or not receiver.fallback or lane.fallback or lane.primary:
        return due
    return min(due, max(lane.unmet_since + receiver.fallback_after, lane.claimed_until))


def named(outcome: Outcome) -> str:
    """Name an outcome for the log, the history and the person."""
    if isinstance(outcome, Sent):
        return f"sent {outcome.status}".strip()
    if isinstance(outcome, Throttled):
        return f"throttled: {outcome.reason}, again in {outcome.wait // SECOND} s"
    return f"{'failed' if isinstance(outcome, Retry) else 'refused'}: {outcome.reason}"


def attempt_record(claimed: Claimed, outcome: Outcome, result: str, now: Instant) -> Mapping[str, Any]:
    """Make the history record of an attempt."""
    return {
        "lane": claimed.lane.id, "receiver": claimed.lane.receiver, "integration": claimed.lane.integration,
        "version": claimed.wire.version, "reason": claimed.wire.reason, "fires": claimed.wire.fires,
        "attempt": claimed.lane.attempts, "outcome": result, "status": outcome.status,
        "vendor_id": outcome.vendor_id if isinstance(outcome, Sent) else "",
        "took": now - (claimed.lane.claimed_until - lanes.LEASE), "delivery": claimed.wire.delivery_id,
    }  # fmt: skip


def event(lane: Lane, reason: str, result: str, vendor_id: str = "", *, fires: bool) -> Mapping[str, Any]:
    """Make the detail of an event for other teams."""
    return {
        "groupKey": lane.group_key, "receiver": lane.receiver, "integration": lane.integration, "reason": reason,
        "status": "firing" if fires else "resolved", "result": result, "vendorId": vendor_id,
    }  # fmt: skip
