"""boto3 clients with limits of time that fit a Lambda; boto3 itself heeds ``AWS_ENDPOINT_URL`` and the region.

Retries are botocore's (mode "standard": throttling, 5xx, lost connections; jittered), few and short: behind each call
stands a queue that brings the message back.
"""

from __future__ import annotations

from typing import Any

_CONNECTIONS = 10  # table.py makes eight calls at once
_TRIES = 3


def dynamodb() -> Any:  # noqa: ANN401 (boto3 has no types)
    """Make a client of DynamoDB: reads and writes of a row are done in milliseconds or not at all."""
    return _client("dynamodb", connect=1.0, read=3.0)


def sqs() -> Any:  # noqa: ANN401
    """Make a client of SQS; receiving does not wait at the server (Lambda's poller does the waiting)."""
    return _client("sqs", connect=1.0, read=5.0)


def secretsmanager() -> Any:  # noqa: ANN401
    """Make a client of Secrets Manager."""
    return _client("secretsmanager", connect=1.0, read=3.0)


def events() -> Any:  # noqa: ANN401
    """Make a client of EventBridge: announcing must not hold a delivery up."""
    return _client("events", connect=1.0, read=2.0, tries=2)


def _client(service: str, *, connect: float, read: float, tries: int = _TRIES) -> Any:  # noqa: ANN401
    import boto3  # noqa: PLC0415 (a tenth of a second that only the first client pays)
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        service,
        config=Config(
            connect_timeout=connect,
            read_timeout=read,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": tries},
            tcp_keepalive=True,
        ),
    )
