"""What an event says, and how it is made to fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tocsin.channels.wire import clip, render_tree
from tocsin.routing import dedup_key

if TYPE_CHECKING:
    from tocsin.rendering import Notification

# https://developer.pagerduty.com/docs/send-alert-event#parameters
SUMMARY_LIMIT = 1024
SHORT_FIELD_LIMIT = 255
# https://developer.pagerduty.com/docs/events-api-v2-overview#size-limits: 512 KB; some room for what the SDK adds
BODY_LIMIT = 500_000
NOTE_LIMIT = 400  # of the summary, so that the alert's own words stay
SHRUNK_DETAILS_LIMIT = 8_000  # what remains of the details when PagerDuty itself says 413
REMOVED = "removed: the event would exceed PagerDuty's limit of 512 KB"
DEFAULT_SOURCE = "tocsin"
DEFAULT_SEVERITY = "error"  # Alertmanager's; an unknown word must not lose the page to a 400

SEVERITIES = {
    "critical": "critical page fatal emergency emerg panic alert disaster severe blocker sev0 sev1 p0 p1 urgent",
    "error": "error err major high sev2 p2",
    "warning": "warning warn minor medium moderate average sev3 p3",
    "info": "info information informational notice low debug trivial none ok normal sev4 sev5 p4 p5",
}
_SEVERITY_OF = {word: severity for severity, words in SEVERITIES.items() for word in words.split()}

Settings = Mapping[str, Any]
Event = dict[str, Any]


def severity(said: str) -> str:
    """Map what teams call a severity to the four that PagerDuty knows."""
    return _SEVERITY_OF.get(said.strip().lower(), DEFAULT_SEVERITY)


def event(notification: Notification, settings: Settings) -> Event:
    """Make the event without its key; ``service_key`` asks for the older API (v1)."""
    made = _v1(notification, settings) if settings.get("service_key") else _v2(notification, settings)
    return shrink(made, BODY_LIMIT)


def details_of(event: Event) -> Event:
    """Give the details of an event of either version, to be changed in place."""
    found: Event = event["details"] if "details" in event else event["payload"]["custom_details"]
    return found


def shrink(event: Event, limit: int) -> Event:
    """Take out the largest details until the event is no larger than ``limit`` (bytes)."""
    details = details_of(event)
    for name in sorted(details, key=lambda name: len(json.dumps(details[name])), reverse=True):
        if len(json.dumps(event)) <= limit:
            break
        details[name] = REMOVED
    return event


def shrink_further(event: Event) -> Event:
    """Keep only small details: PagerDuty found the event too large."""
    without = len(json.dumps(event)) - len(json.dumps(details_of(event)))
    return shrink(event, without + SHRUNK_DETAILS_LIMIT)


def _summary(notification: Notification, settings: Settings) -> str:
    summary = notification.text(settings.get("description") or "").strip() or "alert"
    if not notification.note:
        return clip(summary, SUMMARY_LIMIT)
    note = clip(notification.note, NOTE_LIMIT)
    return f"{clip(summary, SUMMARY_LIMIT - len(note) - 3)} | {note}"


def _details(notification: Notification, settings: Settings) -> Event:
    details = render_tree(settings.get("details") or {}, notification)
    if notification.note:
        details["note"] = notification.note
    return dict(details)


def _v1(notification: Notification, settings: Settings) -> Event:
    """Source: Alertmanager ``notify/pagerduty/pagerduty.go`` (``notifyV1``)."""
    made = {
        "event_type": "trigger" if notification.firing else "resolve",
        "incident_key": dedup_key(notification.snapshot.group_key),
        "description": _summary(notification, settings),
        "details": _details(notification, settings),
    }
    if notification.firing:
        made["client"] = clip(notification.text(settings.get("client") or ""), SHORT_FIELD_LIMIT)
        made["client_url"] = clip(notification.text(settings.get("client_url") or ""), SUMMARY_LIMIT)
    return made


def _v2(notification: Notification, settings: Settings) -> Event:
    """Source: Alertmanager ``notify/pagerduty/pagerduty.go`` (``notifyV2``)."""

    def short(name: str) -> str:
        return clip(notification.text(settings.get(name) or ""), SHORT_FIELD_LIMIT)

    payload = {
        "summary": _summary(notification, settings),
        "source": short("source").strip() or DEFAULT_SOURCE,
        "severity": severity(short("severity")),
        "class": short("class"),
        "component": short("component"),
        "group": short("group"),
    }
    return {
        "event_action": "trigger" if notification.firing else "resolve",
        "dedup_key": dedup_key(notification.snapshot.group_key),
        "client": short("client"),
        "client_url": clip(notification.text(settings.get("client_url") or ""), SUMMARY_LIMIT),
        "images": _rendered(notification, settings.get("images"), "src"),
        "links": _rendered(notification, settings.get("links"), "href"),
        "payload": {
            **{name: value for name, value in payload.items() if value},
            "custom_details": _details(notification, settings),
        },
    }


def _rendered(notification: Notification, entries: Any, needed: str) -> list[dict[str, str]]:  # noqa: ANN401
    rendered = [{name: notification.text(text or "") for name, text in entry.items()} for entry in entries or ()]
    return [entry for entry in rendered if entry[needed]]
