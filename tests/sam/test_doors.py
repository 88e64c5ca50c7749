"""Every envelope through its door in this process: embedded, dry run, the whole way in one invocation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tocsin.bootstrap.aws.embedded import EXAMPLE

from tests.sam.envelopes import EVENTS, all_envelopes, in_process

ALL = all_envelopes()
# Understood, and nobody is to be told.
QUIET = {
    "alertmanager-empty": "no alerts in it",
    "alertmanager-resolved": "resolved, and was never seen firing",
    "alertmanager-group-resolved": "resolved, and was never seen firing",
    "cloudwatch-anomaly-ok": "resolved, and was never seen firing",
    "cloudwatch-composite-ok": "resolved, and was never seen firing",
    "cloudwatch-contributor-ok": "resolved, and was never seen firing",
    "cloudwatch-math-ok": "resolved, and was never seen firing",
    "cloudwatch-metric-ok": "resolved, and was never seen firing",
    "cloudwatch-metric-insufficient-data": "neither firing nor resolved",
    "cloudwatch-composite-suppressed": "held while the alarm's actions are suppressed",
    "cloudwatch-configuration-change": "somebody edited an alarm",
    "eventbridge-announcement": "what Tocsin itself told others",
    "eventbridge-team-resolved": "resolved, and was never seen firing",
    "pingdom-http-up": "resolved, and was never seen firing",
    "pingdom-no-importance-up": "resolved, and was never seen firing",
    "pingdom-transaction-success": "resolved, and was never seen firing",
}
REFUSED = {
    "alertmanager-firing-no-token": 401,
    "alertmanager-firing-wrong-token": 401,
    "alertmanager-firing-path-token": 401,  # it is to come in the header
    "pingdom-http-down-wrong-token": 401,
    "unknown-source": 404,
}


def test_there_is_an_envelope_for_each_of_these() -> None:
    assert {*QUIET, *REFUSED} <= {envelope.stem for envelope in ALL}


@pytest.mark.parametrize("envelope", ALL, ids=map(str, ALL))
def test_an_envelope_goes_the_whole_way(envelope: Path) -> None:
    shown = in_process(envelope)
    if envelope.parent.name == "receive":
        assert shown.answer["statusCode"] == REFUSED.get(envelope.stem, 202)
        assert shown.answered == (shown.answer["statusCode"],)  # and the log says so
    else:
        assert shown.answer == {"batchItemFailures": []}
    told = envelope.stem not in QUIET and envelope.stem not in REFUSED
    assert bool(shown.would_send) is told, QUIET.get(envelope.stem, "somebody should be told")
    if envelope.parent.name == "deliver":
        assert [channel for _, channel in shown.would_send] == [envelope.stem]
    elif told:
        assert all(routes for _, routes in shown.routed), "each route is told with its reason"
        assert shown.routed


def test_the_sample_that_seeds_a_delivery_is_the_one_among_the_envelopes() -> None:
    (record,) = json.loads((EVENTS / "decide" / "alertmanager-firing.json").read_text("utf-8"))["Records"]
    assert json.loads((EXAMPLE / "sample.json").read_text("utf-8")) == json.loads(record["body"])


def test_a_critical_alert_is_told_on_every_channel_and_a_warning_only_to_its_team() -> None:
    critical = in_process(Path("receive/alertmanager-firing.json"))
    assert {channel for _, channel in critical.would_send} == {"pagerduty", "slack", "email", "zendesk", "webhook"}
    warning = in_process(Path("receive/pingdom-transaction-failing.json"))
    assert {receiver for receiver, _ in warning.would_send} == {"platform-team"}
