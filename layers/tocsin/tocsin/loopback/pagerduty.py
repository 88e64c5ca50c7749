"""PagerDuty's Events API v2 (and v1) as it behaves: https://developer.pagerduty.com/docs/send-alert-event ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tocsin.loopback.http import HttpVendor, Request, Response

# https://developer.pagerduty.com/docs/events-api-v2-overview#size-limits
BODY_LIMIT = 512 * 1024
SUMMARY_LIMIT = 1024
DEDUP_KEY_LIMIT = 255
SEVERITIES = {"critical", "error", "warning", "info"}
ACTIONS = {"trigger", "acknowledge", "resolve"}
V2_PATH = "/v2/enqueue"
V1_PATH = "/generic/2010-04-15/create_event.json"


@dataclass(slots=True)
class Incident:
    """What people are paged for. ``events`` are the bodies that made and changed it."""

    number: int
    dedup_key: str
    routing_key: str
    summary: str
    severity: str
    status: str = "triggered"  # triggered | acknowledged | resolved
    events: list[dict[str, Any]] = field(default_factory=list)


class PagerDutyVendor(HttpVendor):
    """Equal dedup keys merge into the open incident; a trigger after a resolve opens a new one."""

    def __init__(self, port: int = 0, routing_keys: set[str] | None = None) -> None:
        """Serve everybody, or only who knows one of the ``routing_keys``."""
        super().__init__(port)
        self.routing_keys = routing_keys
        self.incidents: list[Incident] = []
        self.events: list[dict[str, Any]] = []
        self.dropped: list[dict[str, Any]] = []  # resolves and acknowledgements with nothing open

    def open(self, dedup_key: str) -> Incident | None:
        """Give the incident that is open under a key."""
        return next((i for i in self.incidents if i.dedup_key == dedup_key and i.status != "resolved"), None)

    def answer(self, request: Request) -> Response:
        """Take an event of either version."""
        if request.method != "POST" or request.path not in {V1_PATH, V2_PATH}:
            return Response(404, {"status": "not found"})
        if len(request.body) > BODY_LIMIT:
            return Response(413, {"status": "invalid event", "message": "Event is too large"})
        try:
            event = request.json()
        except ValueError:
            return _invalid("JSON could not be parsed")
        if not isinstance(event, dict):
            return _invalid("event must be an object")
        if request.path == V1_PATH:
            event = _as_v2(event)
        errors = self._errors(event)
        if errors:
            return _invalid(*errors)
        key = event.get("dedup_key") or f"generated-{len(self.events)}"
        self.events.append(event)
        self._act(key, event)
        if request.path == V1_PATH:
            return Response(200, {"status": "success", "message": "Event processed", "incident_key": key})
        return Response(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def _errors(self, event: dict[str, Any]) -> list[str]:
        errors = []
        if event.get("event_action") not in ACTIONS:
            errors.append("'event_action' is missing or not one of trigger, acknowledge, resolve")
        routing_key = event.get("routing_key")
        if not isinstance(routing_key, str) or not routing_key:
            errors.append("'routing_key' is missing or blank")
        elif self.routing_keys is not None and routing_key not in self.routing_keys:
            errors.append("Invalid routing key")
        key = event.get("dedup_key")
        if key is not None and (not isinstance(key, str) or len(key) > DEDUP_KEY_LIMIT):
            errors.append(f"'dedup_key' must be text of at most {DEDUP_KEY_LIMIT} characters")
        if event.get("event_action") == "trigger":
            errors.extend(_payload_errors(event.get("payload")))
            errors.extend("'links' need a 'href'" for link in event.get("links", ()) if not link.get("href"))
            errors.extend("'images' need a 'src'" for image in event.get("images", ()) if not image.get("src"))
        elif not key:
            errors.append("'dedup_key' is missing")
        return errors

    def _act(self, key: str, event: dict[str, Any]) -> None:
        incident = self.open(key)
        if event["event_action"] == "trigger":
            if incident is None:
                payload = event["payload"]
                incident = Incident(
                    len(self.incidents) + 1, key, event["routing_key"], payload["summary"], payload["severity"]
                )
                self.incidents.append(incident)
            incident.events.append(event)
        elif incident is None:
            self.dropped.append(event)
        else:
            incident.events.append(event)
            incident.status = "resolved" if event["event_action"] == "resolve" else "acknowledged"


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing"]
    errors = []
    summary = payload.get("summary")
    if not isinstance(summary, str) or not summary:
        errors.append("'payload.summary' is missing or blank")
    elif len(summary) > SUMMARY_LIMIT:
        errors.append(f"'payload.summary' is longer than {SUMMARY_LIMIT} characters")
    if not payload.get("source"):
        errors.append("'payload.source' is missing or blank")
    if payload.get("severity") not in SEVERITIES:
        errors.append("'payload.severity' is not one of critical, error, warning, info")
    if not isinstance(payload.get("custom_details", {}), dict):
        errors.append("'payload.custom_details' is not an object")
    return errors


def _as_v2(event: dict[str, Any]) -> dict[str, Any]:
    """Read a v1 event as v2 means it: https://developer.pagerduty.com/docs/events-api-v1-overview ."""
    summary = event.get("description")
    return {
        "routing_key": event.get("service_key"),
        "event_action": event.get("event_type"),
        "dedup_key": event.get("incident_key"),
        "payload": {
            "summary": summary,
            "source": event.get("client") or "v1",
            "severity": "critical",
            "custom_details": event.get("details") or {},
        },
    }


def _invalid(*errors: str) -> Response:
    return Response(400, {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)})
