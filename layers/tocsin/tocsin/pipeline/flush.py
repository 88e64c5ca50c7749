"""Flush: read a group, mute, dedup, write the snapshot, commit what is owed (rules 6, 7, 10).

The commit holds only if the group's row is as it was read. What the flush missed waits for the next interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tocsin import dedup, lanes
from tocsin.config.plan import CATCH_ALL_ROUTE, Plan, Route
from tocsin.dedup import Reason
from tocsin.grouping import in_order, next_due
from tocsin.lanes import Lane, Owing
from tocsin.model import Alert, Instant, Json
from tocsin.muting import muted_by
from tocsin.pipeline import blobs, history, snapshots, targets
from tocsin.pipeline.messages import HINT_HORIZON, Hint
from tocsin.pipeline.route import catch_all_route
from tocsin.pipeline.rows import Group, Member, batches, group_key, lane_rows, members_pk, put_lane
from tocsin.pipeline.targets import Target
from tocsin.ports import ABSENT, DUE, Clock, Delete, Put, Queues, Row, Store, Telemetry, deliver_queue
from tocsin.routing import walk


@dataclass(frozen=True, slots=True)
class Reading:
    """A group as a flush found it."""

    row: Row
    group: Group
    route: Route
    due: Instant
    now: Instant
    members: Sequence[Member]
    gone: Sequence[Member]  # told as resolved by an earlier flush, not yet deleted

    @property
    def alerts(self) -> Sequence[Alert]:
        """What is told, in Alertmanager's order."""
        return in_order(member.alert for member in self.members)

    @property
    def over(self) -> Sequence[Member]:
        """What is told as resolved, by this flush or an earlier one, and may be deleted."""
        return [*(member for member in self.members if not member.alert.firing), *self.gone]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a flush decided for one lane."""

    target: Target
    lane: Lane
    version: int  # of the lane's row as it was read
    reason: Reason
    owing: Owing | None


class Flusher:
    """The stage; ``work`` flushes one group if it is due."""

    def __init__(self, *, store: Store, queues: Queues, clock: Clock, telemetry: Telemetry) -> None:
        """Take the ports."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry
        self._routes: tuple[int, Mapping[str, Route]] = (-1, {})

    def work(self, group: str, plan: Plan) -> bool:
        """Flush a group if it is due; whether it was.

        Raises:
            ConflictError: another worker flushed it meanwhile, or a lane kept changing; the hint comes again.
        """
        reading = self._read(group, plan)
        if reading is None:
            return False
        verdicts = self._judge(reading, plan)
        self._commit(reading, verdicts, plan)
        self._hint(reading, verdicts)
        self._tidy(reading)
        return True

    # -- read ----------------------------------------------------------------------------------------------------------

    def _read(self, name: str, plan: Plan) -> Reading | None:
        now = self._clock.now()
        row = self._store.get([group_key(name)]).get(group_key(name))
        if row is None or row.due_at is None or row.due_at > now:
            return None
        group = Group.read(row)
        members = [Member.read(found) for found in self._store.scan(members_pk(name))]
        gone = self._gone(group) if group.gone else set()
        left = [member for member in members if _mark(member) not in gone]
        told = [member for member in members if _mark(member) in gone]
        route = self._route(group, plan)
        staled = [_on_stale(member, now, plan) for member in left]
        return Reading(row, group, route, row.due_at, now, staled, told)

    def _gone(self, group: Group) -> set[tuple[str, int, int]]:
        """Read what the last flush told as resolved; after weeks of rest the list is no more, and nothing is gone."""
        try:
            return {(name, version, rev) for name, version, rev in blobs.get_json(self._store, group.gone)["gone"]}
        except blobs.LostError:
            return set()

    def _route(self, group: Group, plan: Plan) -> Route:
        if group.route_id == CATCH_ALL_ROUTE:
            return catch_all_route(plan)
        epoch, routes = self._routes
        if epoch != plan.epoch or not routes:
            routes = {node.id: node for node, _ in walk(plan.route)}
            self._routes = (plan.epoch, routes)
        known = routes.get(group.route_id)
        # A route that a newer config no longer has: its groups live on under the root's timers until they end.
        return known or replace(plan.route, id=group.route_id, receiver=group.receiver, routes=())

    # -- judge ---------------------------------------------------------------------------------------------------------

    def _judge(self, reading: Reading, plan: Plan) -> list[Verdict]:
        own = targets.of_receiver(plan, reading.group, reading.route.receiver)
        known = {name: lane for name, (lane, _) in lane_rows(self._store, [t.lane for t in own]).items()}
        everyone = targets.with_fallbacks(plan, reading.group, own, known)
        rows = lane_rows(self._store, [target.lane for target in everyone])
        muted = muted_by(reading.route, plan.time_intervals, reading.now)
        # A fallback that stood in and was told nothing owes nothing; dedup says so by itself.
        verdicts = []
        for target in everyone:
            lane, version = rows.get(target.lane, (target.lane_of(reading.group), ABSENT))
            lane = snapshots.near(self._store, lane)
            verdicts.append(_verdict(reading, target, lane, version, plan, muted=muted))
        return verdicts

    # -- write ---------------------------------------------------------------------------------------------------------

    def _commit(self, reading: Reading, verdicts: Sequence[Verdict], plan: Plan) -> None:
        now, group = reading.now, reading.group
        owing = [verdict for verdict in verdicts if verdict.owing]
        snapshot = ""
        if any(verdict.owing and not verdict.owing.silent for verdict in owing):
            taken = snapshots.to_json(reading.group, reading.route, reading.alerts, now)
            snapshot = blobs.put_json(self._store, "snapshot", taken, now)
        over: list[Json] = [list(_mark(member)) for member in reading.over]
        gone = blobs.put_json(self._store, "gone", {"at": now, "gone": over}, now) if over else ""
        after = replace(group, flushed=True, epoch=plan.epoch, gone=gone)
        puts = [self._owe(verdict, snapshot, reading, plan) for verdict in owing]
        size = max((verdict.owing.size for verdict in owing if verdict.owing), default=0)
        *before, rest = batches(puts, size, reserved=2)
        for batch in before:  # a hundred integrations: the first ones go before the group's row
            self._store.commit(batch)
        writes: list[Put | Delete] = [*rest]
        due = next_due(reading.due, reading.route.group_interval, now)
        writes.append(Put(reading.row.key, after.as_row(), expect=reading.row.version, due_at=due))
        if owing or not group.flushed:
            record = history.aside(self._store, _record(reading, verdicts, snapshot), now)
            writes.append(history.of_group(group.id, "flush", record, now))
        self._store.commit(writes)
        for verdict in verdicts:
            self._telemetry.count("flushes", reason=str(verdict.reason))

    def _owe(self, verdict: Verdict, snapshot: str, reading: Reading, plan: Plan) -> Put:
        assert verdict.owing is not None  # noqa: S101 (told to mypy: only those that owe come here)
        lane = replace(verdict.lane, epoch=plan.epoch, primary=verdict.target.primary)
        lane = lanes.owe(lane, replace(verdict.owing, snapshot=snapshot), reading.now)
        if not verdict.owing.fires:
            lane = replace(lane, fallback="")  # the incident is over; the next one tries its own receiver first
        return put_lane(lane, verdict.version, lanes.due(lane), reading.now)

    def _hint(self, reading: Reading, verdicts: Sequence[Verdict]) -> None:
        now = reading.now
        for verdict in verdicts:
            if verdict.owing and not verdict.owing.silent:
                channel = verdict.target.integration.channel
                hint = Hint("lane", verdict.lane.id, channel=channel)
                self._queues.send(deliver_queue(channel), [hint.message(now, now)])
            if verdict.reason not in {Reason.UNCHANGED, Reason.NOTHING_FIRING, Reason.STALE_TOLD}:
                self._telemetry.log(
                    "info", "flushed", group=reading.group.group_key, receiver=verdict.target.receiver,
                    integration=verdict.target.integration.id, reason=str(verdict.reason),
                    firing=sum(a.firing for a in reading.alerts), alerts=len(reading.alerts),
                )  # fmt: skip
        due = next_due(reading.due, reading.route.group_interval, now)
        if due - now <= HINT_HORIZON:
            self._queues.send(DUE, [Hint("group", reading.group.id).message(due, now)])

    def _tidy(self, reading: Reading) -> None:
        """Delete what was told as resolved, then the group if it is empty and nobody touched it meanwhile."""
        pk = members_pk(reading.group.id)
        key = type(reading.row.key)
        self._store.write([Delete(key(pk, member.fingerprint), expect=member.version) for member in reading.over])
        if all(not member.alert.firing for member in reading.members):
            group = Delete(reading.row.key, expect=reading.row.version + 1, expect_touched=reading.row.touched)
            self._store.write([group])


def _mark(member: Member) -> tuple[str, int, int]:
    """Name a member as it was read. Its row's version alone begins anew when the row was deleted in between."""
    return member.fingerprint, member.version, member.rev


def _on_stale(member: Member, now: Instant, plan: Plan) -> Member:
    """Resolve a silent alert where the config asks for it; a quarantined body ends this way too (rule 3)."""
    resolves = member.quarantined or plan.on_stale == "resolve"
    if not (member.alert.firing and resolves and _stale(member, now, plan)):
        return member
    return replace(member, alert=replace(member.alert, firing=False, end=member.stamp + plan.stale_after))


def _stale(member: Member, now: Instant, plan: Plan) -> bool:
    return now - member.stamp > plan.stale_after


def _verdict(reading: Reading, target: Target, lane: Lane, version: int, plan: Plan, *, muted: str) -> Verdict:
    """Decide for one lane; pure."""
    firing = frozenset(m.fingerprint for m in reading.members if m.alert.firing)
    resolved = frozenset(m.fingerprint for m in reading.members if not m.alert.firing)
    stale = bool(firing) and all(_stale(m, reading.now, plan) for m in reading.members if m.alert.firing)
    integration = target.integration
    last = lane.last_owed()
    if target.primary and last is None and not firing:
        return Verdict(target, lane, version, Reason.NOTHING_FIRING, None)
    reason = dedup.decide(
        last, firing, resolved, due=reading.due, repeat_interval=reading.route.repeat_interval,
        send_resolved=integration.send_resolved, stale=stale,
    )  # fmt: skip
    silent = not firing and not integration.send_resolved
    if muted and reason is Reason.ALL_RESOLVED and not integration.resolve_when_muted:
        silent = True  # nobody hears it (Alertmanager's way), but what fires next is a first notification again
    elif muted and reason is not Reason.ALL_RESOLVED:
        reason = Reason.MUTED
    if not reason.sends:
        return Verdict(target, lane, version, reason, None)
    note = target.note
    if reason is Reason.STALE:
        note = f"{note}; no word from the source since it was last heard of".lstrip("; ")
    owing = Owing(0, "", firing, resolved, str(reason), reading.due, note, silent=silent, stale=stale)
    return Verdict(target, lane, version, reason, owing)


def _record(reading: Reading, verdicts: Sequence[Verdict], snapshot: str) -> dict[str, Any]:
    return {
        "group_key": reading.group.group_key, "route": reading.route.id, "line": reading.route.line,
        "due": reading.due, "snapshot": snapshot,
        "firing": sorted(m.fingerprint for m in reading.members if m.alert.firing),
        "resolved": sorted(m.fingerprint for m in reading.members if not m.alert.firing),
        "lanes": [
            {
                "lane": v.target.lane, "receiver": v.target.receiver, "integration": v.target.integration.id,
                "line": v.target.integration.line, "reason": str(v.reason),
                "version": (v.lane.owed.version if v.lane.owed else 0) + 1 if v.owing else None,
                "supersedes": v.lane.owed.version if v.owing and v.lane.waits and v.lane.owed else None,
                "silent": v.owing.silent if v.owing else False,
            }
            for v in verdicts
        ],
    }  # fmt: skip
