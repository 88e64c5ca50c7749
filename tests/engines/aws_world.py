"""AWS for tests: moto in this process, behind a proxy that does what moto never does.

The proxy stands beneath botocore's own retries, at the level of single HTTP requests. It counts them, makes them one at
a time (moto is not thread-safe, DynamoDB serialises writes of an item), answers a transaction repeated with its
``ClientRequestToken`` as DynamoDB does, and injects faults: a rule sees each call before it is made and may answer in
its place, change the request, change the answer, or lose it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber
from tocsin.engines.aws.queues import SqsQueues
from tocsin.engines.aws.store import DynamoStore
from tocsin.ports import DUE, INBOX, Clock, deliver_queue

TABLE = "tocsin"
QUEUES = [INBOX, DUE, *map(deliver_queue, ("pagerduty", "slack", "email", "zendesk", "webhook"))]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(slots=True)
class Call:
    """One HTTP request to AWS: what a rule may read and change."""

    service: str
    operation: str
    body: dict[str, Any]
    number: int  # of this operation, from 1


@dataclass(slots=True)
class Answer:
    """What comes back."""

    status: int
    body: dict[str, Any]


# A rule gives an Answer instead of AWS's, raises a botocore transport error, or gives None and lets the call pass.
Before = Callable[[Call], Answer | None]
# An after-rule sees AWS's answer and may change it, or raise a transport error: the effect stays, the answer is lost.
After = Callable[[Call, Answer], Answer]


@dataclass(slots=True)
class Proxy:
    """The wire between botocore and moto."""

    before: list[Before] = field(default_factory=list)
    after: list[After] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _done: dict[str, Answer] = field(default_factory=dict)

    @contextlib.contextmanager
    def attached(self, client: Any) -> Iterator[Any]:
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register("before-send", self._send)
        try:
            yield client
        finally:
            client.meta.events.unregister("before-send", self._send)

    def total(self) -> int:
        return sum(self.calls.values())

    def reset(self) -> None:
        self.before.clear()
        self.after.clear()
        self.calls.clear()

    def _send(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        _, service, operation = event_name.split(".")
        raw = request.body.decode() if isinstance(request.body, bytes) else request.body
        with self._lock:
            self.calls[operation] += 1
            call = Call(service, operation, json.loads(raw or "{}"), self.calls[operation])
            answer = next((a for a in (rule(call) for rule in list(self.before)) if a is not None), None)
            if answer is None:
                answer = self._perform(event_name, request, call)
                for rule in list(self.after):
                    answer = rule(call, answer)
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, answer.status, headers, MockRawResponse(json.dumps(answer.body)))

    def _perform(self, event_name: str, request: AWSPreparedRequest, call: Call) -> Answer:
        token = call.body.get("ClientRequestToken")
        if token in self._done:
            return self._done[token]
        if call.body != json.loads(request.body or "{}"):  # a rule has changed it
            request.body = json.dumps(call.body).encode()
            request.headers["Content-Length"] = str(len(request.body))
        response = botocore_stubber(event_name, request)
        assert response is not None
        answer = Answer(response.status_code, json.loads(response.text or "{}"))
        if token and answer.status == 200:
            self._done[token] = answer
        return answer


def error(code: str, status: int = 400, **more: Any) -> Answer:
    return Answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **more})


def cancelled(*codes: str) -> Answer:
    return error("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def times(count: int, rule: Callable[..., Any]) -> Callable[..., Any]:
    """Apply a rule to the first calls it says something about, then let everything pass."""
    left = itertools.count(count, -1)

    def limited(call: Call, *answer: Answer) -> Any:
        passing = answer[0] if answer else None
        said = rule(call, *answer)
        if said is passing:
            return passing
        return said if next(left) > 0 else passing

    return limited


def refuse(operation: str, answer: Answer) -> Before:
    """Answer an operation without doing it."""
    return lambda call: answer if call.operation == operation else None


def lose_answer(operation: str, count: int = 1) -> After:
    """Do it, then let the connection time out: the caller cannot know."""
    left = itertools.count(count, -1)

    def rule(call: Call, answer: Answer) -> Answer:
        if call.operation == operation and next(left) > 0:
            raise ReadTimeoutError(endpoint_url=f"https://{call.service}.invalid/")
        return answer

    return rule


def lose_request(operation: str, count: int = 1) -> Before:
    """Never do it: the connection is not even made."""
    left = itertools.count(count, -1)

    def rule(call: Call) -> None:
        if call.operation == operation and next(left) > 0:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.invalid/")

    return rule


@dataclass(slots=True)
class World:
    """An account with the table and the queues of a deployment."""

    _stack: contextlib.ExitStack
    proxy: Proxy = field(default_factory=Proxy)
    urls: dict[str, str] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)
    dynamodb: Any = None
    sqs: Any = None

    def store(self, clock: Clock) -> DynamoStore:
        return DynamoStore(TABLE, self.dynamodb, clock, pause=self.pauses.append)

    def queues(self, clock: Clock) -> SqsQueues:
        return SqsQueues(self.urls, self.sqs, clock, pause=self.pauses.append)

    def client(self, service: str) -> Any:
        return self._stack.enter_context(self.proxy.attached(_client(service)))


@functools.cache
def _client(service: str) -> Any:
    """Make a client with the production's tries; kept, for it takes a tenth of a second and holds no state."""
    return boto3.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 3}))


@contextlib.contextmanager
def aws_world() -> Iterator[World]:
    with (
        mock.patch.dict(os.environ, ENVIRONMENT),
        mock.patch("botocore.retries.standard.ExponentialBackoff.delay_amount", return_value=0),
        mock_aws(),
        contextlib.ExitStack() as stack,
    ):
        world = World(stack)
        world.dynamodb = world.client("dynamodb")
        world.sqs = world.client("sqs")
        world.dynamodb.create_table(**table_request())
        for name in QUEUES:
            made = world.sqs.create_queue(QueueName=name.replace(".", "-"), Attributes={"VisibilityTimeout": "60"})
            world.urls[name] = made["QueueUrl"]
        world.proxy.reset()
        yield world


def table_request() -> dict[str, Any]:
    """The table as template.yaml declares it."""
    kinds = {"pk": "S", "sk": "S", "due_shard": "S", "due_at": "N"}
    return {
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": kind} for n, kind in kinds.items()],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["expires_at"]},
            }
        ],
    }
