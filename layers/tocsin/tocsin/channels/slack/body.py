"""What a message says: Alertmanager's attachment, cut to Slack's limits, and a plain text to fall back to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tocsin.channels.wire import clean, clip

if TYPE_CHECKING:
    from tocsin.rendering import Notification

# https://docs.slack.dev/reference/methods/chat.postMessage#truncating
TEXT_LIMIT = 40_000
# https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments#legacy_fields
TITLE_LIMIT = 1024
FIELD_LIMIT = 2000
# Undocumented: what Slack takes of all blocks together, held to for attachments as well (msg_blocks_too_long).
TOGETHER_LIMIT = 13_000
PLAIN_LIMIT = 3000
MRKDWN_IN = ["fallback", "pretext", "text"]
RESOLUTIONS = frozenset(("some alerts resolved", "all alerts resolved"))
# https://docs.slack.dev/messaging/formatting-message-text#special-mentions
_BROADCAST = re.compile(r"<(?=!(?:channel|here|everyone)\b)")
_BROADCAST_NAME = re.compile(r"@(?=(?:channel|here|everyone)\b)")

Settings = Mapping[str, Any]


def escape(text: str) -> str:
    """Escape what Slack reads as control (https://docs.slack.dev/messaging/formatting-message-text#escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def body(notification: Notification, settings: Settings) -> dict[str, Any]:
    """Make the wire body: the ``message``, its ``plain`` stand-in, and whether it may ``edit`` an earlier one."""
    render = _Renderer(notification, settings)
    attachment = _attachment(render, settings)
    lines = [escape(notification.note), render("message_text")]
    message = {
        "channel": render("channel").strip(),
        "username": render("username"),
        "icon_emoji": render("icon_emoji"),
        "icon_url": render("icon_url"),
        "link_names": bool(settings.get("link_names")),
        "text": clip("\n".join(line for line in lines if line), TEXT_LIMIT),
        "attachments": [attachment],
    }
    plain = (notification.note, attachment["title"], attachment.get("title_link", ""), attachment["text"])
    wanted = settings.get("update_message")
    return {
        "message": {name: value for name, value in message.items() if value},
        "plain": clip(escape("\n".join(part for part in plain if part)), PLAIN_LIMIT),
        "edit": notification.reason in RESOLUTIONS if wanted is None else bool(wanted),
    }


class _Renderer:
    """Renders templates, and takes the power to call everybody from what alerts themselves say.

    A template may say ``<!channel>``; an alert's label or annotation may not, whoever wrote it.
    """

    def __init__(self, notification: Notification, settings: Settings) -> None:
        self._notification, self._settings = notification, settings
        said = "\0".join(_values(notification))
        self._mention = bool(_BROADCAST.search(said))
        self._name = bool(settings.get("link_names")) and bool(_BROADCAST_NAME.search(said))

    def __call__(self, name: str) -> str:
        return self.text(self._settings.get(name) or "")

    def text(self, template: str) -> str:
        """Render one template."""
        text = clean(self._notification.text(template)) if template else ""
        if self._mention and not _BROADCAST.search(template):
            text = _BROADCAST.sub("&lt;", text)
        if self._name and not _BROADCAST_NAME.search(template):
            text = _BROADCAST_NAME.sub("@\u200b", text)
        return text


def _values(notification: Notification) -> Iterator[str]:
    for alert in notification.snapshot.alerts:
        yield from alert.labels.values()
        yield from alert.annotations.values()
        yield alert.generator_url


def _attachment(render: _Renderer, settings: Settings) -> dict[str, Any]:
    """Source: Alertmanager ``notify/slack/slack.go``."""
    made: dict[str, Any] = {
        "title": clip(render("title"), TITLE_LIMIT),
        "title_link": render("title_link"),
        "pretext": render("pretext"),
        "text": render("text"),
        # Slack shows it where it cannot show attachments, in notifications above all: it must never be empty.
        "fallback": clip(render("fallback").strip() or render("title") or "alert", TITLE_LIMIT),
        "callback_id": render("callback_id"),
        "image_url": render("image_url"),
        "thumb_url": render("thumb_url"),
        "footer": clip(render("footer"), TITLE_LIMIT),
        "color": render("color"),
        "mrkdwn_in": list(settings.get("mrkdwn_in") or MRKDWN_IN),
        "fields": [_field(render, field, settings) for field in settings.get("fields") or ()],
        "actions": [_action(render, action) for action in settings.get("actions") or ()],
    }
    _fit(made)
    always = ("title", "text", "fallback")
    return {name: value for name, value in made.items() if value or name in always}


def _field(render: _Renderer, field: Settings, settings: Settings) -> dict[str, Any]:
    short = field.get("short")
    return {
        "title": clip(render.text(field["title"]), TITLE_LIMIT),
        "value": clip(render.text(field["value"]), FIELD_LIMIT),
        "short": bool(settings.get("short_fields") if short is None else short),
    }


def _action(render: _Renderer, action: Settings) -> dict[str, Any]:
    texts = {name: render.text(text) for name, text in action.items() if isinstance(text, str) and text}
    confirm = {name: render.text(text) for name, text in (action.get("confirm") or {}).items() if text}
    return {**texts, "confirm": confirm} if confirm else texts


def _fit(attachment: dict[str, Any]) -> None:
    """Shorten the text, then the pretext, then drop fields from the end, until Slack takes the whole."""
    for name in ("text", "pretext"):
        excess = _characters(attachment) - TOGETHER_LIMIT
        if excess > 0:
            attachment[name] = clip(attachment[name], max(len(attachment[name]) - excess, 1))
    while attachment["fields"] and _characters(attachment) > TOGETHER_LIMIT:
        attachment["fields"].pop()


def _characters(value: Any) -> int:  # noqa: ANN401 (JSON is any)
    if isinstance(value, str):
        return len(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(_characters(part) for part in parts)
