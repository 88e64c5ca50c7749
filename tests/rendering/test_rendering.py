"""From a snapshot to template data and to the webhook's body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tocsin.model import Alert, Snapshot, fingerprint
from tocsin.rendering import Notification, common, template_data
from tocsin.templates import TemplateSet
from tocsin.templates.gotime import parse_rfc3339

START = parse_rfc3339("2026-03-04T05:06:07.120Z")
END = parse_rfc3339("2026-03-04T05:16:07Z")
TAKEN = parse_rfc3339("2026-03-04T06:00:00Z")


def alert(*, firing: bool = True, annotations: dict[str, str] | None = None, **labels: str) -> Alert:
    known = {"alertname": "HighCPU", "cluster": "eu", **labels}
    end = None if firing else END
    return Alert(fingerprint(known), known, annotations or {}, firing, START, end, "http://p/graph?a=<1>&b=2")


def notification(*alerts: Alert, receiver: str = "team.X", **changes: Any) -> Notification:
    snapshot = Snapshot(
        group_key='{}/{team="x"}:{alertname="HighCPU"}',
        route_id="0/1",
        group_labels={"cluster": "eu", "alertname": "HighCPU"},
        alerts=alerts,
        taken=TAKEN,
        route_labels={"owner": "o<1>"},
    )
    return Notification(
        snapshot, receiver, "first notification", "d1", TemplateSet(), external_url="https://tocsin.example", **changes
    )


def test_the_webhooks_body_has_alertmanagers_keys_values_and_order() -> None:
    told = notification(
        alert(instance="b", annotations={"summary": "hot", "runbook": "r"}),
        alert(instance="a", firing=False, annotations={"summary": "cold", "runbook": "r"}),
    )
    body = told.webhook_v4_body()
    assert body.decode() == (
        '{"receiver":"team\\\\.X","status":"firing","alerts":['
        '{"status":"firing","labels":{"alertname":"HighCPU","cluster":"eu","instance":"b"},'
        '"annotations":{"runbook":"r","summary":"hot"},"startsAt":"2026-03-04T05:06:07.12Z",'
        '"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/graph?a=\\u003c1\\u003e\\u0026b=2",'
        f'"fingerprint":"{told.snapshot.alerts[0].fingerprint}"}},'
        '{"status":"resolved","labels":{"alertname":"HighCPU","cluster":"eu","instance":"a"},'
        '"annotations":{"runbook":"r","summary":"cold"},"startsAt":"2026-03-04T05:06:07.12Z",'
        '"endsAt":"2026-03-04T05:16:07Z","generatorURL":"http://p/graph?a=\\u003c1\\u003e\\u0026b=2",'
        f'"fingerprint":"{told.snapshot.alerts[1].fingerprint}"}}],'
        '"notification_reason":"first notification","groupLabels":{"alertname":"HighCPU","cluster":"eu"},'
        '"commonLabels":{"alertname":"HighCPU","cluster":"eu"},"commonAnnotations":{"runbook":"r"},'
        '"routeLabels":{"owner":"o\\u003c1\\u003e"},"externalURL":"https://tocsin.example","version":"4",'
        '"groupKey":"{}/{team=\\"x\\"}:{alertname=\\"HighCPU\\"}","truncatedAlerts":0}\n'
    )
    assert json.loads(body) == told.webhook_v4()


def test_max_alerts_cuts_the_alerts_and_counts_the_rest() -> None:
    told = notification(alert(instance="a", zone="1"), alert(instance="b", zone="1"), alert(instance="c", zone="2"))
    assert told.webhook_v4()["truncatedAlerts"] == 0
    cut = told.webhook_v4(max_alerts=2)
    assert (len(cut["alerts"]), cut["truncatedAlerts"]) == (2, 1)
    assert cut["commonLabels"]["zone"] == "1", "what is common is common to the alerts that are told"
    assert "zone" not in told.webhook_v4()["commonLabels"]
    assert told.webhook_v4(max_alerts=9)["truncatedAlerts"] == 0


def test_resolved_is_said_only_when_nothing_fires() -> None:
    resolved = notification(alert(firing=False))
    assert not resolved.firing
    assert resolved.webhook_v4()["status"] == "resolved"
    assert notification(alert(firing=False), alert(instance="x")).webhook_v4()["status"] == "firing"


def test_text_and_html_are_rendered_with_the_snapshots_data_and_clock() -> None:
    told = notification(alert(annotations={"summary": "<hot>"}))
    assert told.text("{{ .Receiver }} {{ .CommonLabels.cluster }} {{ .NotificationReason }}") == (
        "team\\.X eu first notification"
    )
    assert told.html("<b>{{ .CommonAnnotations.summary }}</b>") == "<b>&lt;hot&gt;</b>"
    assert (
        told.text("{{ now.UTC }} {{ since (index .Alerts 0).StartsAt }}") == "2026-03-04 06:00:00 +0000 UTC 53m52.88s"
    )
    assert told.text('{{ routeLabels "owner" }}') == "o<1>"


def test_data_is_built_once() -> None:
    told = notification(alert())
    assert told.data is told.data


@pytest.mark.parametrize(
    ("receiver", "quoted"),
    [
        ("team-X", "team-X"),
        ("a.b+c", "a\\.b\\+c"),
        ("x|(y)[z]{1}^$*?\\", "x\\|\\(y\\)\\[z\\]\\{1\\}\\^\\$\\*\\?\\\\"),
        ("é ü", "é ü"),
    ],
)
def test_the_receivers_name_is_quoted_as_gos_quotemeta_does(receiver: str, quoted: str) -> None:
    assert notification(alert(), receiver=receiver).data.receiver == quoted


def test_an_empty_snapshot_has_data_too() -> None:
    data = template_data(notification().snapshot, "r")
    assert (data.status, len(data.alerts), dict(data.common_labels)) == ("resolved", 0, {})


COMMON = [
    ("nothing", [], {}),
    ("one set is common to itself", [{"a": "1"}], {"a": "1"}),
    ("equal values stay", [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], {"a": "1"}),
    ("a label that one has not goes", [{"a": "1"}, {"b": "1"}], {}),
    ("an empty value is an absent one, as Alertmanager has it", [{"a": ""}, {"b": "1"}], {"a": ""}),
]


@pytest.mark.parametrize(("why", "sets", "shared"), COMMON)
def test_what_is_common(why: str, sets: list[dict[str, str]], shared: dict[str, str]) -> None:
    assert common(sets) == shared, why


def test_ten_thousand_alerts_are_one_body() -> None:
    told = notification(*(alert(instance=str(number)) for number in range(10_000)))
    assert len(told.webhook_v4()["alerts"]) == 10_000
    assert told.text('{{ template "slack.default.title" . }}').startswith("[FIRING:10000] HighCPU eu")
    mail = told.html('{{ template "email.default.html" . }}')
    assert "The first 200 of 10000 are shown." in mail
    assert mail.count(">instance<") == 200


def test_bytes_that_are_no_text_do_not_break_the_body() -> None:
    body = notification(Alert("f", {"bad": "\ud800"}, {}, True, START)).webhook_v4_body()  # noqa: FBT003
    assert json.loads(body)["alerts"][0]["labels"]["bad"] == "\ufffd"
