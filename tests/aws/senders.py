"""What senders send: the sample bodies, each by the way its source comes in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.aws import config
from tests.aws.lambdas import Lambdas

PAYLOADS = Path(__file__).resolve().parents[2] / "events" / "payloads"
JSON = {"content-type": "application/json"}


def alertmanager(lambdas: Lambdas, name: str, token: str = config.BEARER) -> Mapping[str, Any]:
    body = (PAYLOADS / "alertmanager" / f"{name}.json").read_bytes()
    return post_alertmanager(lambdas, body, token)


def post_alertmanager(lambdas: Lambdas, body: bytes, token: str = config.BEARER) -> Mapping[str, Any]:
    return lambdas.post("/webhooks/alertmanager", body, {**JSON, "Authorization": f"Bearer {token}"})


def pingdom(lambdas: Lambdas, name: str, token: str = config.PATH) -> Mapping[str, Any]:
    return lambdas.post(f"/webhooks/pingdom/{token}", (PAYLOADS / "pingdom" / f"{name}.json").read_bytes(), JSON)


def cloudwatch(lambdas: Lambdas, name: str) -> Mapping[str, Any]:
    """Raise a CloudWatch alarm: the rule brings it in, there is no door that could refuse it."""
    event = json.loads((PAYLOADS / "cloudwatch" / f"{name}.json").read_text("utf-8"))
    lambdas.put_event(event["source"], event["detail-type"], event["detail"])
    return {"statusCode": 202}
