"""Whom a group has to tell: its receiver's integrations, the fallbacks that stand in for them, the catch-all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.config.plan import Integration, Plan
from tocsin.grouping import lane_id
from tocsin.lanes import Lane
from tocsin.pipeline.rows import Group


@dataclass(frozen=True, slots=True)
class Target:
    """One lane of a group: the receiver, the integration, and why somebody else's receiver is told."""

    lane: str
    receiver: str
    integration: Integration
    note: str = ""
    primary: str = ""  # the receiver this one stands in for

    def lane_of(self, group: Group) -> Lane:
        """Make the lane as it is before anything was owed."""
        return Lane(
            id=self.lane, group=group.id, group_key=group.group_key, route_id=group.route_id, receiver=self.receiver,
            integration=self.integration.id, channel=self.integration.channel, primary=self.primary,
        )  # fmt: skip


def of_receiver(plan: Plan, group: Group, receiver: str, *, note: str = "", primary: str = "") -> list[Target]:
    """Give a receiver's lanes. What Tocsin does not speak to becomes the catch-all's, saying so."""
    known = plan.receivers.get(receiver)
    if known is None:
        note = f"receiver {receiver!r} is no longer in the configuration"
        return (
            [] if receiver == plan.catch_all else of_receiver(plan, group, plan.catch_all, note=note, primary=receiver)
        )
    targets = []
    for integration in known.integrations:
        if integration.channel:
            lane = lane_id(group.route_id, group.group_key, receiver, integration.id)
            targets.append(Target(lane, receiver, integration, note, primary))
        elif receiver != plan.catch_all:
            why = f"Tocsin does not speak {integration.kind}: receiver {receiver!r} was to be told by it"
            targets += of_receiver(plan, group, plan.catch_all, note=why, primary=receiver)
    return list({target.lane: target for target in targets}.values())


def with_fallbacks(plan: Plan, group: Group, own: Iterable[Target], known: Mapping[str, Lane]) -> list[Target]:
    """Add the lanes that stand in for some lane of the group: they hear what follows, above all the resolution."""
    targets = {target.lane: target for target in own}
    for lane in known.values():
        if lane.fallback and lane.id in targets:
            for target in of_receiver(plan, group, lane.fallback, primary=lane.receiver):
                targets.setdefault(target.lane, target)
    return list(targets.values())
