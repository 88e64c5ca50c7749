"""Calls to AWS an alert, counted on moto: what a deployment pays for."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any
from unittest import mock

from tocsin.bootstrap import Ports, compose
from tocsin.config.plan import Integration, Plan, Receiver, Route, SourceSettings
from tocsin.engines.local import LocalSecrets, Nobody
from tocsin.ports import INBOX, Attempt, Outcome, Sent

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-west-1",
}  # fmt: skip


class Silent:
    """Telemetry and a channel that cost no calls."""

    name, merges_by_key, tells_late_resolution = "webhook", False, True

    def count(self, metric: str, value: int = 1, /, **labels: str) -> None:
        """Count nothing."""

    def log(self, level: str, message: str, /, **fields: Any) -> None:
        """Say nothing."""

    def render(self, notification: Any, settings: Any) -> bytes:  # noqa: ARG002 (the port's)
        """Make a body."""
        return json.dumps({"alerts": len(notification.snapshot.alerts)}).encode()

    def send(self, attempt: Attempt) -> Outcome:  # noqa: ARG002 (the port's)
        """Take it."""
        return Sent(status="200")


def counted() -> dict[str, dict[str, float]]:
    """Count calls for one alert told at once, its repeat, its resolution, and a hundred alerts in one body."""
    from moto import mock_aws  # noqa: PLC0415 (heavy)

    with mock.patch.dict(os.environ, ACCOUNT), mock_aws():
        account = Account()
        told = {
            "one alert, told at once": account.post([alert("a")]),
            "the same again: a refresh": account.post([alert("a")]),
            "a hundred more, a group each": account.post([alert(f"b{n}") for n in range(100)]),
        }
    alerts = {"a hundred more, a group each": 100}
    return {
        name: {"calls": float(sum(counts.values())), "per alert": sum(counts.values()) / alerts.get(name, 1),
               "DynamoDB": float(counts["dynamodb"]), "SQS": float(counts["sqs"])}
        for name, counts in told.items()
    }  # fmt: skip


class Account:
    """Tocsin over AWS on moto, its calls counted by service."""

    def __init__(self) -> None:
        import boto3  # noqa: PLC0415 (heavy)
        from tocsin.engines.aws.queues import SqsQueues  # noqa: PLC0415
        from tocsin.engines.aws.store import DynamoStore  # noqa: PLC0415
        from tocsin.engines.local import SystemClock  # noqa: PLC0415

        from tests.engines.aws_world import QUEUES, table_request  # noqa: PLC0415

        self.counts: Counter[str] = Counter()
        dynamodb, sqs = boto3.client("dynamodb"), boto3.client("sqs")
        dynamodb.create_table(**table_request())
        urls = {name: sqs.create_queue(QueueName=name.replace(".", "-"))["QueueUrl"] for name in QUEUES}
        for client in (dynamodb, sqs):
            client.meta.events.register("before-send", self._count)
        clock, silent = SystemClock(), Silent()
        ports = Ports(
            DynamoStore("tocsin", dynamodb, clock), SqsQueues(urls, sqs, clock), LocalSecrets(), clock, silent, Nobody()
        )
        self.app = compose(ports, plan(), worker="bench", channel=lambda _: silent)  # type: ignore[arg-type, return-value]

    def post(self, alerts: list[dict[str, Any]]) -> Counter[str]:
        """Let alerts in and work everything off; the polls of the queues are Lambda's, not ours, and not counted."""
        self.counts.clear()
        self.app.receive.handle("alertmanager", "", {}, json.dumps({"alerts": alerts}).encode())
        for queue in (INBOX, "deliver.webhook"):
            while received := self.app.ports.queues.receive(queue, 10):
                self.counts["sqs"] -= 1
                if queue == INBOX:
                    self.app.decide.inbox(received)
                else:
                    self.app.worker.deliveries(received)
                self.app.ports.queues.ack(queue, [each.receipt for each in received])
                self.counts["sqs"] -= 1
            self.counts["sqs"] -= 1
        return Counter(self.counts)

    def _count(self, event_name: str, **_: Any) -> None:
        self.counts[event_name.split(".")[1]] += 1


def alert(name: str) -> dict[str, Any]:
    """Make an alert whose group_wait is over."""
    return {"status": "firing", "labels": {"alertname": name}, "startsAt": "2026-01-01T00:00:00Z"}


def plan() -> Plan:
    """Tell a webhook at once, a group an alert."""
    hook = Receiver("hook", (Integration("webhook/0", "webhook", "webhook", {}, send_resolved=True),))
    sources = {"alertmanager": SourceSettings("alertmanager", "alertmanager", {"type": "none"})}
    return Plan(Route("{}", "{}", "hook", group_by_all=True, group_wait=0), {"hook": hook}, "hook", sources=sources)
