"""Lambda's door for senders: POST /webhooks/{source} and /webhooks/{source}/{token}."""

from functools import cache
from typing import Any

from tocsin.bootstrap.aws.deployment import environment, on_lambda
from tocsin.bootstrap.aws.receive import Receiver, receive
from tocsin.bootstrap.aws.records import request
from tocsin.bootstrap.aws.telemetry import LambdaTelemetry

telemetry = LambdaTelemetry()


@cache
def stage() -> Receiver:
    return receive(environment(), telemetry)


if on_lambda(environment()):
    stage()


@telemetry.invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001 (Lambda's signature)
    answer = stage().handle(*request(event))
    return {
        "statusCode": answer.status,
        "headers": {"content-type": "text/plain; charset=utf-8"},
        "body": answer.text,
    }
