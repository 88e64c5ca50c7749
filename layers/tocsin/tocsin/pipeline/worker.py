"""Takes what the queues hold and hands it to the stages: the loop of every home that is one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tocsin.config.plan import Plan
from tocsin.errors import ConflictError, StoreError
from tocsin.pipeline.decide import Decide
from tocsin.pipeline.deliver import Deliverer
from tocsin.pipeline.messages import decode_hint
from tocsin.ports import DUE, INBOX, Queues, Received, Telemetry, deliver_queue

BATCH = 50  # messages of the inbox routed together
RUN_AWAY = 100_000  # steps of one `drain`, after which something hints itself without end


class Worker:
    """One step of each kind of work; whoever calls it owns the threads, or the virtual time."""

    def __init__(
        self,
        *,
        queues: Queues,
        decide: Decide,
        deliverer: Deliverer,
        plan: Callable[[], Plan],
        telemetry: Telemetry,
        channels: Sequence[str],
    ) -> None:
        """Take the stages and the names of the channels whose queues are read."""
        self._queues, self._decide, self._deliverer = queues, decide, deliverer
        self._plan, self._telemetry, self.channels = plan, telemetry, tuple(channels)

    def inbox(self) -> int:
        """Route one batch of the inbox; how many messages there were."""
        received = self._queues.receive(INBOX, BATCH)
        if received:
            self._settle(INBOX, received, self._decide.inbox(received))
        return len(received)

    def due(self) -> int:
        """Follow one batch of hints to groups and heartbeats."""
        received = self._queues.receive(DUE, BATCH)
        if received:
            self._settle(DUE, received, self._decide.due(received))
        return len(received)

    def deliver(self, channel: str, limit: int = 10) -> int:
        """Follow hints to a channel's lanes."""
        queue = deliver_queue(channel)
        received = self._queues.receive(queue, limit)
        if received:
            self._settle(queue, received, self.deliveries(received))
        return len(received)

    def deliveries(self, received: Sequence[Received]) -> list[str]:
        """Follow hints to lanes; name those whose work failed."""
        failed = []
        plan = self._plan()
        for each in received:
            hint = decode_hint(each.body)
            if hint is None or hint.what != "lane":
                continue
            try:
                self._deliverer.work(hint.id, plan)
            except (ConflictError, StoreError) as error:
                self._telemetry.log("error", "a delivery could not be worked", lane=hint.id, error=str(error))
                failed.append(each.id)
            except Exception as error:  # noqa: BLE001 (the stage's edge: a defect on one lane must not hold up the others)
                self._telemetry.count("defects", stage="deliver")
                self._telemetry.log("error", "a delivery failed", lane=hint.id, error=repr(error))
                failed.append(each.id)
        return failed

    def drain(self) -> int:
        """Work until nothing can be seen any more, in one thread; how many messages there were."""
        total = 0
        while total < RUN_AWAY:
            done = self.inbox() + self.due() + sum(self.deliver(channel) for channel in self.channels)
            if not done:
                return total
            total += done
        raise StoreError(f"after {RUN_AWAY} messages the queues are still not empty")

    def _settle(self, queue: str, received: Sequence[Received], failed: Sequence[str]) -> None:
        self._queues.ack(queue, [each.receipt for each in received if each.id not in failed])
