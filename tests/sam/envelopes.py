"""The envelopes under events/, the function each is for, and what an invocation shows in its log."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
CHANNELS = {
    "email": "DeliverEmailFunction",
    "pagerduty": "DeliverPagerDutyFunction",
    "slack": "DeliverSlackFunction",
    "webhook": "DeliverWebhookFunction",
    "zendesk": "DeliverZendeskFunction",
}
ENVIRONMENT = json.loads((EVENTS / "env.json").read_text("utf-8"))["Parameters"]


def all_envelopes() -> list[Path]:
    """Every envelope of template.yaml's functions, relative to events/."""
    return [
        path.relative_to(EVENTS)
        for folder in ("receive", "decide", "deliver")
        for path in sorted((EVENTS / folder).glob("*.json"))
    ]


def function_of(envelope: Path) -> str:
    """Name the function an envelope is for."""
    if envelope.parent.name == "deliver":
        return CHANNELS[envelope.stem]
    return f"{envelope.parent.name.capitalize()}Function"


@dataclass(frozen=True)
class Shown:
    """What an invocation answered and what its log shows."""

    answer: Mapping[str, Any]
    routed: tuple[tuple[str, str], ...]  # alert name, and the routes with their reasons
    would_send: tuple[tuple[str, str], ...]  # receiver and channel of each notification, in any order
    answered: tuple[int, ...]  # the status in the log

    @staticmethod
    def of(answer: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> Shown:
        lines = list(lines)
        by_message = {
            message: [line["fields"] for line in lines if line.get("message") == message]
            for message in ("routed", "would send", "answered")
        }
        return Shown(
            answer={key: value for key, value in answer.items() if answer.get("statusCode") != 202 or key != "body"},
            routed=tuple(sorted((each["alertname"], each["routes"]) for each in by_message["routed"])),
            would_send=tuple(sorted((each["receiver"], each["channel"]) for each in by_message["would send"])),
            answered=tuple(each["status"] for each in by_message["answered"]),
        )


def in_process(envelope: Path) -> Shown:
    """Run the door of an envelope's function here, with the environment that sam local gives it."""
    lines: list[Mapping[str, Any]] = []
    with patch.dict(os.environ, {**ENVIRONMENT, "POWERTOOLS_METRICS_NAMESPACE": "Tocsin"}):
        name = f"door_{envelope.parent.name}"
        path = ROOT / "functions" / envelope.parent.name / "app.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.telemetry.log = lambda level, message, /, **fields: lines.append(
            {"level": level, "message": message, "fields": fields}
        )
        answer = module.handler(json.loads((EVENTS / envelope).read_text("utf-8")), Context())
    return Shown.of(answer, lines)


class Context:
    """Lambda's context, as far as Powertools reads it."""

    function_name = "door"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:door"
    aws_request_id = "request"
