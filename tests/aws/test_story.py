"""Three sources each reach four channels, through the real doors and what the template declares."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tocsin.engines.aws.store import DynamoStore
from tocsin.model import SECOND
from tocsin.pipeline import blobs
from tocsin.pipeline.messages import Incoming

from tests.aws import senders
from tests.aws.conftest import START, World
from tests.aws.lambdas import Function, sqs_record

SOURCES = [
    pytest.param(senders.alertmanager, "firing", "resolved", "KubePodCrashLooping", id="an Alertmanager webhook"),
    pytest.param(senders.cloudwatch, "metric-alarm", "metric-ok", "publishing-db-cpu", id="a CloudWatch alarm"),
    pytest.param(senders.pingdom, "http-down", "http-up", "Homepage", id="a Pingdom webhook"),
]


@pytest.mark.parametrize(("send", "firing", "resolved", "alertname"), SOURCES)
def test_reaches_all_vendors_firing_and_resolved(
    configured: World, send: Any, firing: str, resolved: str, alertname: str
) -> None:
    world, vendors = configured, configured.vendors

    assert send(world.lambdas, firing)["statusCode"] == 202
    world.lambdas.run(world.clock, timedelta(minutes=1))

    (incident,) = vendors.pagerduty.incidents
    assert incident.status == "triggered"
    assert alertname in incident.summary
    assert [alertname in json.dumps(message) for message in vendors.slack.messages] == [True]
    assert [(mail.recipients, alertname in str(mail.raw)) for mail in vendors.ses.mails] == [
        (("team@tocsin.test",), True)
    ]
    (ticket,) = vendors.zendesk.tickets.values()
    assert ticket["status"] not in {"solved", "closed"}
    assert alertname in ticket["subject"]

    assert send(world.lambdas, resolved)["statusCode"] == 202
    world.lambdas.run(world.clock, timedelta(minutes=2))

    assert [each.status for each in vendors.pagerduty.incidents] == ["resolved"]
    assert len(vendors.slack.messages) == 2
    assert len(vendors.ses.mails) == 2
    assert [each["status"] for each in vendors.zendesk.tickets.values()] == ["solved"]
    assert not vendors.pagerduty.dropped


def test_says_nothing_twice_when_every_message_comes_twice(configured: World) -> None:
    world, vendors = configured, configured.vendors
    for _ in range(2):
        senders.alertmanager(world.lambdas, "firing")
        senders.cloudwatch(world.lambdas, "metric-alarm")
    world.lambdas.run(world.clock, timedelta(minutes=3))
    assert len(vendors.pagerduty.incidents) == 2
    assert len(vendors.slack.messages) == 2
    assert len(vendors.zendesk.tickets) == 2


def test_a_lost_hint_is_sent_again_by_the_schedule(configured: World) -> None:
    world = configured
    inbox = world.cloud.resolver.reference("InboxQueue")
    senders.alertmanager(world.lambdas, "firing")
    (decide,) = (mapping for mapping in world.lambdas.mappings if mapping.queue_url == inbox)
    assert world.lambdas.play(decide) == 1
    for mapping in world.lambdas.mappings:
        world.cloud.client("sqs").purge_queue(QueueUrl=mapping.queue_url)  # and every hint is gone
    assert world.lambdas.drain() == 0
    world.lambdas.run(world.clock, timedelta(minutes=2))
    assert [each.status for each in world.vendors.pagerduty.incidents] == ["triggered"]
    assert len(world.vendors.slack.messages) == len(world.vendors.ses.mails) == len(world.vendors.zendesk.tickets) == 1


def test_an_event_that_tocsin_itself_announced_does_not_come_back(configured: World) -> None:
    world = configured
    world.lambdas.put_event("tocsin", "Notification Sent", {"receiver": "everybody"}, bus="tocsin")
    assert world.lambdas.drain() == 0
    world.lambdas.put_event("another-team", "Something Happened", {"how": "unknown"}, bus="tocsin")
    assert world.lambdas.drain() > 0


def test_what_cannot_be_worked_comes_again(configured: World) -> None:
    world = configured
    senders.alertmanager(world.lambdas, "firing")
    (message,) = world.cloud.client("sqs").receive_message(
        QueueUrl=world.cloud.resolver.reference("InboxQueue"), AttributeNames=["All"]
    )["Messages"]
    event = {"Records": [sqs_record(message, "arn:aws:sqs:eu-west-1:123456789012:tocsin-integration-inbox")]}
    for name in ("DecideFunction", "DeliverSlackFunction"):
        known = world.lambdas.functions[name]
        cut_off = Function(name, known.code, {**known.environment, "TOCSIN_TABLE": "nowhere"}, [])
        assert cut_off.invoke(event) == {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]}


def test_a_message_that_failed_comes_again_in_seconds(configured: World) -> None:
    world = configured
    body = (senders.PAYLOADS / "alertmanager" / "firing.json").read_bytes()
    now = int(START.timestamp()) * SECOND
    envelope = Incoming("late", "alertmanager", now, blob="body-late").encode()  # and its body is not there yet
    inbox = world.cloud.resolver.reference("InboxQueue")
    world.cloud.client("sqs").send_message(QueueUrl=inbox, MessageBody=envelope)
    world.lambdas.drain()
    assert not world.vendors.pagerduty.incidents

    store = DynamoStore(world.cloud.resolver.reference("Table"), world.cloud.client("dynamodb"))
    blobs.put(store, "body-late", body, now)
    world.lambdas.run(world.clock, timedelta(seconds=15))
    assert [each.status for each in world.vendors.pagerduty.incidents] == ["triggered"]


STRANGERS = [
    ("/webhooks/alertmanager", {}, 401, "no token"),
    ("/webhooks/alertmanager", {"Authorization": "Bearer wrong"}, 401, "a wrong token"),
    ("/webhooks/pingdom/wrong", {}, 401, "a wrong token in the path"),
    ("/webhooks/smoke-signals", {}, 404, "a source that nobody configured"),
    ("/elsewhere", {}, 404, "no route of ours"),
]


def test_a_stranger_is_told_no_and_nothing_is_stored(configured: World) -> None:
    for path, headers, status, why in STRANGERS:
        assert configured.lambdas.post(path, b"{}", headers)["statusCode"] == status, why
    assert configured.lambdas.drain() == 0
