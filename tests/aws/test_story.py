"""Requirement: three sources each reach four channels, through the doors and what the template declares."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import World

PAYLOADS = Path(__file__).resolve().parents[2] / "events" / "payloads"
JSON = {"content-type": "application/json"}


def alertmanager(world: World, name: str) -> None:
    headers = {**JSON, "Authorization": "Bearer the-bearer-token"}
    answer = world.lambdas.post(
        "/webhooks/alertmanager", (PAYLOADS / f"alertmanager/{name}.json").read_bytes(), headers
    )
    assert answer["statusCode"] == 202, answer


def pingdom(world: World, name: str) -> None:
    body = (PAYLOADS / f"pingdom/{name}.json").read_bytes()
    assert world.lambdas.post("/webhooks/pingdom/the-path-token", body, JSON)["statusCode"] == 202


def cloudwatch(world: World, name: str) -> None:
    event: dict[str, Any] = json.loads((PAYLOADS / f"cloudwatch/{name}.json").read_text())
    world.lambdas.put_event(event["source"], event["detail-type"], event["detail"])


SOURCES = [
    pytest.param(alertmanager, "firing", "resolved", "KubePodCrashLooping", id="an Alertmanager webhook"),
    pytest.param(cloudwatch, "metric-alarm", "metric-ok", "publishing-db-cpu", id="a CloudWatch alarm"),
    pytest.param(pingdom, "http-down", "http-up", "", id="a Pingdom webhook"),
]


@pytest.mark.parametrize(("send", "firing", "resolved", "alertname"), SOURCES)
def test_reaches_all_vendors_firing_and_resolved(
    configured: World, send: Any, firing: str, resolved: str, alertname: str
) -> None:
    world, vendors = configured, configured.vendors

    send(world, firing)
    world.lambdas.run(world.clock, timedelta(minutes=2))

    (incident,) = vendors.pagerduty.incidents
    assert incident.status == "triggered"
    assert len(vendors.slack.messages) == 1
    assert [mail.recipients for mail in vendors.ses.mails] == [("team@tocsin.test",)]
    (ticket,) = vendors.zendesk.tickets.values()
    assert ticket["status"] not in {"solved", "closed"}
    assert alertname in json.dumps(ticket)

    send(world, resolved)
    world.lambdas.run(world.clock, timedelta(minutes=3))

    assert [each.status for each in vendors.pagerduty.incidents] == ["resolved"]
    assert len(vendors.slack.messages) == 2
    assert len(vendors.ses.mails) == 2
    assert [each["status"] for each in vendors.zendesk.tickets.values()] == ["solved"]
