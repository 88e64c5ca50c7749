"""Deliver: claim the lane, send, record, retry, fall back (rules 9 to 11).

The row of the lane is changed by judging it as it stands (``lanes``) and writing over the version that was read. No
claim on disk, no request sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tocsin import lanes
from tocsin.config.plan import Integration, Plan, Receiver
from tocsin.errors import ConflictError, SecretError, StoreError
from tocsin.lanes import Close, Lane, Send, Wait
from tocsin.model import SECOND, Instant
from tocsin.pipeline import history, settings, targets, wire
from tocsin.pipeline.messages import HINT_HORIZON, Hint
from tocsin.pipeline.receipts import Claimed, attempt_record, due_of, event, intent, named, successor_of
from tocsin.pipeline.rows import Group, lane_key, put_lane, read_lane
from tocsin.ports import (
    ABSENT,
    Announcer,
    Attempt,
    Channel,
    Clock,
    Outcome,
    Permanent,
    Put,
    Queues,
    Retry,
    Secrets,
    Sent,
    Store,
    Telemetry,
    Throttled,
    deliver_queue,
)

TRIES = 8  # how often a lane's row is read again because somebody else wrote it
DRY_RUN = "dry-run"


class Deliverer:
    """The stage; ``work`` follows one hint."""

    def __init__(
        self,
        *,
        store: Store,
        queues: Queues,
        secrets: Secrets,
        clock: Clock,
        telemetry: Telemetry,
        announcer: Announcer,
        channel: Callable[[str], Channel],
        worker: str,
        dry_run: bool = False,
    ) -> None:
        """Take the ports; ``channel`` makes a channel by name, ``worker`` names this process."""
        self._store, self._queues, self._secrets, self._clock = store, queues, secrets, clock
        self._telemetry, self._announcer, self._channel = telemetry, announcer, channel
        self._worker, self._dry_run = worker, dry_run
        self._claims = itertools.count(1)

    def work(self, lane_id: str, plan: Plan) -> str:
        """Do what the lane needs now, at most one request; give a named result for the log."""
        for _ in range(TRIES):
            row = self._store.get([lane_key(lane_id)]).get(lane_key(lane_id))
            if row is None:
                return "no such lane"
            lane = read_lane(row)
            integration, receiver = intent(plan, lane)
            if integration is None:
                return self._orphaned(lane, row.version, plan)
            channel = self._channel(integration.channel)
            if self._fell_late(lane, row.version, receiver, plan):
                continue
            action = lanes.next_action(
                lane, self._clock.now(), merges_by_key=channel.merges_by_key,
                tells_late_resolution=channel.tells_late_resolution,
            )  # fmt: skip
            if isinstance(action, Wait):
                return action.reason  # whoever has the lane hints what is left; the due index knows the rest
            if isinstance(action, Close):
                closed = lanes.closed(lane, action.receipt)
                if self._write(lane, closed, row.version, receiver, plan, closed.receipt):
                    return action.receipt
                continue
            claimed = self._claim(lane, row.version, action, integration, channel, plan)
            if claimed is not None:
                outcome = self._send(claimed, channel, plan)
                return self._finish(claimed, outcome, plan)
        raise ConflictError(f"lane {lane_id} was written by others {TRIES} times in a row")

    # -- before the request --------------------------------------------------------------------------------------------

    def _claim(
        self, lane: Lane, version: int, action: Send, integration: Integration, channel: Channel, plan: Plan
    ) -> Claimed | None:
        try:
            body = wire.stored_or_rendered(
                self._store, lane, action.version, integration, channel, plan, self._telemetry, self._clock.now()
            )
        except StoreError as error:
            self._telemetry.log("error", "the snapshot cannot be read", lane=lane.id, error=str(error))
            raise
        now = self._clock.now()
        holder = f"{self._worker}/{next(self._claims)}"  # of this claim alone: threads share a process
        taken = lanes.claim(lane, holder, action.version, now)
        put = put_lane(taken, version, taken.claimed_until, now)
        if not self._store.write([put], durable=True)[0]:
            return None
        return Claimed(taken, body, integration, action.uncertain)

    def _fell_late(self, lane: Lane, version: int, receiver: Receiver, plan: Plan) -> bool:
        """Tell the fallback once the lane has waited for ``fallback_after``; it keeps trying all the same."""
        now = self._clock.now()
        if lane.claimed_until > now or lane.fallback or not receiver.fallback or lane.primary:
            return False
        if not lanes.late(lane, now, receiver.fallback_after):
            return False
        waited = (now - (lane.unmet_since or now)) // SECOND
        why = f"could not be told for {waited} s: {lane.receipt or 'no answer yet'}"
        self._fall_over(lane, replace(lane, fallback=receiver.fallback), version, receiver.fallback, why, plan)
        return True

    # -- the request ---------------------------------------------------------------------------------------------------

    def _send(self, claimed: Claimed, channel: Channel, plan: Plan) -> Outcome:
        lane = claimed.lane
        if self._dry_run or plan.delivery == DRY_RUN:
            self._telemetry.log(
                "info", "would send", channel=channel.name, receiver=lane.receiver,
                body=claimed.wire.body.decode("utf-8", "replace"),
            )  # fmt: skip
            return Sent(status=DRY_RUN)
        if lane.claimed_until - self._clock.now() < lanes.REQUEST_BUDGET:
            return Retry("too little of the lease was left to begin the request")
        try:
            filled = settings.filled(claimed.integration.settings, self._secrets)
        except SecretError as error:
            return Retry(str(error))
        attempt = Attempt(
            wire=claimed.wire.body, settings=filled, ref=lane.ref, delivery_id=claimed.wire.delivery_id,
            uncertain=claimed.uncertain, firing=claimed.wire.fires, record=lambda ref: self._progress(lane, ref),
        )  # fmt: skip
        try:
            return channel.send(attempt)
        except Exception as error:  # noqa: BLE001 (the stage's edge: a channel's defect is counted, and tried again like a failure)
            self._telemetry.count("defects", stage="send", channel=channel.name)
            self._telemetry.log("error", "a channel failed", channel=channel.name, error=type(error).__name__)
            return Retry(f"the {channel.name} channel failed: {type(error).__name__}", maybe=True)

    def _progress(self, claimed: Lane, ref: Mapping[str, Any]) -> None:
        """Record progress within one body (one recipient of several) before the next step is taken."""
        self._change(claimed, lambda lane: (replace(lane, ref={**lane.ref, **ref}), lane.claimed_until))

    # -- after the request ---------------------------------------------------------------------------------------------

    def _finish(self, claimed: Claimed, outcome: Outcome, plan: Plan) -> str:
        now, version = self._clock.now(), claimed.wire.version
        receiver = intent(plan, claimed.lane)[1]
        result = named(outcome)
        self._telemetry.count("deliveries", channel=claimed.lane.channel, outcome=result.partition(":")[0])
        self._telemetry.log(
            "info" if isinstance(outcome, Sent) else "warning", "delivered" if isinstance(outcome, Sent) else "not yet",
            receiver=claimed.lane.receiver, integration=claimed.lane.integration, reason=claimed.wire.reason,
            outcome=result, version=version,
        )  # fmt: skip
        final = isinstance(outcome, Permanent) or (
            isinstance(outcome, Retry | Throttled) and lanes.late(claimed.lane, now, receiver.give_up_after)
        )
        if final:
            return self._give_up(claimed, outcome, receiver, plan)

        def judged(lane: Lane) -> tuple[Lane, Instant | None]:
            if isinstance(outcome, Sent):
                after = lanes.sent(
                    lane, version, fires=claimed.wire.fires, ref=outcome.ref, now=now, status=outcome.status
                )
            elif isinstance(outcome, Throttled):
                after = replace(lanes.throttled(lane, outcome.wait, now), receipt=result)
            else:
                maybe = isinstance(outcome, Retry) and outcome.maybe
                after = replace(lanes.failed(lane, now, maybe=maybe, fires=claimed.wire.fires), receipt=result)
            return after, due_of(after, receiver)

        after = self._change(claimed.lane, judged, attempt_record(claimed, outcome, result, now))
        if after is not None:
            self._after(after, receiver)
        if isinstance(outcome, Sent):
            self._announcer.announce("Notification Sent", event(claimed, result, outcome.vendor_id))
        return result

    def _give_up(self, claimed: Claimed, outcome: Outcome, receiver: Receiver, plan: Plan) -> str:
        """A final failure: somebody else is told, or the operators are (law 2)."""
        lane, why = claimed.lane, named(outcome)
        successor = successor_of(lane, receiver, plan)
        now = self._clock.now()
        self._store.write(
            [history.of_group(lane.group, "attempt", attempt_record(claimed, outcome, why, now), now, lane.id)]
        )
        for _ in range(TRIES):
            row = self._store.get([lane_key(lane.id)]).get(lane_key(lane.id))
            if row is None or read_lane(row).claimed_by != lane.claimed_by:
                return "the lease was lost"
            fresh = read_lane(row)
            after = lanes.given_up(
                fresh, claimed.wire.version, why, fires=claimed.wire.fires, fallback=successor, now=now
            )
            if successor:
                if not self._fall_over(fresh, after, row.version, successor, why, plan):
                    continue
            elif not self._write(fresh, after, row.version, receiver, plan, after.receipt):
                continue
            if not successor:
                self._alarm(claimed, why)
            self._after(after, receiver)
            return after.receipt
        raise ConflictError(f"lane {lane.id} was written by others {TRIES} times in a row")

    def _alarm(self, claimed: Claimed, why: str) -> None:
        lane = claimed.lane
        self._telemetry.count("given_up", channel=lane.channel)
        self._telemetry.log(
            "error", "given up: nobody is left to tell", receiver=lane.receiver, group=lane.group_key, reason=why
        )
        self._announcer.announce("Notification Given Up", event(claimed, why, ""))

    def _orphaned(self, lane: Lane, version: int, plan: Plan) -> str:
        """The configuration no longer has this integration: what it still owes goes to the catch-all."""
        if not lane.waits or lane.claimed_until > self._clock.now():
            return "nothing owed"
        why = f"{lane.integration} of receiver {lane.receiver!r} is no longer in the configuration"
        successor = plan.catch_all if lane.receiver != plan.catch_all else ""
        owed = lane.owed
        if owed is None:
            return "nothing owed"
        after = lanes.given_up(lane, owed.version, why, fires=owed.fires, fallback=successor, now=self._clock.now())
        if successor:
            self._fall_over(lane, after, version, successor, why, plan)
        else:
            self._write(lane, after, version, Receiver(lane.receiver), plan, after.receipt)
        return after.receipt

    # -- writing -------------------------------------------------------------------------------------------------------

    def _fall_over(self, lane: Lane, after: Lane, version: int, successor: str, why: str, plan: Plan) -> bool:
        """Owe the successor what this lane owed, in one commit with this lane's own change."""
        if lane.owed is None:
            return False
        now = self._clock.now()
        group = Group(lane.group, lane.group_key, lane.route_id, successor, {})
        note = f"{lane.receiver} ({lane.integration}) {why}. You are told instead."
        row_due = due_of(after, plan.receivers.get(lane.receiver, Receiver(lane.receiver)))
        writes: list[Put] = [put_lane(after, version, row_due, now)]
        told: list[Lane] = []
        successors = targets.of_receiver(plan, group, successor, primary=lane.receiver)
        if not successors:
            self._telemetry.count("given_up", channel=lane.channel)
            self._telemetry.log("error", "given up: the fallback has no integrations", receiver=successor, reason=why)
        for target in successors:
            row = self._store.get([lane_key(target.lane)]).get(lane_key(target.lane))
            other = read_lane(row) if row else target.lane_of(group)
            if other.owed and other.owed.snapshot == lane.owed.snapshot:
                continue  # it is told of this already, by another lane's failure
            owing = replace(lane.owed, note=note, silent=False, reason=str(lane.owed.reason))
            other = lanes.owe(replace(other, epoch=plan.epoch), owing, now)
            writes.append(put_lane(other, row.version if row else ABSENT, lanes.due(other), now))
            told.append(other)
        record = {"lane": lane.id, "receiver": lane.receiver, "to": successor, "why": why, "told": len(told)}
        try:
            self._store.commit([*writes, history.of_group(lane.group, "failover", record, now, lane.id)], durable=True)
        except ConflictError:
            return False
        self._telemetry.count("failovers", channel=lane.channel)
        self._telemetry.log("warning", "failed over", receiver=lane.receiver, to=successor, why=why)
        for other in told:
            self._hint(other, now)
        return True

    def _write(self, lane: Lane, after: Lane, version: int, receiver: Receiver, plan: Plan, receipt: str) -> bool:
        now = self._clock.now()
        record = {"lane": lane.id, "receiver": lane.receiver, "receipt": receipt, "epoch": plan.epoch}
        try:
            self._store.commit(
                [
                    put_lane(after, version, due_of(after, receiver), now),
                    history.of_group(lane.group, "receipt", record, now, lane.id),
                ]
            )
        except ConflictError:
            return False
        return True

    def _change(
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
                writes.append(history.of_group(claimed.group, "attempt", record, now, claimed.id))
            try:
                self._store.commit(writes)
            except ConflictError:
                continue
            return after
        raise ConflictError(f"lane {claimed.id} was written by others {TRIES} times in a row")

    def _after(self, lane: Lane, receiver: Receiver) -> None:
        """Hint what is left: a newer version that came while we sent, or the next attempt."""
        self._hint(lane, due_of(lane, receiver))

    def _hint(self, lane: Lane, due: Instant | None) -> None:
        now = self._clock.now()
        if due is not None and due - now <= HINT_HORIZON:
            hint = Hint("lane", lane.id, lane.owed.version if lane.owed else 0, lane.channel)
            self._queues.send(deliver_queue(lane.channel), [hint.message(due, now)])
