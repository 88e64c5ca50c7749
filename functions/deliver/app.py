"""Lambda's door for the deliveries of one channel; each channel's function has this code, its own queue and secrets."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from tocsin.bootstrap.aws.deployment import environment, on_lambda
from tocsin.bootstrap.aws.telemetry import LambdaTelemetry
from tocsin.bootstrap.aws.worker import Stages, stages

telemetry = LambdaTelemetry()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def stage() -> Stages:
    return stages(environment(), telemetry)


if on_lambda(environment()):
    stage()


@telemetry.invocation
def handler(event: dict[str, Any], context: Any) -> Any:  # noqa: ANN401 (Lambda's signature)
    return process_partial_response(
        event=event,
        record_handler=lambda record: stage().deliver(record.raw_event),
        processor=processor,
        context=context,
    )
