"""From messages of the inbox to observations: decode, guard against poison, parse, quarantine (rules 13 and 14)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.errors import StoreError, UnintelligibleError
from tocsin.model import Observation
from tocsin.pipeline import blobs, limits
from tocsin.pipeline.messages import Incoming, decode
from tocsin.pipeline.rows import KEPT
from tocsin.ports import ABSENT, INBOX, Clock, Delete, Key, Put, Queues, Received, Source, Store, Telemetry
from tocsin.sources.lenient import quarantine

QUARANTINED = "TocsinQuarantined"
SUSPECT = 3  # the sighting from which on a message is worked alone
CONDEMNED = 4  # the sighting at which its body is quarantined without being parsed
EXCERPT = 1500  # characters of the raw body that stand in the alert; the whole body is kept beside it


@dataclass(frozen=True, slots=True)
class Read:
    """A message and what it says."""

    received: Received
    incoming: Incoming
    observations: Sequence[Observation]
    problem: str = ""  # why it was quarantined


class Intake:
    """Reads messages; whatever is wrong with one, the others are read."""

    def __init__(
        self, *, store: Store, queues: Queues, clock: Clock, telemetry: Telemetry, source: Callable[[str], Source]
    ) -> None:
        """Take the ports; ``source`` makes a parser by name (``sources.source``)."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry
        self._source = source
        self._survived: set[str] = set()

    def sort(self, received: Sequence[Received]) -> tuple[list[Received], list[Received]]:
        """Tell apart what may be worked together and what has been seen too often for that."""
        ordinary = [r for r in received if r.count < SUSPECT]
        return ordinary, [r for r in received if r.count >= SUSPECT]

    def sighting(self, received: Received) -> int:
        """Count, before the work, how often a suspect's own work was begun; others are not charged for its deeds.

        The queue's count includes crashes that a neighbour in the batch caused, so from the third sighting on we keep
        our own, durably, and it alone condemns.
        """
        key = _sighting(received)
        if received.id in self._survived:  # and the store could not be told so
            self._survived.discard(received.id)
            self._store.write([Delete(key)])
        row = self._store.get([key]).get(key)
        own = (row.data["count"] if row else SUSPECT - 1) + 1
        put = Put(key, {"count": own}, expect=row.version if row else ABSENT, expires_at=self._clock.now() + KEPT)
        self._store.write([put], durable=True)
        return int(own)

    def survived(self, received: Received) -> None:
        """Take a sighting back: the work failed for want of the store, the body did the process no harm."""
        if received.count < SUSPECT:
            return
        self._survived.add(received.id)
        with contextlib.suppress(StoreError):
            self._store.write([Delete(_sighting(received))])
            self._survived.discard(received.id)

    def read(self, received: Received, *, condemned: bool = False) -> Read:
        """Read one message; never raises for what it says, only ``StoreError`` where its body cannot be had."""
        try:
            incoming = decode(received)
        except UnintelligibleError as error:
            broken = Incoming(received.id, "tocsin", received.sent_at, received.body.encode())
            return self._quarantined(received, broken, str(error))
        if incoming.blob:
            try:
                incoming = replace(incoming, body=blobs.get(self._store, incoming.blob))
            except blobs.LostError:
                if received.count < CONDEMNED:
                    raise
                return self._quarantined(received, incoming, "its body is no longer in the table")
        if incoming.refused:
            return self._quarantined(received, incoming, incoming.refused)
        if condemned:
            why = f"reading it ended the process {CONDEMNED - 1} times; it was not read again"
            return self._quarantined(received, incoming, why)
        try:
            parser = self._source(incoming.source)
            observations = [self._fitting(seen, incoming) for seen in self._parse(parser, incoming)]
            return Read(received, incoming, self._named(incoming, observations))
        except UnintelligibleError as error:
            return self._quarantined(received, incoming, str(error))
        except KeyError:
            return self._quarantined(received, incoming, f"no source is named {incoming.source!r}")

    def _parse(self, parser: Source, incoming: Incoming) -> Sequence[Observation]:
        try:
            return parser.parse(incoming.body, incoming.headers, incoming.stamp)
        except UnintelligibleError:
            raise
        except Exception as error:  # the stage's edge: a parser's defect must not stop the inbox; counted and kept
            self._telemetry.count("defects", stage="parse", source=incoming.source)
            self._telemetry.log("error", "a parser failed", source=incoming.source, error=repr(error))
            raise UnintelligibleError(f"the parser of {incoming.source} failed: {type(error).__name__}") from error

    def _fitting(self, seen: Observation, incoming: Incoming) -> Observation:
        """Give what a row can hold: the alert with its longest texts cut, or word of it to the catch-all."""
        why = limits.oversized(seen)
        if not why:
            return limits.fitting(seen)
        self._telemetry.count("quarantined", source=incoming.source)
        return quarantine(incoming.source, f"an alert is too large: {why}", dict(seen.labels), incoming.stamp)

    def _named(self, incoming: Incoming, observations: Sequence[Observation]) -> Sequence[Observation]:
        """Give what a parser itself quarantined the message's name, so that each odd body is heard of."""
        if not any(seen.quarantined for seen in observations):
            return observations
        self._keep(incoming)
        return [self._marked(seen, incoming) if seen.quarantined else seen for seen in observations]

    def _marked(self, seen: Observation, incoming: Incoming) -> Observation:
        return replace(seen, labels={**seen.labels, "message": incoming.id})

    def _quarantined(self, received: Received, incoming: Incoming, problem: str) -> Read:
        self._telemetry.count("quarantined", source=incoming.source)
        self._telemetry.log("warning", "quarantined", source=incoming.source, message=incoming.id, problem=problem)
        self._keep(incoming)
        excerpt = incoming.body[: EXCERPT * 4].decode("utf-8", "replace")[:EXCERPT]
        seen = Observation(
            source=incoming.source,
            labels={
                "alertname": QUARANTINED, "severity": "warning", "source": incoming.source, "message": incoming.id,
            },
            annotations={
                "summary": f"A message from {incoming.source} was not understood: {problem}",
                "description": "Nobody has been told what it says. The raw body begins: " + excerpt,
                "body": f"raw-{incoming.id}",
            },
            firing=True,
            seen=incoming.stamp,
            quarantined=True,
        )  # fmt: skip
        return Read(received, incoming, [seen], problem)

    def _keep(self, incoming: Incoming) -> None:
        """Keep the raw body where a person can look at it."""
        blobs.put(self._store, f"raw-{incoming.id}", incoming.body, self._clock.now())

    def settle(self, reads: Sequence[Read]) -> None:
        """Acknowledge messages whose work is done, before a suspect is worked that may take the process along."""
        self._queues.ack(INBOX, [read.received.receipt for read in reads])


def _sighting(received: Received) -> Key:
    return Key(f"sighting#{received.id}")


def by_message(reads: Sequence[Read]) -> Mapping[str, Read]:
    """Index reads by their message's name."""
    return {read.incoming.id: read for read in reads}
