"""What travels in the queues: bodies on their way in, and hints (state.md, rules 12 to 14).

A message of the inbox is either our own envelope, or an event that EventBridge put there without any code of ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.errors import UnintelligibleError
from tocsin.model import MINUTE, Instant, Span
from tocsin.ports import Key, Message, Received

ENVELOPE = 1  # the schema of both kinds; a worker reads its own and its neighbours' (rule 16)
HINT_HORIZON: Span = 2 * MINUTE  # hints exist only for what is due within this, so no delay exceeds a queue's limit

# What of the sender's headers a parser may need later; everything else (above all its credentials) is dropped.
KEPT_HEADERS = ("content-type", "sentry-hook-resource", "x-github-event", "x-github-delivery", "x-amz-sns-message-type")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A body on its way in. Large ones lie in the table under ``blob`` and ``body`` is empty.

    ``refused`` is why we answered 413, in which case the body is only its head; such a message is quarantined.
    """

    id: str
    source: str
    stamp: Instant
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    blob: str = ""
    refused: str = ""

    def encode(self) -> str:
        """Write the envelope."""
        envelope: dict[str, Any] = {
            "tocsin": ENVELOPE, "id": self.id, "source": self.source, "stamp": self.stamp,
            "headers": dict(self.headers),
        }  # fmt: skip
        if self.blob:
            envelope["blob"] = self.blob
        else:
            envelope["body"] = base64.b64encode(self.body).decode("ascii")
        if self.refused:
            envelope["refused"] = self.refused
        return json.dumps(envelope, separators=(",", ":"))


def message_id(source: str, stamp: Instant, body: bytes) -> str:
    """Name a body: the same body stamped at the same instant is the same message."""
    return hashlib.sha256(f"{source}\0{stamp}\0".encode() + body).hexdigest()[:32]


def decode(received: Received) -> Incoming:
    """Read a message of the inbox; an event that EventBridge wrote is stamped with the moment it was queued."""
    try:
        outer = json.loads(received.body)
        if isinstance(outer, dict) and "tocsin" in outer:
            return Incoming(
                id=str(outer["id"]),
                source=str(outer["source"]),
                stamp=int(outer["stamp"]),
                body=base64.b64decode(outer.get("body", "")),
                headers={str(k): str(v) for k, v in outer.get("headers", {}).items()},
                blob=str(outer.get("blob", "")),
                refused=str(outer.get("refused", "")),
            )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise UnintelligibleError(f"the envelope of message {received.id} is broken: {error!r}") from error
    except (ValueError, RecursionError):
        outer = None
    body = received.body.encode()
    event_id = outer.get("id") if isinstance(outer, dict) else None
    name = event_id if isinstance(event_id, str) and event_id else message_id("eventbridge", received.sent_at, body)
    return Incoming(name, "eventbridge", received.sent_at, body)


@dataclass(frozen=True, slots=True)
class Hint:
    """Something may have to be done to a row; lost, early, late and doubled ones are harmless."""

    what: str  # group | lane | heartbeat
    id: str
    version: int = 0
    channel: str = ""

    def message(self, due: Instant, now: Instant) -> Message:
        """Write the hint, unseen until it is due."""
        hint = {"tocsin": ENVELOPE, "what": self.what, "id": self.id, "version": self.version, "channel": self.channel}
        return Message(json.dumps(hint, separators=(",", ":")), max(0, due - now))


def decode_hint(body: str) -> Hint | None:
    """Read a hint; anything else is nobody's loss and gives None."""
    try:
        hint = json.loads(body)
        return Hint(str(hint["what"]), str(hint["id"]), int(hint.get("version", 0)), str(hint.get("channel", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def hint_of(key: Key, channel: str = "") -> Hint:
    """Name what a row that is due waits for."""
    what, _, name = key.pk.partition("#")
    return Hint(what, name, channel=channel)
