"""PagerDuty's own rules: dedup, late triggers, sizes, severities, both versions of its API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from tocsin.channels.pagerduty.body import BODY_LIMIT, SEVERITIES, SUMMARY_LIMIT, severity
from tocsin.ports import Permanent, Retry, Sent, Throttled

from tests.channels.rig import GROUP_KEY, SECRET, Rig, alert, notification

KEY = hashlib.sha256(GROUP_KEY.encode()).hexdigest()
MakeRig = Callable[..., Rig]


def test_the_dedup_key_is_alertmanagers(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    outcome = rig.send()
    assert isinstance(outcome, Sent)
    assert (outcome.vendor_id, outcome.ref) == (KEY, {"dedup_key": KEY})
    assert rig.vendor.events[0]["routing_key"] == SECRET


def test_equal_keys_merge_into_the_open_incident(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.send(notification(delivery_id="lane-1"))
    rig.send(notification(alert(), alert(labels={"instance": "b"}), delivery_id="lane-2"))
    assert len(rig.vendor.incidents) == 1
    assert len(rig.vendor.incidents[0].events) == 2


def test_a_trigger_after_the_resolve_opens_a_new_incident_so_order_is_ours_to_keep(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.send()
    rig.send(notification(alert(firing=False)))
    rig.send()
    assert [incident.status for incident in rig.vendor.incidents] == ["resolved", "triggered"]


def test_a_resolve_with_nothing_open_is_dropped(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    assert isinstance(rig.send(notification(alert(firing=False))), Sent)
    assert not rig.vendor.incidents
    assert len(rig.vendor.dropped) == 1


def test_an_event_that_is_too_large_is_sent_once_more_without_its_large_details(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.fault(status=413)
    many = [alert(labels={"instance": f"node-{number}"}) for number in range(200)]
    assert isinstance(rig.send(notification(*many)), Sent)
    details = rig.vendor.events[0]["payload"]["custom_details"]
    assert "limit of 512 KB" in details["firing"]
    assert details["num_firing"] == 200
    assert len(rig.vendor.requests) == 2


def test_an_event_that_stays_too_large_is_final_after_two_requests(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.fault(status=413, times=3)
    outcome = rig.send()
    assert isinstance(outcome, Permanent)
    assert outcome.status == "413"
    assert len(rig.vendor.requests) == 2


def test_five_thousand_alerts_lose_the_large_details_and_keep_the_small(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    many = [alert(labels={"instance": f"node-{number}"}, summary="x" * 100) for number in range(5000)]
    event = json.loads(rig.render(notification(*many)))
    assert len(json.dumps(event)) <= BODY_LIMIT
    details = event["payload"]["custom_details"]
    assert details["num_firing"] == 5000
    assert details["resolved"] == []
    assert details["firing"].startswith("removed")


def test_a_summary_is_cut_but_its_note_stays(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty", description="x" * 3000)
    summary = json.loads(rig.render(notification(note="you are the fallback")))["payload"]["summary"]
    assert len(summary) == SUMMARY_LIMIT
    assert summary.endswith("… | you are the fallback")


def test_an_endless_note_leaves_room_for_the_alert(make_rig: MakeRig) -> None:
    summary = json.loads(make_rig("pagerduty").render(notification(note="n" * 5000)))["payload"]["summary"]
    assert "DiskFull" in summary
    assert len(summary) <= SUMMARY_LIMIT


@pytest.mark.parametrize(
    ("said", "means"),
    [(word, name) for name, words in SEVERITIES.items() for word in words.split()]
    + [("CRITICAL", "critical"), (" Warning ", "warning"), ("", "error"), ("purple", "error"), ("5", "error")],
)
def test_every_word_for_a_severity_is_one_of_the_four(said: str, means: str) -> None:
    assert severity(said) == means


def test_settings_are_rendered_into_the_event(make_rig: MakeRig) -> None:
    rig = make_rig(
        "pagerduty",
        severity="{{ .CommonLabels.severity }}",
        component="{{ .CommonLabels.alertname }}",
        group="storage",
        details={
            "mount": "{{ .CommonLabels.mount }}",
            "count": "{{ len .Alerts }}",
            "nested": {"a": ["{{ .Status }}"]},
        },
        links=[{"href": "https://wiki/{{ .CommonLabels.alertname }}", "text": "runbook"}, {"href": "", "text": "none"}],
        images=[{"src": "https://img/{{ .Status }}.png", "alt": "", "href": ""}, {"src": "", "alt": "", "href": ""}],
        **{"class": "{{ .Status }}"},
    )
    told = notification(alert(labels={"mount": "/var"}))
    assert isinstance(rig.send(told), Sent)
    event = rig.vendor.events[0]
    payload = event["payload"]
    assert {name: payload[name] for name in ("severity", "component", "group", "class")} == {
        "severity": "critical", "component": "DiskFull", "group": "storage", "class": "firing",
    }  # fmt: skip
    assert payload["custom_details"] == {"mount": "/var", "count": 1, "nested": {"a": ["firing"]}}
    assert event["links"] == [{"href": "https://wiki/DiskFull", "text": "runbook"}]
    assert event["images"] == [{"src": "https://img/firing.png", "alt": "", "href": ""}]


def test_the_default_details_are_alertmanagers(make_rig: MakeRig) -> None:
    event = json.loads(
        make_rig("pagerduty").render(notification(alert(), alert(firing=False, labels={"instance": "b"})))
    )
    details = event["payload"]["custom_details"]
    assert (details["num_firing"], details["num_resolved"]) == (1, 1)
    assert details["firing"][0]["labels"]["alertname"] == "DiskFull"
    assert details["resolved"][0]["status"] == "resolved"


@pytest.mark.parametrize(
    ("sentence", "text", "becomes"),
    [
        ("a number becomes one", "12", 12),
        ("a list in JSON becomes one", '[{"a": 1}]', [{"a": 1}]),
        ("YAML becomes what it says", "a: 1", {"a": 1}),
        ("words stay words", "disk is full", "disk is full"),
        ("what only looks like YAML stays text", "a: [1", "a: [1"),
        ("a date stays text, for JSON has none", "2026-01-02", "2026-01-02"),
        ("aliases stay text, for they unfold without end", "a: &x 1\nb: *x", "a: &x 1\nb: *x"),
    ],
)
def test_a_detail_takes_the_type_it_renders_to(make_rig: MakeRig, sentence: str, text: str, becomes: object) -> None:
    rig = make_rig("pagerduty", details={"it": "{{ .CommonLabels.it }}"})
    event = json.loads(rig.render(notification(alert(labels={"it": text}))))
    assert event["payload"]["custom_details"]["it"] == becomes, sentence


def test_a_service_key_speaks_the_older_api(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty-v1")
    outcome = rig.send()
    assert isinstance(outcome, Sent)
    assert outcome.vendor_id == KEY
    assert rig.vendor.requests[0].path == "/generic/2010-04-15/create_event.json"
    assert json.loads(rig.vendor.requests[0].body)["service_key"] == SECRET


def test_the_older_api_says_403_when_it_throttles(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty-v1")
    rig.fault(status=403)
    assert isinstance(rig.send(), Throttled)


def test_the_newer_api_says_403_when_the_key_is_wrong(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.fault(status=403)
    assert isinstance(rig.send(), Permanent)


def test_an_unknown_key_is_final_and_pagerdutys_words_are_kept(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.vendor.routing_keys = {"another"}
    outcome = rig.send()
    assert isinstance(outcome, Permanent)
    assert "Invalid routing key" in outcome.reason


def test_an_empty_key_is_final_without_a_request(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty", routing_key=" ")
    assert isinstance(rig.send(), Permanent)
    assert not rig.vendor.requests


def test_a_relay_with_a_path_of_its_own_is_posted_to_as_it_stands(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig = replace(rig, settings={**rig.settings, "url": f"{rig.vendor.url}/relay/events"})
    outcome = rig.send()
    assert rig.vendor.requests[0].path == "/relay/events"
    assert isinstance(outcome, Permanent), "this relay leads nowhere: 404"


def test_somebody_elses_success_is_in_doubt(make_rig: MakeRig) -> None:
    rig = make_rig("pagerduty")
    rig.fault(status=200, body="<html>please log in to the hotel's network</html>")
    outcome = rig.send()
    assert isinstance(outcome, Retry)
    assert outcome.maybe
