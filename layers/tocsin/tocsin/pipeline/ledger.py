"""Where lanes are written: receipts, fail-overs and outcomes, each over the version that was read (rules 9 and 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tocsin import lanes
from tocsin.config.plan import Plan, Receiver
from tocsin.errors import ConflictError
from tocsin.lanes import Lane
from tocsin.model import SECOND, Instant, Json
from tocsin.pipeline import history, targets
from tocsin.pipeline.messages import HINT_HORIZON, Hint
from tocsin.pipeline.receipts import due_of
from tocsin.pipeline.rows import Group, batches, lane_key, put_lane, read_lane
from tocsin.pipeline.targets import Target
from tocsin.ports import ABSENT, Clock, Put, Queues, Store, Telemetry, deliver_queue

TRIES = 8  # how often a lane's row is read again because somebody else wrote it


class Ledger:
    """Writes lanes; whoever judges them is ``deliver``."""

    def __init__(self, *, store: Store, queues: Queues, clock: Clock, telemetry: Telemetry) -> None:
        """Take the ports."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry

    def receipt(self, lane: Lane, after: Lane, row_version: int, receiver: Receiver, plan: Plan) -> bool:
        """Write a lane whose versions up to ``after.done`` end without a request; whether its row was as read."""
        now = self._clock.now()
        record = {
            "lane": lane.id, "receiver": lane.receiver, "integration": lane.integration, "receipt": after.receipt,
            "version": after.done, "epoch": plan.epoch,
        }  # fmt: skip
        put = put_lane(after, row_version, due_of(after, receiver), now)
        kept = history.of_group(lane.group, "receipt", record, now, f"{lane.id}#{after.done}")
        try:
            self._store.commit([put, kept], durable=True)
        except ConflictError:
            return False
        return True

    def change(
        self,
        claimed: Lane,
        judged: Callable[[Lane], tuple[Lane, Instant | None]],
        record: Mapping[str, Any] | None = None,
    ) -> Lane | None:
        """Change the lane we hold, as it stands now; None if the lease was lost to somebody else."""
        for _ in range(TRIES):
            row = self._store.get([lane_key(claimed.id)]).get(lane_key(claimed.id))
            if row is None or read_lane(row).claimed_by != claimed.claimed_by:
                self._telemetry.log("error", "the lease was lost before the outcome was recorded", lane=claimed.id)
                return None
            after, due = judged(read_lane(row))
            now = self._clock.now()
            writes = [put_lane(after, row.version, due, now)]
            if record is not None:
                writes.append(self.attempt(claimed, record, now))
            try:
                self._store.commit(writes)
            except ConflictError:
                continue
            return after
        raise ConflictError(f"lane {claimed.id} was written by others {TRIES} times in a row")

    def attempt(self, claimed: Lane, record: Mapping[str, Any], now: Instant) -> Put:
        """Make the history record of an attempt."""
        return history.of_group(claimed.group, "attempt", record, now, f"{claimed.id}#{record['version']}")

    def fall_over(self, lane: Lane, after: Lane, row_version: int, successor: str, why: str, plan: Plan) -> bool:
        """Owe the successor what this lane owed, in one commit with this lane's own change.

        A successor of more integrations than one commit holds is told before it, which to repeat changes nothing.
        """
        if lane.owed is None:
            return False
        now = self._clock.now()
        group = Group(lane.group, lane.group_key, lane.route_id, successor, {})
        successors = targets.of_receiver(plan, group, successor, primary=lane.receiver)
        told, superseded = self._told(lane, after, group, successors, why, plan)
        record = {
            "lane": lane.id, "receiver": lane.receiver, "integration": lane.integration, "to": successor, "why": why,
            "told": len(told), "version": after.done, "superseded": superseded,
        }  # fmt: skip
        due = due_of(after, plan.receivers.get(lane.receiver, Receiver(lane.receiver)))
        last = [
            put_lane(after, row_version, due, now),
            history.of_group(lane.group, "failover", record, now, f"{lane.id}#{after.done}"),
        ]
        *before, rest = batches([put for _, put in told], lane.owed.size, reserved=len(last))
        try:
            for batch in before:
                self._store.commit(batch, durable=True)
            self._store.commit([*rest, *last], durable=True)
        except ConflictError:
            return False
        self._telemetry.count("failovers", channel=lane.channel)
        self._telemetry.log("warning", "failed over", receiver=lane.receiver, to=successor, why=why)
        for other, _ in told:
            self.hint(other, now)
        return True

    def _told(
        self, lane: Lane, after: Lane, group: Group, successors: Sequence[Target], why: str, plan: Plan
    ) -> tuple[list[tuple[Lane, Put]], list[Json]]:
        """Make the successors' lanes; those that know already are left alone."""
        assert lane.owed is not None  # noqa: S101 (told to mypy: the caller has looked)
        now = self._clock.now()
        note = f"{lane.receiver} ({lane.integration}) {why}. You are told instead."
        told: list[tuple[Lane, Put]] = []
        superseded: list[Json] = []
        rows = self._store.get([lane_key(target.lane) for target in successors])
        for target in successors:
            row = rows.get(lane_key(target.lane))
            other = read_lane(row) if row else target.lane_of(group)
            if other.owed and other.owed.snapshot == lane.owed.snapshot:
                continue  # it is told of this already, by another lane's failure
            if other.owed and after.fallback == lane.fallback == group.receiver and other.owed.at >= lane.owed.at:
                continue  # it stands in for us since long, and flushes told it newer things than we know
            if other.waits and other.owed:
                superseded.append([other.id, other.owed.version])
            owing = replace(lane.owed, note=note, silent=False, reason=str(lane.owed.reason))
            other = lanes.owe(replace(other, epoch=plan.epoch), owing, now)
            told.append((other, put_lane(other, row.version if row else ABSENT, lanes.due(other), now)))
        return told, superseded

    def hint(self, lane: Lane, due: Instant | None) -> None:
        """Hint what a lane waits for, if that is soon; the due index knows the rest."""
        now = self._clock.now()
        if due is not None and due - now <= HINT_HORIZON:
            hint = Hint("lane", lane.id, lane.owed.version if lane.owed else 0, lane.channel)
            self._queues.send(deliver_queue(lane.channel), [hint.message(due, now)])


def waited(lane: Lane, now: Instant) -> str:
    """Say for how long a lane could not be told, and what it met last."""
    span = (now - (lane.unmet_since or now)) // SECOND
    return f"could not be told for {span} s: {lane.receipt or 'no answer yet'}"
