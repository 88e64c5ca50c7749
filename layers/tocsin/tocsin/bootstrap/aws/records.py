"""What Lambda hands over, in our own words.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

from tocsin.model import Instant
from tocsin.ports import Received

_MILLISECOND: Instant = 1_000_000


class Request(NamedTuple):
    """A request to ``/webhooks/{source}[/{token}]``."""

    source: str
    token: str
    headers: Mapping[str, str]
    body: bytes


def request(event: Mapping[str, Any]) -> Request:
    """Read an event of an HTTP API; its header names become lower case, for ``sam local`` keeps the sender's."""
    path = event.get("pathParameters") or {}
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")
    return Request(path.get("source", ""), path.get("token", ""), headers, raw)


def received(record: Mapping[str, Any]) -> Received:
    """Read a record of an event source mapping."""
    attributes = record["attributes"]
    return Received(
        id=record["messageId"],
        body=record["body"],
        count=int(attributes["ApproximateReceiveCount"]),
        receipt=record["receiptHandle"],
        sent_at=int(attributes["SentTimestamp"]) * _MILLISECOND,
    )
