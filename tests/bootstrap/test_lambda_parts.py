"""What Lambda's doors are made of: environment, events, telemetry, the plan that is built in."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tocsin.bootstrap.aws.builtin import builtin_plan
from tocsin.bootstrap.aws.deployment import Deployment, deployment, is_embedded, queue_of
from tocsin.bootstrap.aws.records import received, request
from tocsin.bootstrap.aws.telemetry import LambdaTelemetry
from tocsin.channels.email.settings import EmailSettings
from tocsin.config import codec
from tocsin.errors import ConfigError
from tocsin.model import SECOND
from tocsin.sources import REGISTRY

ENVIRONMENT = {
    "TOCSIN_TABLE": "table",
    "TOCSIN_SECRET_PREFIX": "tocsin/integration/",
    "TOCSIN_BUS": "tocsin",
    "TOCSIN_CATCH_ALL_EMAIL": "catch-all@tocsin.test",
    "TOCSIN_QUEUE_INBOX": "https://sqs.eu-west-1.amazonaws.com/123456789012/tocsin-inbox",
    "TOCSIN_QUEUE_DUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/tocsin-due",
    "TOCSIN_QUEUE_DELIVER_SLACK": "https://sqs.eu-west-1.amazonaws.com/123456789012/tocsin-deliver-slack",
}
TELEMETRY = LambdaTelemetry()  # made before any test puts another standard output in place


@pytest.fixture
def stack() -> Deployment:
    return deployment(ENVIRONMENT)


def test_queues_are_known_by_our_names_of_them(stack: Deployment) -> None:
    assert set(stack.queues) == {"inbox", "due", "deliver.slack"}
    assert queue_of("arn:aws:sqs:eu-west-1:123456789012:tocsin-inbox", stack.queues) == "inbox"
    assert queue_of("arn:aws:sqs:eu-west-1:123456789012:tocsin-deliver-slack", stack.queues) == "deliver.slack"
    assert queue_of("arn:aws:sqs:eu-west-1:123456789012:another", stack.queues) == ""


@pytest.mark.parametrize("missing", ["TOCSIN_TABLE", "TOCSIN_BUS", "TOCSIN_QUEUE_INBOX", "TOCSIN_CATCH_ALL_EMAIL"])
def test_what_the_environment_lacks_is_named(missing: str) -> None:
    with pytest.raises(ConfigError, match=f"lacks {missing}.*template.yaml"):
        deployment({name: value for name, value in ENVIRONMENT.items() if name != missing})


def test_mail_comes_from_the_catch_all_until_another_sender_is_named(stack: Deployment) -> None:
    assert stack.email_from == "catch-all@tocsin.test"
    named = deployment({**ENVIRONMENT, "TOCSIN_EMAIL_FROM": "tocsin@tocsin.test"})
    assert named.email_from == "tocsin@tocsin.test"


def test_each_container_is_a_worker_of_its_own() -> None:
    one, other = (deployment({**ENVIRONMENT, "AWS_LAMBDA_LOG_STREAM_NAME": f"stream-{n}"}) for n in range(2))
    assert one.worker != other.worker


@pytest.mark.parametrize(("said", "holds"), [("dry-run", True), ("live", False), ("", False)])
def test_nothing_is_sent_only_where_the_deployment_says_so(said: str, holds: bool) -> None:
    assert deployment({**ENVIRONMENT, "TOCSIN_DELIVERY": said}).dry_run is holds


def test_a_function_is_embedded_only_when_told() -> None:
    assert is_embedded({"TOCSIN_ENGINE": "embedded"})
    assert not is_embedded({"TOCSIN_ENGINE": "aws"})
    assert not is_embedded({})


REQUESTS: list[tuple[str, dict[str, Any], tuple[str, str, dict[str, str], bytes]]] = [
    (
        "header names become lower case, for sam local keeps the sender's",
        {"pathParameters": {"source": "pingdom"}, "headers": {"Content-Type": "x"}, "body": "{}"},
        ("pingdom", "", {"content-type": "x"}, b"{}"),
    ),
    (
        "a signature is over the raw bytes, so what the gateway encoded is decoded",
        {
            "pathParameters": {"source": "a", "token": "t"},
            "headers": {},
            "body": base64.b64encode(b"\xff\x00").decode(),
            "isBase64Encoded": True,
        },
        ("a", "t", {}, b"\xff\x00"),
    ),
    (
        "half a surrogate pair is no reason to lose an alert",
        {"pathParameters": {"source": "a"}, "headers": {}, "body": "\ud800"},
        ("a", "", {}, b"\xed\xa0\x80"),
    ),
    ("nothing at all", {"pathParameters": None, "headers": None, "body": None}, ("", "", {}, b"")),
]


@pytest.mark.parametrize(("why", "event", "expected"), REQUESTS, ids=[each[0] for each in REQUESTS])
def test_a_request_is_read(why: str, event: dict[str, Any], expected: tuple[str, str, dict[str, str], bytes]) -> None:
    assert request(event) == expected, why


def test_a_record_is_read() -> None:
    record = {
        "messageId": "m",
        "body": "{}",
        "receiptHandle": "r",
        "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1793628000000"},
    }
    read = received(record)
    assert (read.id, read.body, read.receipt, read.count) == ("m", "{}", "r", 3)
    assert read.sent_at == 1_793_628_000 * SECOND


def test_the_builtin_plan_is_one_that_a_config_could_have_made(stack: Deployment) -> None:
    plan = builtin_plan(stack)
    assert codec.from_json(codec.to_json(plan)) == plan
    (mail,) = plan.receivers[plan.catch_all].integrations
    settings = EmailSettings.model_validate(mail.settings)
    assert (settings.to, settings.transport) == ("catch-all@tocsin.test", "ses")
    assert set(plan.sources) <= set(REGISTRY)
    assert all(source.auth["token"] == {"$secret": "sources/ingest-token"} for source in plan.sources.values())
    assert not plan.open_on_loopback


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]


def test_counts_are_gathered_and_written_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tocsin")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "tocsin")
    for _ in range(5_000):
        TELEMETRY.count("alerts", source="alertmanager")
    TELEMETRY.count("given_up", channel="slack")
    TELEMETRY.count("ticks")
    TELEMETRY.flush()
    alerts, given_up, ticks = written(capsys)
    assert alerts["alerts"] == [5_000.0]
    assert given_up["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Tocsin",
            "Dimensions": [["service"], ["channel"]],  # the alarm of template.yaml asks for the first
            "Metrics": [{"Name": "given_up", "Unit": "Count"}],
        }
    ]
    assert (given_up["service"], given_up["channel"]) == ("tocsin", "slack")
    assert ticks["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    TELEMETRY.flush()
    assert written(capsys) == []


def test_counts_are_written_even_when_the_handler_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tocsin")

    @TELEMETRY.invocation
    def handler(event: dict[str, Any], context: Any) -> None:
        TELEMETRY.count("defects")
        raise ValueError(event)

    class Context:
        function_name = invoked_function_arn = aws_request_id = "x"
        memory_limit_in_mb = 512

    with pytest.raises(ValueError, match="boom"):
        handler({"boom": 1}, Context())
    assert [each["defects"] for each in written(capsys)] == [[1.0]]
