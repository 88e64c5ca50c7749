"""What ReceiveFunction does; it imports as little as it can, for some senders wait one second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tocsin.bootstrap.aws.builtin import builtin_plan
from tocsin.bootstrap.aws.deployment import deployment, is_embedded
from tocsin.engines.aws import clients
from tocsin.engines.aws.queues import SqsQueues
from tocsin.engines.aws.secrets import SecretsManager
from tocsin.engines.aws.store import DynamoStore
from tocsin.engines.local import SystemClock
from tocsin.pipeline.plans import Plans
from tocsin.pipeline.receive import Answer, Receive
from tocsin.ports import Telemetry


class Receiver(Protocol):
    """What the door calls."""

    def handle(self, source: str, path_token: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request."""
        ...


def receive(environ: Mapping[str, str], telemetry: Telemetry) -> Receiver:
    """Compose it.

    Raises:
        ConfigError: the environment lacks something.
    """
    if is_embedded(environ):
        from tocsin.bootstrap.aws.embedded import Embedded  # noqa: PLC0415 (SQLite is nothing that AWS needs)

        return Embedded(telemetry)
    stack = deployment(environ)
    clock = SystemClock()
    store = DynamoStore(stack.table, clients.dynamodb(), clock)
    return Receive(
        store=store,
        queues=SqsQueues(stack.queues, clients.sqs(), clock),
        secrets=SecretsManager(stack.secret_prefix, clients.secretsmanager(), clock),
        clock=clock,
        telemetry=telemetry,
        door=Plans(store, clock, builtin_plan(stack)).door,
    )
