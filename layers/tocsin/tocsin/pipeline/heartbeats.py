"""Dead man's switches: what must be heard of, and what is told when it is not (``heartbeats:`` in tocsin.yml)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tocsin.config.plan import HeartbeatRule, Plan
from tocsin.errors import ConflictError
from tocsin.model import HOUR, Instant, Observation, Span
from tocsin.pipeline.intake import Read
from tocsin.pipeline.messages import Incoming, message_id
from tocsin.pipeline.rows import heartbeat_key
from tocsin.ports import ABSENT, INBOX, Clock, Message, Put, Queues, Store, Telemetry
from tocsin.sources.codec import observation_json

MISSING = "HeartbeatMissing"
AGAIN: Span = HOUR  # while it is missing it is said again, so that it never counts as stale
TRIES = 8


class Heartbeats:
    """The stage: beats come in with ordinary alerts, their absence with the clock."""

    def __init__(self, *, store: Store, queues: Queues, clock: Clock, telemetry: Telemetry) -> None:
        """Take the ports."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry

    def beat(self, reads: Sequence[Read], plan: Plan) -> None:
        """Note every heartbeat that these messages carry."""
        for rule in plan.heartbeats:
            heard = [
                min(seen.seen, read.incoming.stamp)
                for read in reads
                for seen in read.observations
                if seen.firing and not seen.quarantined and all(m.matches(seen.labels) for m in rule.matchers)
            ]
            if heard:
                self._heard(rule, max(heard))

    def _heard(self, rule: HeartbeatRule, beat: Instant) -> None:
        key = heartbeat_key(rule.name)
        for _ in range(TRIES):
            row = self._store.get([key]).get(key)
            if row and row.data["last"] >= beat:
                return
            if row and row.data["missing"]:
                # Said by our clock, and after what was said: the beat itself may have lain in the inbox meanwhile.
                at = max(self._clock.now(), row.data.get("said", 0) + 1)
                self._say(rule, firing=False, at=at, since=row.data["missing"])
            due = beat + rule.interval + rule.grace
            put = Put(key, {"last": beat, "missing": 0}, expect=row.version if row else ABSENT, due_at=due)
            if self._store.write([put])[0]:
                return
        raise ConflictError(f"heartbeat {rule.name} was written by others {TRIES} times in a row")

    def work(self, name: str, plan: Plan) -> bool:
        """Say that a heartbeat is missing if it is; whether it is."""
        rule = next((rule for rule in plan.heartbeats if rule.name == name), None)
        key, now = heartbeat_key(name), self._clock.now()
        row = self._store.get([key]).get(key)
        if row is None:
            return False
        if rule is None:  # the configuration no longer knows it
            self._store.write([Put(key, row.data, expect=row.version)])
            return False
        if row.due_at is None or row.due_at > now:
            return False
        since = row.data["missing"] or row.due_at
        # The row says so before and after the message: a beat in between knows that it has something to take back, and
        # to die in between says it twice, which is nothing new to anybody.
        missed = {**row.data, "missing": since, "said": now}
        if not self._store.write([Put(key, missed, expect=row.version, due_at=row.due_at)])[0]:
            return False  # it was heard of meanwhile
        self._say(rule, firing=True, at=now, since=since)
        self._store.write([Put(key, missed, expect=row.version + 1, due_at=now + AGAIN)])
        self._telemetry.count("heartbeats_missing", heartbeat=name)
        return True

    def ensure(self, plan: Plan, *, fresh_start: bool = False) -> None:
        """Begin to wait for every heartbeat of the plan; after an outage of our own, wait once more for each."""
        now = self._clock.now()
        rows = self._store.get([heartbeat_key(rule.name) for rule in plan.heartbeats])
        for rule in plan.heartbeats:
            row = rows.get(heartbeat_key(rule.name))
            due = now + rule.interval + rule.grace
            if row is None:
                first = {"last": 0, "missing": 0}
                self._store.write([Put(heartbeat_key(rule.name), first, expect=ABSENT, due_at=due)])
            elif not row.data["missing"] and (row.due_at is None or (fresh_start and row.due_at < due)):
                self._store.write([Put(row.key, row.data, expect=row.version, due_at=due)])

    def _say(self, rule: HeartbeatRule, *, firing: bool, at: Instant, since: Instant) -> None:
        body = json.dumps({"observations": [observation_json(missing(rule, firing=firing, at=at, since=since))]})
        raw = body.encode()
        self._queues.send(INBOX, [Message(Incoming(message_id("tocsin", at, raw), "tocsin", at, raw).encode())])


def missing(rule: HeartbeatRule, *, firing: bool, at: Instant, since: Instant) -> Observation:
    """Make the alert that a missing heartbeat is; its labels are the same when it returns."""
    labels: Mapping[str, str] = {
        "alertname": MISSING, "severity": "critical", "source": "tocsin", "heartbeat": rule.name, **rule.labels,
    }  # fmt: skip
    every = (rule.interval + rule.grace) // 1_000_000_000
    wanted = ", ".join(str(matcher) for matcher in rule.matchers)
    annotations = {
        "summary": f"Heartbeat {rule.name} has not been heard of for more than {every} s",
        "description": f"Nothing that matches {wanted} has come in. What sends it, or the way to us, is broken.",
    }
    return Observation("tocsin", labels, annotations, firing, seen=at, start=since, end=None if firing else at)
