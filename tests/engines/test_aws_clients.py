"""The clients as a function makes them: short of patience, over a real socket wherever ``AWS_ENDPOINT_URL`` points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from tocsin.engines.aws import clients
from tocsin.engines.aws.bus import EventBus
from tocsin.engines.aws.queues import SqsQueues
from tocsin.engines.aws.secrets import SecretsManager
from tocsin.engines.aws.store import DynamoStore
from tocsin.engines.local import SystemClock
from tocsin.engines.metrics import LocalTelemetry
from tocsin.errors import StoreBusyError, StoreError
from tocsin.model import MINUTE
from tocsin.ports import INBOX, Key, Message, Put, Row

from tests.engines.aws_world import ENVIRONMENT, table_request

KEY = Key("p")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def endpoint(environment: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("make", [clients.dynamodb, clients.sqs, clients.secretsmanager, clients.events])
def test_no_client_waits_longer_than_a_function_may(make: Any) -> None:
    config = make().meta.config
    worst = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert config.retries["mode"] == "standard"
    assert worst <= 20


@pytest.mark.usefixtures("endpoint")
def test_every_adapter_speaks_over_a_socket() -> None:
    clock = SystemClock()
    dynamodb, sqs, secretsmanager, events = (
        clients.dynamodb(),
        clients.sqs(),
        clients.secretsmanager(),
        clients.events(),
    )
    dynamodb.create_table(**table_request())
    store = DynamoStore("tocsin", dynamodb, clock)
    store.commit([Put(KEY, {"body": b"\x00"}, due_at=5), Put(Key("q"), {})])
    assert store.get([KEY]) == {KEY: Row(KEY, {"body": b"\x00"}, 1, 0, 5)}
    assert store.due(5, 10) == [(KEY, 5)]
    assert store.write([Put(KEY, {}, expect=7)]) == [False]
    store.close()

    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    queues = SqsQueues({INBOX: url}, sqs, clock)
    queues.send(INBOX, [Message("naïve 🔥")])
    (received,) = queues.receive(INBOX)
    assert (received.body, received.count) == ("naïve 🔥", 1)
    assert abs(received.sent_at - clock.now()) < MINUTE
    queues.ack(INBOX, [received.receipt])

    secretsmanager.create_secret(Name="tocsin/test/slack", SecretString="value")
    assert SecretsManager("tocsin/test/", secretsmanager, clock).get("slack") == "value"

    telemetry = LocalTelemetry()
    EventBus("default", events, telemetry).announce("kind", {})
    assert telemetry.render() == ""


def test_an_endpoint_where_nobody_listens_is_busy(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = DynamoStore("tocsin", clients.dynamodb())
    with pytest.raises(StoreBusyError, match="table tocsin could not be reached just now: EndpointConnectionError"):
        store.get([KEY])


@pytest.mark.usefixtures("endpoint")
def test_a_table_that_is_not_there_is_said() -> None:
    store = DynamoStore("nobodys", clients.dynamodb())
    with pytest.raises(StoreError, match=r"table nobodys refused: .*ResourceNotFoundException") as raised:
        store.get([KEY])
    assert not isinstance(raised.value, StoreBusyError)
