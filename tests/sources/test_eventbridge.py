"""CloudWatch's alarms and any team's events by EventBridge."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tocsin.errors import UnintelligibleError
from tocsin.observation import observe
from tocsin.sources.cloudwatch import Policy
from tocsin.sources.eventbridge import EventBridge
from tocsin.sources.times import instant, rfc3339

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads"
STAMP = instant("2026-11-03T10:00:00Z")


def sample(name: str, **detail: Any) -> dict[str, Any]:
    event = json.loads((PAYLOADS / f"{name}.json").read_text())
    event["detail"].update(detail)
    return event


def parse(event: Any, policy: Policy | None = None) -> Any:
    return EventBridge(policy).parse(json.dumps(event).encode(), {}, STAMP)


def described(description: Any, name: str = "publishing-db-cpu") -> dict[str, str]:
    event = sample("cloudwatch/metric-alarm", alarmName=name)
    event["detail"]["configuration"]["description"] = description
    (observation,) = parse(event)
    return dict(observation.labels)


@pytest.mark.parametrize(
    ("name", "policy", "reason"),
    [
        ("cloudwatch/configuration-change", None, "configuration change of an alarm"),
        ("cloudwatch/metric-insufficient-data", None, "insufficient data: what was known of the alarm is kept"),
        ("eventbridge/announcement", None, "our own announcement"),
        ("cloudwatch/muted-alarm", Policy(muted="hold"), "the alarm is muted by a mute rule"),
        (
            "cloudwatch/composite-suppressed",
            None,
            "the alarm's actions are suppressed (WaitPeriod): CloudWatch sends it again when they no longer are",
        ),
    ],
)
def test_what_says_nothing_says_why(name: str, policy: Policy | None, reason: str) -> None:
    told = parse(sample(name), policy)
    assert not told
    assert told.reason == reason


@pytest.mark.parametrize(
    ("name", "policy", "firing"),
    [
        ("cloudwatch/metric-insufficient-data", Policy(insufficient_data="firing"), True),
        ("cloudwatch/metric-insufficient-data", Policy(insufficient_data="resolved"), False),
        ("cloudwatch/composite-suppressed", Policy(suppressed="tell"), True),
        ("cloudwatch/muted-alarm", None, True),
        ("cloudwatch/composite-ok", Policy(muted="hold"), False),
    ],
)
def test_a_policy_says_what_the_states_between_mean(name: str, policy: Policy | None, firing: bool) -> None:
    (observation,) = parse(sample(name), policy)
    assert observation.firing is firing


def test_a_configuration_change_that_says_alarm_never_pages() -> None:
    event = sample("cloudwatch/configuration-change")
    assert event["detail"]["state"]["value"] == "ALARM"
    assert not parse(event, Policy(insufficient_data="firing", suppressed="tell"))


def test_suppressed_then_released_then_ok_fires_once_it_is_released() -> None:
    state = None
    fires = []
    for name in ("suppressed", "alarm", "ok"):
        for observation in parse(sample(f"cloudwatch/composite-{name}")):
            state = observe(state, observation, STAMP)
        fires.append(state.fires if state else False)
    assert fires == [False, True, False]


@pytest.mark.parametrize("order", [("alarm", "ok"), ("ok", "alarm"), ("alarm", "ok", "alarm"), ("ok", "alarm", "ok")])
def test_seen_is_the_states_own_time_so_that_order_and_repetition_do_not_matter(order: tuple[str, ...]) -> None:
    state = None
    for name in order:
        (observation,) = parse(sample(f"cloudwatch/metric-{name}"))
        state = observe(state, observation, STAMP)
    assert state is not None
    assert not state.fires


def test_start_and_end_are_where_the_state_changed() -> None:
    (alarm,), (ok,) = parse(sample("cloudwatch/metric-alarm")), parse(sample("cloudwatch/metric-ok"))
    assert rfc3339(alarm.start) == rfc3339(alarm.seen) == "2026-11-02T13:05:40.989Z"
    assert (ok.start, rfc3339(ok.end), ok.end) == (alarm.start, "2026-11-02T13:31:40.992Z", ok.seen)


@pytest.mark.parametrize(
    ("description", "name", "expected", "sentence"),
    [
        (None, "cpu", {"severity": "warning"}, "nothing is said: warning"),
        ("", "critical-cpu", {"severity": "critical"}, "the name begins with it"),
        ("", "cpu_CRIT", {"severity": "critical"}, "the name ends with it, short and in capitals"),
        ("", "api info", {"severity": "info"}, "a space separates, too"),
        ("", "too-many-critical-errors", {"severity": "warning"}, "in the middle it is the subject"),
        ("", "lambda-error", {"severity": "warning"}, "`error` is what alarms are about"),
        ("severity=critical", "cpu-info", {"severity": "critical"}, "the description outweighs the name"),
        ("Busy! severity: WARN", "cpu", {"severity": "warning"}, "colon, space and capitals"),
        (
            "[team=data, service=db.main]",
            "cpu",
            {"severity": "warning", "team": "data", "service": "db.main"},
            "a list",
        ),
        ("see https://x.example/?team=data", "cpu", {"severity": "warning"}, "a URL's query is no directive"),
        ("the team data", "cpu", {"severity": "warning"}, "prose is no directive"),
        (17, "cpu", {"severity": "warning"}, "a description of another type"),
    ],
)
def test_labels_from_name_and_description(description: Any, name: str, expected: dict[str, str], sentence: str) -> None:
    always = {"alertname": name, "source": "cloudwatch", "region": "eu-west-1", "account": "123456789012"}
    assert described(description, name) == always | expected, sentence


@pytest.mark.parametrize("place", ["reason", "reasonData", "timestamp"])
def test_nothing_of_the_state_is_a_label(place: str) -> None:
    event = sample("cloudwatch/metric-alarm")
    changed = copy.deepcopy(event)
    changed["detail"]["state"][place] = "2020-01-01T00:00:00.000+0000"
    assert parse(event)[0].labels == parse(changed)[0].labels


def test_tags_are_no_labels_since_cloudwatch_may_leave_them_out() -> None:
    tagged = parse(sample("cloudwatch/metric-alarm", alarmTags={"team": "other", "severity": "info"}))
    untagged = parse(sample("cloudwatch/metric-alarm"))
    assert tagged[0].labels == untagged[0].labels
    assert tagged[0].annotations["tags"] == "severity=info, team=other"


def test_contributors_of_one_alarm_are_alerts_of_their_own() -> None:
    one = sample("cloudwatch/contributor-alarm")
    other = sample("cloudwatch/contributor-alarm", alarmContributor={"id": "0000", "attributes": {"TableName": "x"}})
    assert parse(one)[0].labels != parse(other)[0].labels


def test_account_region_and_name_come_from_the_arn_where_the_envelope_lacks_them() -> None:
    event = sample("cloudwatch/math-alarm")
    whole = parse(event)[0].labels
    del event["account"], event["region"], event["detail"]["alarmName"]
    assert parse(event)[0].labels == whole


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_leads_to_the_alarm_in_the_console_of_its_partition(partition: str, host: str) -> None:
    event = sample("cloudwatch/math-alarm")
    event["resources"] = [event["resources"][0].replace("arn:aws:", f"arn:{partition}:")]
    assert parse(event)[0].generator_url == (
        f"https://eu-west-1.{host}/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/critical%3A%20frontend%205xx%20rate"
    )


def test_a_region_that_is_none_makes_no_link() -> None:
    event = sample("cloudwatch/metric-alarm")
    event["region"] = "evil.example/"
    assert parse(event)[0].generator_url == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"detail-type": "CloudWatch Alarm Poem"}, 'events "CloudWatch Alarm Poem" of aws.cloudwatch are not known'),
        ({"source": "aws.guardduty"}, 'events "CloudWatch Alarm State Change" of aws.guardduty are not known'),
        ({"detail": {"alarmName": "a", "state": {"value": "PONDERING"}}}, 'its state is "PONDERING"'),
        ({"detail": {"alarmName": "a"}}, "its state is null"),
        ({"detail": None, "resources": None}, "it names no alarm"),
        ({"source": "org.example"}, "its detail has no `labels`"),
    ],
)
def test_an_event_that_is_not_known_is_quarantined_and_readable(change: dict[str, Any], sentence: str) -> None:
    (observation,) = parse(sample("cloudwatch/metric-alarm") | change)
    assert observation.quarantined
    assert sentence in observation.annotations["reason"]
    assert "publishing-db-cpu" in observation.annotations["body"] or "detail" in change
    assert observation.labels["detail_type"]


def test_what_has_no_envelope_is_refused() -> None:
    with pytest.raises(UnintelligibleError, match="no EventBridge event: `source` and `detail` were expected"):
        parse({"alarmName": "x"})


def team(detail: Any, **envelope: Any) -> Any:
    event = {
        "source": "org.example",
        "detail-type": "Export",
        "time": "2026-11-02T03:00:00Z",
        "account": "1",
        "region": "r",
    }
    return parse(event | {"detail": detail} | envelope)


def test_a_teams_event_needs_only_labels_and_is_filled_from_its_envelope() -> None:
    (observation,) = team({"labels": {"job": "x"}})
    filled = {"alertname": "Export", "severity": "warning", "source": "org.example", "account": "1", "region": "r"}
    assert observation.labels == filled | {"job": "x"}
    assert observation.firing
    assert observation.seen == observation.start == instant("2026-11-02T03:00:00Z")


def test_a_teams_own_labels_outweigh_the_envelope() -> None:
    mine = {"alertname": "A", "severity": "page", "source": "me", "account": "2", "region": "moon"}
    assert team({"labels": mine})[0].labels == mine


@pytest.mark.parametrize(
    "detail", [{"alerts": [{"labels": {"a": "1"}}]}, [{"labels": {"a": "1"}}], {"labels": {"a": "1"}}]
)
def test_a_team_may_send_one_or_several(detail: Any) -> None:
    assert [observation.labels["a"] for observation in team(detail)] == ["1"]


@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        ({"labels": {"a": "1"}, "status": "pending"}, "neither firing nor resolved"),
        ({"labels": {}}, "it has no labels"),
        ({"hello": "world"}, "its detail has no `labels`"),
    ],
)
def test_a_teams_event_of_another_shape_is_quarantined(detail: Any, sentence: str) -> None:
    (observation,) = team(detail)
    assert observation.quarantined
    assert sentence in observation.annotations["reason"]


def test_a_teams_event_without_alerts_says_nothing() -> None:
    assert team({"alerts": []}).reason == "no alerts in the event"


def test_a_resolution_without_an_end_ended_when_it_was_sent() -> None:
    (observation,) = team({"labels": {"a": "1"}, "status": "resolved"})
    assert observation.end == observation.seen


def test_a_list_of_nothing_but_silent_events_is_silent() -> None:
    assert parse([sample("eventbridge/announcement")]).reason == "our own announcement"
    assert parse([]).reason == "no events in the body"


@pytest.mark.parametrize("mark", [{"actionsSuppressedBy": "Alarm"}, {"muteDetail": {"mutedBy": "rule"}}])
def test_ok_comes_through_suppressed_and_muted(mark: dict[str, Any]) -> None:
    event = sample("cloudwatch/metric-ok")
    event["detail"]["state"] |= mark
    (observation,) = parse(event, Policy(suppressed="hold", muted="hold"))
    assert not observation.firing


def test_an_ok_that_follows_no_alarm_knows_no_start() -> None:
    event = sample("cloudwatch/metric-ok")
    event["detail"]["previousState"]["value"] = "INSUFFICIENT_DATA"
    assert parse(event)[0].start is None


def test_of_an_anomalys_bands_the_latest_is_told() -> None:
    event = sample("cloudwatch/anomaly-alarm")
    data = {"recentLowerThresholds": [1, 2.5], "recentUpperThresholds": [8, 9]}
    event["detail"]["state"]["reasonData"] = json.dumps(data)
    assert parse(event)[0].annotations["threshold"] == "lower 2.5, upper 9"


def test_reason_data_that_is_an_object_already_is_read_as_well() -> None:
    event = sample("cloudwatch/metric-alarm")
    event["detail"]["state"]["reasonData"] = {"threshold": 3, "recentDatapoints": [4.5, None]}
    told = parse(event)[0].annotations
    assert (told["threshold"], told["value"]) == ("3", "4.5")
