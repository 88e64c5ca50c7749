"""Lambda's door for the inbox, for what is due, and for the minute's tick."""

from functools import cache
from typing import Any

from tocsin.bootstrap.aws.deployment import environment, on_lambda
from tocsin.bootstrap.aws.telemetry import LambdaTelemetry
from tocsin.bootstrap.aws.worker import Stages, stages

telemetry = LambdaTelemetry()


@cache
def stage() -> Stages:
    return stages(environment(), telemetry)


if on_lambda(environment()):
    stage()


@telemetry.invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001 (Lambda's signature)
    failed = stage().decide(event)
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
