"""What a mail says, and the message that is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from html import escape
from typing import TYPE_CHECKING, Any

from tocsin.channels.wire import clean, clip, digest
from tocsin.model import SECOND, Instant

if TYPE_CHECKING:
    from tocsin.rendering import Notification

# Mail servers take 10 MB and more, mailboxes clip what they show at 102 KB: beyond this nobody reads on.
BODY_LIMIT = 1_000_000
HEADER_LIMIT = 500
OURS = ("Content-Type", "Content-Transfer-Encoding", "Mime-Version")  # they follow from the parts
_BODY_TAG = re.compile(r"<body[^>]*>", re.IGNORECASE)
_POLICY = SMTP.clone(max_line_length=78)

Settings = Mapping[str, Any]


def body(notification: Notification, settings: Settings) -> dict[str, Any]:
    """Make the wire body: envelope, headers, ``text`` and ``html``."""
    names = {"From": settings.get("from") or "", "To": settings.get("to") or "", **(settings.get("headers") or {})}
    headers = {name: clip(" ".join(notification.text(text).split()), HEADER_LIMIT) for name, text in names.items()}
    for name in OURS:
        headers.pop(name, None)
    headers.pop("To", None)  # may be longer than any other header: the recipients are told whole
    threading = settings.get("threading") or {}
    if threading.get("enabled"):
        root = thread_root(notification, daily=threading.get("thread_by_date") != "none")
        headers |= {"References": root, "In-Reply-To": root}
    to = " ".join(notification.text((settings.get("headers") or {}).get("To") or settings.get("to") or "").split())
    text, html = _parts(notification, settings)
    return {
        "sender": _addresses(notification.text(settings.get("from") or ""))[:1],
        "recipients": _addresses(notification.text(settings.get("to") or "")),
        "headers": {**headers, "To": clean(to)},
        "text": text or ("" if html else headers.get("Subject", "")),
        "html": html,
        "date": notification.snapshot.taken,
    }


def thread_root(notification: Notification, *, daily: bool) -> str:
    """Name the mail that never was, below which a group's mails hang (Alertmanager ``notify/email/email.go``)."""
    key = digest(notification.snapshot.group_key)[:16]
    day = f"{_moment(notification.snapshot.taken):%Y-%m-%d}" if daily else ""
    return f"<alert-{key}-{day}@alertmanager>"


def message(wire: Mapping[str, Any], delivery_id: str, recipient: str, thread: str) -> tuple[str, bytes]:
    """Make the message for one recipient, the same bytes every time; gives its Message-ID and the bytes.

    ``thread`` is the Message-ID of the first mail on this lane, if there was one.
    """
    made = EmailMessage(policy=_POLICY)
    domain = (wire["sender"] or ["@tocsin"])[0].rpartition("@")[2]
    identity = f"<{digest(delivery_id, recipient)[:32]}@{domain}>"
    ours = {
        "Message-Id": identity,
        "Date": format_datetime(_moment(wire["date"])),
        # https://www.rfc-editor.org/rfc/rfc3834#section-5: no vacation notes to an alert
        "Auto-Submitted": "auto-generated",
        "X-Tocsin-Delivery": delivery_id,
        **({"References": thread, "In-Reply-To": thread} if thread else {}),
    }
    headers = {**ours, **wire["headers"]}
    for name, value in headers.items():
        made[name] = value
    if wire["text"]:
        made.set_content(wire["text"], cte="quoted-printable")
    if wire["html"] and wire["text"]:
        made.add_alternative(wire["html"], subtype="html", cte="quoted-printable")
        made.set_boundary(f"=_{digest(delivery_id)[:32]}")
    elif wire["html"]:
        made.set_content(wire["html"], subtype="html", cte="quoted-printable")
    return str(headers["Message-Id"]), made.as_bytes()


def _parts(notification: Notification, settings: Settings) -> tuple[str, str]:
    """Render both parts, of fewer alerts if the mail grows too large."""
    alerts = notification.snapshot.alerts
    count = len(alerts)
    while True:
        left_out = len(alerts) - count
        notes = [notification.note, f"{left_out} more alerts are not shown here." if left_out else ""]
        note = "\n".join(note for note in notes if note)
        fewer = replace(notification, snapshot=replace(notification.snapshot, alerts=alerts[:count]))
        shown = fewer if left_out else notification
        text, html = clean(shown.text(settings.get("text") or "")), clean(shown.html(settings.get("html") or ""))
        if len(text) + len(html) <= BODY_LIMIT or count <= 1:
            break
        count = max(1, min(count - 1, count * BODY_LIMIT // (len(text) + len(html))))
    text = f"{clean(note)}\n\n{text}" if note and text else text
    return clip(text, BODY_LIMIT), _noted(html, note)


def _noted(html: str, note: str) -> str:
    if not html or not note:
        return html
    paragraph = f"<p><strong>{escape(clean(note))}</strong></p>"
    tag = _BODY_TAG.search(html)
    at = tag.end() if tag else 0
    return f"{html[:at]}{paragraph}{html[at:]}"


def _addresses(text: str) -> list[str]:
    """Read the addresses, each once, in their order."""
    found = [address for _, address in getaddresses([" ".join(text.split())]) if "@" in address]
    return list(dict.fromkeys(found))


def _moment(at: Instant) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)
