"""What template.yaml promises besides what the stories show: limits that hang together, alarms, nothing in the open."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from tests.aws.template import MAPPING, ROOT, of_type, read, transformed

TEMPLATE = transformed({"CatchAllEmail": "somebody@tocsin.test"})
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
QUEUES = dict(of_type(TEMPLATE, "AWS::SQS::Queue"))
WORK_QUEUES = [name for name in QUEUES if name.endswith("Queue")]
CHANNELS = ("PagerDuty", "Slack", "Email", "Zendesk", "Webhook")
FUNCTIONS = ["ReceiveFunction", "DecideFunction", *(f"Deliver{channel}Function" for channel in CHANNELS)]
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_TIMES, RECEIVES = 6, 5


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def alarms(metric: str) -> dict[str, Any]:
    return {
        json.dumps(alarm["Properties"].get("Dimensions", "")): alarm["Properties"]
        for _, alarm in of_type(TEMPLATE, "AWS::CloudWatch::Alarm")
        if alarm["Properties"]["MetricName"] == metric
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functions_are_there_with_their_fixed_names(name: str) -> None:
    assert properties(name)["Runtime"] == "python3.13"
    assert properties(name)["Handler"] == "app.handler"
    assert len((ROOT / properties(name)["Code"]["S3Key"] / "app.py").read_text("utf-8").splitlines()) <= 40


@pytest.mark.parametrize("mapping", [name for name, _ in of_type(TEMPLATE, MAPPING)])
def test_a_queue_outlasts_its_functions_time_limit(mapping: str) -> None:
    spec = properties(mapping)
    queue = properties(spec["EventSourceArn"]["Fn::GetAtt"][0])
    limit = properties(spec["FunctionName"]["Ref"])["Timeout"]
    assert queue["VisibilityTimeout"] >= VISIBILITY_TIMES * limit
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= RECEIVES
    assert spec["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_queue_but_the_inbox_and_due_belongs_to_one_channels_function() -> None:
    takers: dict[str, list[str]] = {}
    for _, spec in of_type(TEMPLATE, MAPPING):
        queue = spec["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        takers.setdefault(queue, []).append(spec["Properties"]["FunctionName"]["Ref"])
        if queue.startswith("Deliver"):
            assert spec["Properties"]["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert takers == {
        "InboxQueue": ["DecideFunction"],
        "DueQueue": ["DecideFunction"],
        **{f"Deliver{channel}Queue": [f"Deliver{channel}Function"] for channel in CHANNELS},
    }


@pytest.mark.parametrize("name", WORK_QUEUES)
def test_a_queue_has_dead_letters_that_raise_an_alarm(name: str) -> None:
    (letters, _) = properties(name)["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
    assert properties(name)["SqsManagedSseEnabled"] is properties(letters)["SqsManagedSseEnabled"] is True
    # a dead letter keeps the age it had, so it must be kept for longer than its queue keeps it
    assert properties(letters)["MessageRetentionPeriod"] > properties(name)["MessageRetentionPeriod"]
    depth = alarms("ApproximateNumberOfMessagesVisible")
    age = alarms("ApproximateAgeOfOldestMessage")
    assert any(f'"{letters}"' in dimensions and alarm["Threshold"] == 0 for dimensions, alarm in depth.items())
    assert any(f'"{name}"' in dimensions for dimensions in age)


@pytest.mark.parametrize("metric", ["given_up", "5xx", "Bounce", "Errors"])
def test_what_nobody_would_hear_of_raises_an_alarm(metric: str) -> None:
    assert alarms(metric)


def test_the_gateways_own_refusals_raise_an_alarm() -> None:
    (metric_filter,) = (spec["Properties"] for _, spec in of_type(TEMPLATE, "AWS::Logs::MetricFilter"))
    assert metric_filter["FilterPattern"] == '{ $.status = "4*" && $.integrationStatus = "-" }'
    (transformation,) = metric_filter["MetricTransformations"]
    assert transformation["MetricName"] in [
        alarm["Properties"]["MetricName"] for _, alarm in of_type(TEMPLATE, "AWS::CloudWatch::Alarm")
    ]


def test_access_logs_hold_the_route_and_never_the_path() -> None:
    (stage,) = (spec["Properties"] for _, spec in of_type(TEMPLATE, "AWS::ApiGatewayV2::Stage"))
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert logged["route"] == "$context.routeKey"
    assert not re.search(r"\$context\.(path|http|requestOverride|domain)", stage["AccessLogSettings"]["Format"])
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] >= 10_000  # a sender loses its alert on a 429


def test_the_inbox_takes_events_from_our_two_rules_only() -> None:
    policies = [spec["Properties"] for _, spec in of_type(TEMPLATE, "AWS::SQS::QueuePolicy")]
    allowed = [s for policy in policies for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    (statement,) = allowed
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert [arn["Fn::GetAtt"][0] for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]] == [
        "CloudWatchAlarmsRule",
        "BusRule",
    ]
    covered = {ref["Ref"] for policy in policies for ref in policy["Queues"]}
    assert covered == set(QUEUES)  # and all of them refuse what is not encrypted


def test_the_table_is_kept_and_can_be_restored() -> None:
    table = RESOURCES["Table"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["Properties"]["DeletionProtectionEnabled"]["Fn::If"] == ["Production", True, False]


def test_no_variable_holds_a_secret() -> None:
    for _, function in of_type(TEMPLATE, "AWS::Lambda::Function"):
        variables = function["Properties"]["Environment"]["Variables"]
        assert not [name for name in variables if re.search("TOKEN|PASSWORD|KEY|CREDENTIAL", name)]
        assert "IngestToken" not in json.dumps(variables)


def test_each_environment_has_its_parameters() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    known = read()["Parameters"]
    for environment in ("integration", "staging", "production"):
        overrides = config[environment]["deploy"]["parameters"]["parameter_overrides"]
        given = dict(each.split("=", 1) for each in overrides)
        assert given["Environment"] == environment
        assert given.keys() <= known.keys()
        assert given["CatchAllEmail"].endswith("@example.com")  # which the template refuses until it is changed


@pytest.mark.parametrize(
    ("address", "fits"),
    [("alerts@example.com", False), ("alerts", False), ("a b@c.de", False), ("operators@tocsin.test", True)],
)
def test_the_catch_all_must_be_an_address_that_somebody_reads(address: str, fits: bool) -> None:
    assert bool(re.search(read()["Parameters"]["CatchAllEmail"]["AllowedPattern"], address)) is fits
