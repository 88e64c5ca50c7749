"""Secrets Manager and EventBridge: what is kept, what is asked again, what is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tocsin.engines.aws.bus import EventBus
from tocsin.engines.aws.secrets import SecretsManager
from tocsin.engines.metrics import LocalTelemetry
from tocsin.errors import SecretError
from tocsin.model import MINUTE

from tests.engines.aws_world import World, aws_world, error, lose_request, refuse
from tests.engines.conftest import TestClock

SECRET = "xoxb-very-secret"


@pytest.fixture
def world() -> Iterator[World]:
    with aws_world() as made:
        yield made


@pytest.fixture
def client(world: World) -> Any:
    made = world.client("secretsmanager")
    made.create_secret(Name="tocsin/test/slack", SecretString=SECRET)
    made.create_secret(Name="tocsin/test/smtp", SecretString=f'{{"user": "u", "password": "{SECRET}", "port": 25}}')
    made.create_secret(Name="tocsin/test/binary", SecretBinary=b"\x00")
    world.proxy.reset()
    return made


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def secrets(client: Any, clock: TestClock) -> SecretsManager:
    return SecretsManager("tocsin/test/", client, clock)


def test_a_secret_by_name_by_part_and_by_arn(secrets: SecretsManager, client: Any) -> None:
    assert secrets.get("slack") == SECRET
    assert secrets.get("smtp#user") == "u"
    assert secrets.get("smtp#password") == SECRET
    assert secrets.get(client.describe_secret(SecretId="tocsin/test/slack")["ARN"]) == SECRET


def test_a_secret_is_asked_for_once_in_a_while(secrets: SecretsManager, world: World, clock: TestClock) -> None:
    for name in ("slack", "smtp#user", "smtp#password", "slack"):
        secrets.get(name)
    assert world.proxy.calls["GetSecretValue"] == 2
    clock.advance(5 * MINUTE)
    secrets.get("slack")
    assert world.proxy.calls["GetSecretValue"] == 3


def test_a_rotated_secret_counts_when_refreshed(secrets: SecretsManager, client: Any) -> None:
    secrets.get("slack")
    client.put_secret_value(SecretId="tocsin/test/slack", SecretString="new")
    assert secrets.get("slack") == SECRET
    secrets.refresh("slack")
    assert secrets.get("slack") == "new"
    secrets.refresh("never asked for")


def test_a_known_value_bridges_an_outage(secrets: SecretsManager, world: World, clock: TestClock) -> None:
    secrets.get("slack")
    clock.advance(10 * MINUTE)
    world.proxy.before.append(lose_request("GetSecretValue", 99))
    assert secrets.get("slack") == SECRET
    world.proxy.before[:] = [refuse("GetSecretValue", error("ResourceNotFoundException"))]
    clock.advance(10 * MINUTE)
    with pytest.raises(SecretError, match="does not exist"):
        secrets.get("slack")  # deleted is not an outage


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "secret 'tocsin/test/nobody' does not exist: create it, or push the configuration again"),
        ("binary", "secret 'tocsin/test/binary' is binary: store it as text"),
        ("slack#user", "secret 'slack#user': the secret is no JSON object, so it has no key 'user'"),
        ("smtp#host", "secret 'smtp#host': the secret has no key 'host' that is text"),
        ("smtp#port", "secret 'smtp#port': the secret has no key 'port' that is text"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(secrets: SecretsManager, name: str, sentence: str) -> None:
    with pytest.raises(SecretError) as raised:
        secrets.get(name)
    assert str(raised.value) == sentence
    chained = [str(e) for e in (raised.value, raised.value.__cause__, raised.value.__context__) if e]
    assert SECRET not in "".join(chained)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("AccessDeniedException", "secretsmanager:GetSecretValue"),
        ("DecryptionFailure", "kms:Decrypt"),
        ("ThrottlingException", "cannot be had just now"),
        ("SomethingElse", "cannot be had: SomethingElse"),
    ],
)
def test_a_refusal_says_what_to_do(secrets: SecretsManager, world: World, code: str, sentence: str) -> None:
    world.proxy.before.append(refuse("GetSecretValue", error(code)))
    with pytest.raises(SecretError, match=sentence):
        secrets.get("slack")


# ---- the bus ---------------------------------------------------------------------------------------------------------


def test_an_event_reaches_the_bus_as_from_tocsin(world: World) -> None:
    events = world.client("events")
    events.create_event_bus(Name="tocsin")
    sent: list[Any] = []
    world.proxy.before.append(lambda call: sent.extend(call.body.get("Entries", [])))
    telemetry = LocalTelemetry()
    EventBus("tocsin", events, telemetry).announce("Notification Sent", {"receiver": "team", "n": 1})
    assert sent == [
        {
            "EventBusName": "tocsin",
            "Source": "tocsin",
            "DetailType": "Notification Sent",
            "Detail": '{"receiver": "team", "n": 1}',
        }
    ]
    assert telemetry.render() == ""


@pytest.mark.parametrize(
    ("sentence", "rule", "detail"),
    [
        ("the bus cannot be reached", lose_request("PutEvents", 99), {}),
        ("the bus does not exist", refuse("PutEvents", error("ResourceNotFoundException")), {}),
        ("the detail is no JSON", lambda _: None, {"body": b"x"}),
    ],
)
def test_announcing_fails_nobody_and_is_counted(world: World, sentence: str, rule: Any, detail: Any) -> None:
    telemetry = LocalTelemetry()
    world.proxy.before.append(rule)
    EventBus("tocsin", world.client("events"), telemetry).announce("kind", detail)
    assert telemetry.value("announcements_failed", kind="kind") == 1, sentence
    EventBus("tocsin", world.client("events")).announce("kind", detail)  # nor without anybody to count


def test_an_entry_that_failed_within_a_success_is_counted(world: World) -> None:
    telemetry = LocalTelemetry()
    events = world.client("events")

    def half(_: Any, answer: Any) -> Any:
        answer.status, answer.body = 200, {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        return answer

    world.proxy.after.append(half)
    EventBus("tocsin", events, telemetry).announce("kind", {})
    assert telemetry.value("announcements_failed", kind="kind") == 1
