"""What DecideFunction and the DeliverFunctions do."""

from __future__ import annotations

from collections.abc import Mapping
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
from tocsin.errors import StoreBusyError
from tocsin.ports import INBOX, Telemetry


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
        self._queues = stack.queues
        self._app = compose(ports, builtin_plan(stack), worker=stack.worker, dry_run=stack.dry_run)

    def decide(self, event: Mapping[str, Any]) -> list[str]:
        """See ``Stages``."""
        records = event.get("Records", [])
        if not records:
            self._app.tick.run()
            return []
        inbox = queue_of(records[0]["eventSourceARN"], self._queues) == INBOX
        work = self._app.decide.inbox if inbox else self._app.decide.due
        return work([received(record) for record in records])

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
