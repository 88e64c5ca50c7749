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
from tocsin.model import Instant
from tocsin.pipeline import settings, wire
from tocsin.pipeline.blobs import LostError
from tocsin.pipeline.ledger import TRIES, Ledger, waited
from tocsin.pipeline.receipts import Claimed, attempt_record, due_of, event, intent, named, silent, successor_of
from tocsin.pipeline.rows import lane_key, put_lane, read_lane
from tocsin.ports import (
    Announcer,
    Attempt,
    Channel,
    Clock,
    Outcome,
    Permanent,
    Queues,
    Retry,
    Secrets,
    Sent,
    Store,
    Telemetry,
    Throttled,
)

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
        self._store, self._secrets, self._clock = store, secrets, clock
        self._telemetry, self._announcer, self._channel = telemetry, announcer, channel
        self._ledger = Ledger(store=store, queues=queues, clock=clock, telemetry=telemetry)
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
                if self._ledger.receipt(lane, lanes.closed(lane, action.receipt), row.version, receiver, plan):
                    return action.receipt
                continue
            claimed = self._claim(lane, row.version, action, integration, channel, plan)
            if isinstance(claimed, str):
                return claimed
            if claimed is not None:
                outcome = self._send(claimed, channel, plan)
                return self._finish(claimed, outcome, plan)
        raise ConflictError(f"lane {lane_id} was written by others {TRIES} times in a row")

    # -- before the request --------------------------------------------------------------------------------------------

    def _claim(
        self, lane: Lane, version: int, action: Send, integration: Integration, channel: Channel, plan: Plan
    ) -> Claimed | str | None:
        """Take the lane; None if somebody else wrote it, a receipt if there is nothing that could ever be sent."""
        try:
            body = wire.stored_or_rendered(
                self._store, lane, action.version, integration, channel, plan, self._telemetry, self._clock.now()
            )
        except StoreError as error:
            if isinstance(error, LostError):
                return self._unsendable(lane, version, action, str(error), plan)
            self._telemetry.log("error", "the snapshot cannot be read", lane=lane.id, error=str(error))
            raise
        except Exception as error:  # noqa: BLE001 (the stage's edge: what cannot be rendered is counted, and told otherwise)
            self._telemetry.count("defects", stage="render", channel=channel.name)
            self._telemetry.log("error", "a body could not be rendered", lane=lane.id, error=repr(error))
            why = f"the {channel.name} body could not be rendered: {type(error).__name__}"
            return self._unsendable(lane, version, action, why, plan)
        now = self._clock.now()
        holder = f"{self._worker}/{next(self._claims)}"  # of this claim alone: threads share a process
        taken = lanes.claim(lane, holder, action.version, now)
        put = put_lane(taken, version, taken.claimed_until, now)
        if not self._store.write([put], durable=True)[0]:
            return None
        return Claimed(taken, body, integration, action.uncertain)

    def _unsendable(self, lane: Lane, version: int, action: Send, why: str, plan: Plan) -> str | None:
        """What nobody can render or read any more ends all the same: told by somebody else, or with an alarm."""
        receiver = intent(plan, lane)[1]
        if lane.owed is None or action.version < lane.owed.version:
            self._ledger.receipt(lane, lanes.unsettled(lane, why), version, receiver, plan)
            return None  # the newer version is next
        return self._end(lane, version, why, successor_of(lane, receiver, plan), plan)

    def _end(self, lane: Lane, version: int, why: str, successor: str, plan: Plan) -> str | None:
        """End what a lane owes without a request; None if somebody else wrote the lane."""
        assert lane.owed is not None  # noqa: S101 (told to mypy: only what is owed comes here)
        now, owed = self._clock.now(), lane.owed
        after = lanes.given_up(lane, owed.version, why, fires=owed.fires, fallback=successor, now=now)
        if successor:
            written = self._ledger.fall_over(lane, after, version, successor, why, plan)
        else:
            written = self._ledger.receipt(lane, after, version, intent(plan, lane)[1], plan)
            if written:
                self._alarm(lane, why, str(owed.reason), fires=owed.fires)
        return after.receipt if written else None

    def _fell_late(self, lane: Lane, version: int, receiver: Receiver, plan: Plan) -> bool:
        """Tell the fallback once the lane has waited for ``fallback_after``; it keeps trying all the same."""
        now = self._clock.now()
        if lane.claimed_until > now or lane.fallback or not receiver.fallback or lane.primary:
            return False
        if silent(plan, receiver.fallback) or not lanes.late(lane, now, receiver.fallback_after):
            return False
        after = replace(lane, fallback=receiver.fallback)
        self._ledger.fall_over(lane, after, version, receiver.fallback, waited(lane, now), plan)
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
        self._ledger.change(claimed, lambda lane: (replace(lane, ref={**lane.ref, **ref}), lane.claimed_until))

    # -- after the request ---------------------------------------------------------------------------------------------

    def _finish(self, claimed: Claimed, outcome: Outcome, plan: Plan) -> str:
        now, version = self._clock.now(), claimed.wire.version
        receiver = intent(plan, claimed.lane)[1]
        result = named(outcome)
        self._telemetry.count("deliveries", channel=claimed.lane.channel, outcome=result.split()[0].rstrip(":"))
        self._telemetry.log(
            "info" if isinstance(outcome, Sent) else "warning", "delivered" if isinstance(outcome, Sent) else "not yet",
            receiver=claimed.lane.receiver, integration=claimed.lane.integration, reason=claimed.wire.reason,
            outcome=result, version=version,
        )  # fmt: skip
        newest = claimed.lane.owed is None or claimed.lane.owed.version == version
        late = not isinstance(outcome, Sent) and lanes.late(claimed.lane, now, receiver.give_up_after)
        if late or (isinstance(outcome, Permanent) and newest):
            return self._give_up(claimed, outcome, receiver, plan)

        def judged(lane: Lane) -> tuple[Lane, Instant | None]:
            if isinstance(outcome, Sent):
                after = lanes.sent(
                    lane, version, fires=claimed.wire.fires, ref=outcome.ref, now=now, status=outcome.status
                )
            elif isinstance(outcome, Permanent):
                after = lanes.unsettled(lane, result)
            elif isinstance(outcome, Throttled):
                after = replace(lanes.throttled(lane, outcome.wait, now), receipt=result)
            else:
                maybe = isinstance(outcome, Retry) and outcome.maybe
                after = replace(lanes.failed(lane, now, maybe=maybe, fires=claimed.wire.fires), receipt=result)
            return after, due_of(after, receiver)

        after = self._ledger.change(claimed.lane, judged, attempt_record(claimed, outcome, result, now))
        if after is not None:
            self._ledger.hint(after, due_of(after, receiver))
        if isinstance(outcome, Sent):
            detail = event(claimed.lane, claimed.wire.reason, result, outcome.vendor_id, fires=claimed.wire.fires)
            self._announcer.announce("Notification Sent", detail)
        return result

    def _give_up(self, claimed: Claimed, outcome: Outcome, receiver: Receiver, plan: Plan) -> str:
        """A final failure: somebody else is told, or the operators are (law 2)."""
        lane, why = claimed.lane, named(outcome)
        successor = successor_of(lane, receiver, plan)
        version = max(claimed.wire.version, lane.owed.version if lane.owed else 0)
        now = self._clock.now()
        self._store.write([self._ledger.attempt(lane, attempt_record(claimed, outcome, why, now), now)])
        for _ in range(TRIES):
            row = self._store.get([lane_key(lane.id)]).get(lane_key(lane.id))
            if row is None or read_lane(row).claimed_by != lane.claimed_by:
                return "the lease was lost"
            fresh = read_lane(row)
            fires = fresh.owed.fires if fresh.owed else claimed.wire.fires
            after = lanes.given_up(fresh, version, why, fires=fires, fallback=successor, now=now)
            if successor:
                written = self._ledger.fall_over(fresh, after, row.version, successor, why, plan)
            else:
                written = self._ledger.receipt(fresh, after, row.version, receiver, plan)
            if not written:
                continue
            if not successor:
                self._alarm(lane, why, claimed.wire.reason, fires=claimed.wire.fires)
            self._ledger.hint(after, due_of(after, receiver))
            return after.receipt
        raise ConflictError(f"lane {lane.id} was written by others {TRIES} times in a row")

    def _alarm(self, lane: Lane, why: str, reason: str, *, fires: bool) -> None:
        self._telemetry.count("given_up", channel=lane.channel)
        self._telemetry.log(
            "error", "given up: nobody is left to tell", receiver=lane.receiver, group=lane.group_key, reason=why
        )
        self._announcer.announce("Notification Given Up", event(lane, reason, why, fires=fires))

    def _orphaned(self, lane: Lane, version: int, plan: Plan) -> str:
        """The configuration no longer has this integration: what it still owes goes to the catch-all."""
        if not lane.waits or lane.claimed_until > self._clock.now():
            return "nothing owed"
        why = f"{lane.integration} of receiver {lane.receiver!r} is no longer in the configuration"
        successor = plan.catch_all if lane.receiver != plan.catch_all and not silent(plan, plan.catch_all) else ""
        return self._end(lane, version, why, successor, plan) or "written by somebody else; the due index knows"
