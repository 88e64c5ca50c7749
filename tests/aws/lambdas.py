"""Lambda on loopback: the real doors, called by what the template declares: routes, mappings, schedules."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

import time_machine
from botocore.client import BaseClient

from tests.aws.cloud import ACCOUNT, Cloud
from tests.aws.template import MAPPING, REGION, ROOT, of_type, scheduled

STEP = timedelta(seconds=5)  # how finely the driver looks at the queues while it lets time pass
SCHEDULE = re.compile(r"rate\((\d+) minutes?\)")
RECEIVE_LIMIT = 10  # what one call to SQS gives at most


@dataclass(frozen=True)
class Call:
    """One request that a function made to AWS."""

    function: str
    service: str
    operation: str
    parameters: Mapping[str, Any]


class Context:
    """What Lambda tells a handler about its invocation."""

    memory_limit_in_mb = 512

    def __init__(self, function: str) -> None:
        self.function_name = function
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass
class Function:
    """One deployed function: its own module, its own environment."""

    name: str
    code: str
    environment: dict[str, str]
    calls: list[Call]
    _module: ModuleType | None = None

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Hand it an event, as JSON would arrive."""
        with patch.dict(os.environ, self.environment), self._recorded():
            if self._module is None:
                self._module = self._load()
            return self._module.handler(json.loads(json.dumps(event)), Context(self.name))

    def _load(self) -> ModuleType:
        name = f"door_{self.name}"
        spec = importlib.util.spec_from_file_location(name, ROOT / self.code / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        original = BaseClient._make_api_call

        def recording(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            self.calls.append(Call(self.name, client.meta.service_model.service_name, operation, parameters))
            return original(client, operation, parameters)

        with patch.object(BaseClient, "_make_api_call", recording):
            yield


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping: which queue's messages go to which function."""

    function: str
    queue_url: str
    queue_arn: str
    batch: int
    partial: bool


@dataclass
class Lambdas:
    """All functions of a stack, and everything the template says calls them."""

    cloud: Cloud
    calls: list[Call] = field(default_factory=list)
    overrides: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        template, resolve = self.cloud.template, self.cloud.resolver.resolve
        self.functions = {
            name: Function(
                name, spec["Properties"]["Code"]["S3Key"], self.cloud.environment_of(name) | self.overrides, self.calls
            )
            for name, spec in of_type(template, "AWS::Lambda::Function")
        }
        self.mappings = [
            QueueMapping(
                spec["Properties"]["FunctionName"]["Ref"],
                self.cloud.resolver.reference(spec["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]),
                resolve(spec["Properties"]["EventSourceArn"]),
                spec["Properties"]["BatchSize"],
                "ReportBatchItemFailures" in spec["Properties"].get("FunctionResponseTypes", []),
            )
            for _, spec in of_type(template, MAPPING)
        ]
        self.schedules = [
            (int(found[1]), target["Arn"]["Fn::GetAtt"][0], json.loads(target["Input"]))
            for _, rule in of_type(template, "AWS::Events::Rule")
            if scheduled(rule) and (found := SCHEDULE.fullmatch(rule["Properties"]["ScheduleExpression"]))
            for target in rule["Properties"]["Targets"]
        ]
        self._sqs = self.cloud.client("sqs")

    # -- the way in ------------------------------------------------------------------------------------------------

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Post to the HTTP API: the template's routes, payload format 2.0; API Gateway's own 404 where none fits."""
        for _, api in of_type(self.cloud.template, "AWS::ApiGatewayV2::Api"):
            for route, methods in api["Properties"]["Body"]["paths"].items():
                pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route))
                if "post" in methods and (found := pattern.fullmatch(path)):
                    uri = methods["post"]["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                    name = re.search(r"functions/\$\{(\w+)\.Arn\}", uri)
                    assert name is not None
                    event = http_event(route, path, found.groupdict(), body, headers)
                    answer: Mapping[str, Any] = self.functions[name[1]].invoke(event)
                    return answer
        return {"statusCode": 404, "body": '{"message":"Not Found"}'}

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, Any], *, bus: str = "default") -> None:
        """Put an event on a bus; moto matches it with the rules of the stack."""
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "EventBusName": bus}
        answer = self.cloud.client("events").put_events(Entries=[entry])
        assert not answer.get("FailedEntryCount"), answer

    # -- what goes on by itself --------------------------------------------------------------------------------------

    def drain(self) -> int:
        """Play the mappings until no queue has a message that can be seen; says how many messages were handed over."""
        handed = 0
        while taken := sum(self.play(mapping) for mapping in self.mappings):
            handed += taken
        return handed

    def play(self, mapping: QueueMapping) -> int:
        """Hand one batch to the mapping's function, if its queue has any message that can be seen."""
        messages = self._sqs.receive_message(
            QueueUrl=mapping.queue_url, MaxNumberOfMessages=min(mapping.batch, RECEIVE_LIMIT), AttributeNames=["All"]
        ).get("Messages", [])
        if not messages:
            return 0
        answer = self.functions[mapping.function].invoke(
            {"Records": [sqs_record(m, mapping.queue_arn) for m in messages]}
        )
        assert mapping.partial, f"{mapping.function} would see a whole batch again for one message"
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=mapping.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    def run_schedules(self, minute: int) -> None:
        """Fire what is due at that minute."""
        for every, function, event in self.schedules:
            if minute % every == 0:
                self.functions[function].invoke(event)

    def run(self, clock: time_machine.Coordinates, span: timedelta, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass: mappings all along, schedules each minute; stops early once ``until`` holds."""
        passed = timedelta()
        self.drain()
        while passed < span and not until():
            clock.shift(STEP)
            passed += STEP
            if passed % timedelta(minutes=1) == timedelta():
                self.run_schedules(int(passed / timedelta(minutes=1)))
            self.drain()


def http_event(
    route: str, path: str, parameters: Mapping[str, str], body: bytes, headers: Mapping[str, str]
) -> dict[str, Any]:
    """Write what an HTTP API hands to Lambda (payload format 2.0).

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    textual = lowered.get("content-type", "").startswith(("text/", "application/json"))
    return {
        "version": "2.0", "routeKey": f"POST {route}", "rawPath": path, "rawQueryString": "", "headers": lowered,
        "pathParameters": dict(parameters),
        "requestContext": {
            "accountId": ACCOUNT, "apiId": "api", "stage": "$default", "routeKey": f"POST {route}",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
        "body": body.decode() if textual else base64.b64encode(body).decode(), "isBase64Encoded": not textual,
    }  # fmt: skip


def sqs_record(message: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """Write a message as a mapping hands it over.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    return {
        "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
        "attributes": message["Attributes"], "messageAttributes": {}, "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": REGION,
    }  # fmt: skip
