"""A function that needs nothing but itself: ``sam local`` without an account (``TOCSIN_ENGINE=embedded``).

State is SQLite in memory, the plan is the example beside this file, nothing is sent. What comes in goes the whole way
in one invocation: the clock skips what everybody would only wait for, and the log shows the answer, the routes with
their reasons and the notifications that would go out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tocsin.bootstrap import App, Ports, compose
from tocsin.bootstrap.aws.records import received
from tocsin.bootstrap.configs import load_config
from tocsin.engines.local import LocalSecrets, Nobody
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.model import MINUTE, Instant, Span
from tocsin.pipeline.messages import Hint, decode_hint
from tocsin.pipeline.receive import Answer
from tocsin.pipeline.rows import lane_key, put_lane, read_lane
from tocsin.ports import ABSENT, DUE, INBOX, Key, Message, Telemetry, deliver_queue

EXAMPLE = Path(__file__).parent / "example"
PATIENCE: Span = 2 * MINUTE  # what is due later than this is a repetition, and the first time has been seen


class SkippingClock:
    """The machine's clock, which can be put forward, and back while nothing has happened yet."""

    def __init__(self) -> None:
        """Begin with the right time."""
        self._ahead: Span = 0

    def now(self) -> Instant:
        """See ``Clock``."""
        return time.time_ns() + self._ahead

    def skip_to(self, instant: Instant) -> None:
        """Let everything until then have passed."""
        self._ahead += max(0, instant - self.now())

    def start_at(self, instant: Instant) -> None:
        """Begin at another time: samples are as old as they are, and what is that old is stale."""
        self._ahead = instant - time.time_ns()


class Embedded:
    """All functions in one, for as long as the container lives."""

    def __init__(self, telemetry: Telemetry) -> None:
        """Take where to log to."""
        self._telemetry = telemetry
        self._begun = False
        self._clock = SkippingClock()
        self._store = SqliteStore(":memory:", self._clock)
        self._queues = SqliteQueues(self._store, self._clock)

    @cached_property
    def _app(self) -> App:
        example = load_config(str(EXAMPLE / "tocsin.yml"))
        ports = Ports(
            store=self._store,
            queues=self._queues,
            secrets=LocalSecrets(example.secrets),
            clock=self._clock,
            telemetry=self._telemetry,
            announcer=Nobody(),
        )
        return compose(ports, example.plan, worker="embedded", dry_run=True)

    def handle(self, source: str, path_token: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request, then work what it brought."""
        self._begun = True
        answer = self._app.receive.handle(source, path_token, headers, body)
        self._telemetry.log("info", "answered", source=source, status=answer.status, text=answer.text)
        self._settle()
        return answer

    def decide(self, event: Mapping[str, Any]) -> list[str]:
        """Work a batch of the inbox, of what is due, or a tick."""
        self._begin(event.get("Records", []))
        for record in event.get("Records", []):
            due = record["eventSourceARN"].endswith("-due")
            if due and not self._knows(record["body"]):
                self._take_sample()  # so that there is a group to flush
            self._queues.send(DUE if due else INBOX, [Message(record["body"])])
        if "Records" not in event:
            self._app.tick.run()
        self._settle()
        return []

    def deliver(self, record: Mapping[str, Any]) -> None:
        """Follow one hint; a lane that is not there yet is made from the sample."""
        self._begin([record])
        hint = decode_hint(record["body"])
        if hint is not None and not self._knows(record["body"]):
            self._seed(hint)
        self._app.worker.deliveries([received(record)])

    def _begin(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Set the clock to the first batch's own time."""
        if records and not self._begun:
            self._clock.start_at(max(received(record).sent_at for record in records))
        self._begun = True

    def _knows(self, body: str) -> bool:
        """Whether there is a row for what a hint names."""
        hint = decode_hint(body)
        key = Key(f"{hint.what}#{hint.id}") if hint is not None else Key("none")
        return key in self._store.get([key])

    def _take_sample(self) -> None:
        """Route the sample body."""
        self._queues.send(INBOX, [Message((EXAMPLE / "sample.json").read_text("utf-8"))])
        self._app.worker.inbox()

    def _seed(self, hint: Hint) -> None:
        """Owe the sample's notification on the lane that the hint names, as a flush would."""
        app, store, queues = self._app, self._store, self._queues
        self._take_sample()
        while (at := queues.next_visible(DUE)) is not None:
            self._clock.skip_to(at)
            app.worker.due()
        for waiting in queues.receive(deliver_queue(hint.channel)):
            sample = decode_hint(waiting.body)
            if sample is not None:
                lane = replace(read_lane(store.get([lane_key(sample.id)])[lane_key(sample.id)]), id=hint.id)
                store.write([put_lane(lane, ABSENT, None, self._clock.now())])
                return

    def _settle(self) -> None:
        """Work everything off, skipping what is only waited for."""
        self._app.worker.drain()
        end = self._clock.now() + PATIENCE
        while (at := self._next()) is not None and at <= end:
            self._clock.skip_to(at)
            self._app.worker.drain()

    def _next(self) -> Instant | None:
        """Say when the next hint can be seen."""
        queues = (DUE, *map(deliver_queue, self._app.worker.channels))
        return min((at for queue in queues if (at := self._queues.next_visible(queue)) is not None), default=None)
