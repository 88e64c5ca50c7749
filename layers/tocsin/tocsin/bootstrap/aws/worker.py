"""What DecideFunction and the DeliverFunctions do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from tocsin.bootstrap import Ports, compose, one_channel
from tocsin.bootstrap.aws.builtin import builtin_plan
from tocsin.bootstrap.aws.deployment import Deployment, deployment, is_embedded, queue_of
from tocsin.bootstrap.aws.records import received
from tocsin.engines.aws import clients
from tocsin.engines.aws.bus import EventBus
from tocsin.engines.aws.queues import SqsQueues
from tocsin.engines.aws.secrets import SecretsManager
from tocsin.engines.aws.store import DynamoStore
from tocsin.engines.local import SystemClock
from tocsin.errors import StoreBusyError, StoreError
from tocsin.model import MINUTE, SECOND, Span
from tocsin.ports import INBOX, Received, Telemetry

# By how often it was handed out. From the third time on a message is a suspect (rule 13), and suspects have time.
COMES_AGAIN: Mapping[int, Span] = {1: 5 * SECOND, 2: MINUTE}


class Stages(Protocol):
    """What the doors call."""

    def decide(self, event: Mapping[str, Any]) -> list[str]:
        """Work a batch of the inbox, a batch of what is due, or the minute's tick; name what must come again."""
        ...

    def deliver(self, record: Mapping[str, Any]) -> None:
        """Follow one hint; ``StoreError`` when it must come again."""
        ...


class OnAws:
    """The stages over AWS."""

    def __init__(self, stack: Deployment, telemetry: Telemetry) -> None:
        """Make clients; nothing is called yet."""
        clock = SystemClock()
        ports = Ports(
            store=DynamoStore(stack.table, clients.dynamodb(), clock),
            queues=SqsQueues(stack.queues, clients.sqs(), clock),
            secrets=SecretsManager(stack.secret_prefix, clients.secretsmanager(), clock),
            clock=clock,
            telemetry=telemetry,
            announcer=EventBus(stack.bus, clients.events(), telemetry),
        )
        self._queues, self._telemetry = stack.queues, telemetry
        self._app = compose(ports, builtin_plan(stack), worker=stack.worker, dry_run=stack.dry_run)

    def decide(self, event: Mapping[str, Any]) -> list[str]:
        """See ``Stages``."""
        records = event.get("Records", [])
        if not records:
            self._app.tick.run()
            return []
        batch = [received(record) for record in records]
        if queue_of(records[0]["eventSourceARN"], self._queues) != INBOX:
            return self._app.decide.due(batch)  # a hint that fails is hinted again by the next tick
        try:
            failed = self._app.decide.inbox(batch)
        except StoreError as error:
            self._telemetry.count("retries", stage="plan")
            self._telemetry.log("error", "a batch could not be begun", messages=len(batch), error=str(error))
            failed = [each.id for each in batch]
        self._bring_back([each for each in batch if each.id in failed])
        return failed

    def _bring_back(self, failed: Sequence[Received]) -> None:
        """Let what failed for the first times come again soon: the queue's own visibility timeout is minutes."""
        for each in failed:
            if each.count in COMES_AGAIN:
                with suppress(StoreError):  # then it takes those minutes
                    self._app.ports.queues.postpone(INBOX, each.receipt, COMES_AGAIN[each.count])

    def deliver(self, record: Mapping[str, Any]) -> None:
        """See ``Stages``."""
        hint = received(record)
        if self._app.worker.deliveries([hint]):
            raise StoreBusyError(f"hint {hint.id} must come again; the log says why")


def stages(environ: Mapping[str, str], telemetry: Telemetry) -> Stages:
    """Compose what the functions behind the queues do.

    Raises:
        ConfigError: the environment lacks something.
    """
    if is_embedded(environ):
        from tocsin.bootstrap.aws.embedded import Embedded  # noqa: PLC0415 (SQLite is nothing that AWS needs)

        return Embedded(telemetry)
    if channel := environ.get("TOCSIN_CHANNEL"):
        one_channel(channel)  # its SDK is imported now, not while somebody waits for the first page
    return OnAws(deployment(environ), telemetry)
