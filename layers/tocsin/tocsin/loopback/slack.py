"""Slack as it behaves: the Web API's messages and incoming webhooks (https://docs.slack.dev/apis/web-api/)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tocsin.loopback.http import HttpVendor, Request, Response

# https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/reference/methods/chat.postMessage
BLOCKS_LIMIT = 50
SECTION_LIMIT = 3000
FIELDS_LIMIT = 10
FIELD_LIMIT = 2000
HEADER_LIMIT = 150
TEXT_LIMIT = 40_000
# Undocumented: all blocks together. We hold attachments to it too, so that nobody relies on more.
TOGETHER_LIMIT = 13_200
FIRST_TS = 1_700_000_000  # seconds; each message is one microsecond later
PAGE = 100

Message = dict[str, Any]


class SlackVendor(HttpVendor):
    """A workspace. ``messages`` are what people see: channel id, ts, text, attachments, blocks, metadata, edits."""

    def __init__(
        self,
        port: int = 0,
        tokens: tuple[str, ...] = ("xoxb-loopback",),
        channels: tuple[str, ...] = ("alerts", "general"),
    ) -> None:
        """Know these bot tokens and these channels; the webhooks' channel is the first."""
        super().__init__(port)
        self.tokens = tokens
        self.channels = {name: f"C{number:08d}" for number, name in enumerate(channels, 1)}
        self.archived: set[str] = set()
        self.messages: list[Message] = []
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.list": self._list,
            "auth.test": lambda _: {"ok": True, "url": self.url, "team": "loopback", "user": "tocsin"},
        }

    @property
    def api_url(self) -> str:
        """What ``slack_api_url`` is with a bot token."""
        return f"{self.url}/api/chat.postMessage"

    @property
    def webhook_url(self) -> str:
        """An incoming webhook."""
        return f"{self.url}/services/T000/B000/loopback-webhook-secret"

    def answer(self, request: Request) -> Response:
        """Answer a method of the Web API, or an incoming webhook."""
        if request.path.startswith("/services/"):
            return self._webhook(request)
        method = self._methods.get(request.path.removeprefix("/api/"))
        if method is None:
            return Response(200, _no("unknown_method"))
        call = _arguments(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or str(call.get("token", ""))
        if not token:
            return Response(200, _no("not_authed"))
        if token not in self.tokens:
            return Response(200, _no("invalid_auth"))
        return Response(200, method(call))

    def _channel(self, named: object) -> str:
        name = str(named or "").removeprefix("#")
        return self.channels.get(name, name if name in self.channels.values() else "")

    def _refusal(self, call: dict[str, Any], channel: str) -> str:
        if not channel:
            return "channel_not_found"
        if channel in self.archived:
            return "is_archived"
        if not (call.get("text") or call.get("blocks") or call.get("attachments")):
            return "no_text"
        if len(str(call.get("text") or "")) > TEXT_LIMIT:
            return "msg_too_long"
        return _attachments_refusal(call.get("attachments") or []) or _blocks_refusal(call.get("blocks") or [])

    def _post(self, call: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(call.get("channel"))
        refusal = self._refusal(call, channel)
        if refusal:
            return _no(refusal)
        message = {
            "channel": channel,
            "ts": f"{FIRST_TS}.{len(self.messages) + 1:06d}",
            "text": call.get("text") or "",
            "attachments": call.get("attachments") or [],
            "blocks": call.get("blocks") or [],
            "metadata": call.get("metadata"),
            "username": call.get("username"),
            "edits": 0,
        }
        self.messages.append(message)
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": message}

    def _update(self, call: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(call.get("channel"))
        refusal = self._refusal(call, channel)
        if refusal:
            return _no(refusal)
        found = next((m for m in self.messages if m["channel"] == channel and m["ts"] == call.get("ts")), None)
        if found is None:
            return _no("message_not_found")
        found.update({key: call[key] for key in ("text", "attachments", "blocks", "metadata") if key in call})
        found["edits"] += 1
        return {"ok": True, "channel": channel, "ts": found["ts"], "text": found["text"]}

    def _history(self, call: dict[str, Any]) -> dict[str, Any]:
        channel = str(call.get("channel", ""))
        if channel not in self.channels.values():  # names are not understood here, as with Slack
            return _no("channel_not_found")
        newest = [m for m in reversed(self.messages) if m["channel"] == channel]
        oldest = float(call.get("oldest") or 0)
        kept = [m for m in newest if float(m["ts"]) >= oldest][: int(call.get("limit") or PAGE)]
        if str(call.get("include_all_metadata", "")).lower() not in {"1", "true"}:
            kept = [{key: value for key, value in m.items() if key != "metadata"} for m in kept]
        return {"ok": True, "messages": kept, "has_more": False}

    def _list(self, call: dict[str, Any]) -> dict[str, Any]:
        listed = [{"id": number, "name": name} for name, number in self.channels.items()]
        start = int(call.get("cursor") or 0)
        end = start + int(call.get("limit") or PAGE)
        following = str(end) if end < len(listed) else ""
        return {"ok": True, "channels": listed[start:end], "response_metadata": {"next_cursor": following}}

    def _webhook(self, request: Request) -> Response:
        if request.path != self.webhook_url.removeprefix(self.url):
            return Response(404, "no_service")
        try:
            call = request.json()
        except ValueError:
            return Response(400, "invalid_payload")
        answer = self._post({**call, "channel": next(iter(self.channels))})
        if answer["ok"]:
            return Response(200, "ok")
        status = {"is_archived": 410, "channel_not_found": 404}.get(answer["error"], 400)
        return Response(status, "channel_is_archived" if status == 410 else answer["error"])  # noqa: PLR2004 (HTTP Gone)


def _arguments(request: Request) -> dict[str, Any]:
    """Read a form or JSON; in a form, structured arguments are JSON text."""
    try:
        call: dict[str, Any] = dict(request.form())
    except ValueError:
        return {}
    for name in ("blocks", "attachments", "metadata"):
        if isinstance(call.get(name), str):
            try:
                call[name] = json.loads(call[name])
            except ValueError:
                call[name] = None
    return call


def _attachments_refusal(attachments: Any) -> str:  # noqa: ANN401 (whatever the caller sent)
    if not isinstance(attachments, list) or not all(isinstance(a, dict) for a in attachments):
        return "invalid_attachments"
    return "msg_too_long" if _characters(attachments) > TOGETHER_LIMIT else ""


def _blocks_refusal(blocks: Any) -> str:  # noqa: ANN401 (whatever the caller sent)
    if not isinstance(blocks, list) or len(blocks) > BLOCKS_LIMIT:
        return "invalid_blocks"
    for block in blocks:
        if not isinstance(block, dict) or "type" not in block:
            return "invalid_blocks"
        limit = HEADER_LIMIT if block["type"] == "header" else SECTION_LIMIT
        fields = block.get("fields") or []
        if len((block.get("text") or {}).get("text", "")) > limit or len(fields) > FIELDS_LIMIT:
            return "invalid_blocks"
        if any(len(part.get("text", "")) > FIELD_LIMIT for part in fields):
            return "invalid_blocks"
    return "msg_blocks_too_long" if _characters(blocks) > TOGETHER_LIMIT else ""


def _characters(value: Any) -> int:  # noqa: ANN401 (JSON is any)
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_characters(part) for part in value.values())
    return sum(_characters(part) for part in value) if isinstance(value, list) else 0


def _no(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}
