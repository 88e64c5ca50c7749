"""What a ticket says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tocsin.channels.wire import clean, clip, digest

if TYPE_CHECKING:
    from tocsin.rendering import Notification

# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#json-format: 64 kB a comment
COMMENT_LIMIT = 60_000
SUBJECT_LIMIT = 150  # what agents see of it in a view
TAG_LIMIT = 80
PRIORITIES = {
    "urgent": "urgent critical page fatal emergency alert disaster severe blocker sev0 sev1 p0 p1",
    "high": "high error major err sev2 p2",
    "normal": "normal warning warn medium minor moderate average sev3 p3",
    "low": "low info information informational notice debug none sev4 sev5 p4 p5",
}
_PRIORITY_OF = {word: priority for priority, words in PRIORITIES.items() for word in words.split()}
DEFAULT_PRIORITY = "normal"
TYPES = frozenset(("incident", "problem", "question", "task"))

Settings = Mapping[str, Any]


def marker(delivery_id: str) -> str:
    """Name a delivery within a comment, so that it is found when its answer was lost."""
    return f"tocsin delivery {digest(delivery_id)[:16]}"


def external_id(notification: Notification) -> str:
    """Name the lane, so that its ticket is found when its number was lost."""
    snapshot = notification.snapshot
    return "tocsin-" + digest(notification.receiver, snapshot.route_id, snapshot.group_key)


def body(notification: Notification, settings: Settings) -> dict[str, Any]:
    """Make the wire body: the ``ticket`` to make, the ``comment`` for one that exists, and what to do with it."""
    text = notification.text
    described = text(settings.get("description") or "").strip() or "An alert without a description."
    lines = (notification.note, f"{notification.reason}.", described)
    said = clip("\n\n".join(line for line in lines if line), COMMENT_LIMIT)
    said = f"{said}\n\n{marker(notification.delivery_id)}"
    kind = text(settings.get("type") or "").strip().lower()
    ticket: dict[str, Any] = {
        "subject": clip(" ".join(text(settings.get("subject") or "").split()) or "Alert", SUBJECT_LIMIT),
        "comment": {"body": said, "public": False},
        "type": kind if kind in TYPES else "incident",
        "priority": priority(text(settings.get("priority") or "")),
        "tags": sorted({_tag(text(tag)) for tag in settings.get("tags") or ()} - {""}),
        "external_id": external_id(notification),
        **{name: settings[name] for name in ("assignee_id", "group_id", "ticket_form_id") if settings.get(name)},
    }
    if settings.get("assignee_email"):
        ticket["assignee_email"] = settings["assignee_email"]
    if settings.get("requester_email"):
        email = settings["requester_email"]
        ticket["requester"] = {"email": email, "name": settings.get("requester_name") or email}
    fields = settings.get("custom_fields") or {}
    if fields:
        ticket["custom_fields"] = [{"id": int(name), "value": clean(text(value))} for name, value in fields.items()]
    return {
        "ticket": ticket,
        "comment": said,
        "marker": marker(notification.delivery_id),
        "firing": notification.firing,
        "resolved_status": settings.get("status_when_resolved") or "solved",
    }


def priority(said: str) -> str:
    """Map what teams call a severity to the four that Zendesk knows."""
    return _PRIORITY_OF.get(said.strip().lower(), DEFAULT_PRIORITY)


def _tag(text: str) -> str:
    """Write a tag as Zendesk keeps it: lower case, no blanks or commas."""
    return clip("_".join(text.replace(",", " ").split()).lower(), TAG_LIMIT).rstrip("…")
