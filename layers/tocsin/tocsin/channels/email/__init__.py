"""Email by SMTP or Amazon SES, one recipient a call, so that one bad address fails alone.

Wire: envelope, headers and both parts. No mail server merges repetitions: a mail may come twice where the answer to it
was lost. Each recipient is recorded before the next, and a repetition carries the same Message-ID.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tocsin.channels.email.body import body, message
from tocsin.channels.wire import canonical, seconds
from tocsin.model import SECOND
from tocsin.ports import Attempt, Outcome, Permanent, Retry, Sent, Throttled

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tocsin.rendering import Notification

TIMEOUT = 10.0  # seconds, for each answer of the server
SEND_BUDGET = 15.0  # seconds after which the remaining recipients wait for the next call: a lease is not for ever
RECIPIENTS_A_CALL = 50


class Transport(Protocol):
    """A way to hand mails over. ``stops`` are the statuses that concern every recipient, not one."""

    stops: ClassVar[frozenset[str]]

    def open(self) -> Outcome | None:
        """Get ready; an outcome is why that failed."""
        ...

    def close(self) -> None:
        """Let go."""
        ...

    def deliver(self, sender: str, recipient: str, identity: str, message: bytes) -> Outcome:
        """Hand one over; ``Sent.vendor_id`` is its Message-ID."""
        ...


class Email:
    """Mails every recipient; what was sent is threaded below the first mail of the lane."""

    name: ClassVar[str] = "email"
    config_key: ClassVar[str] = "email_configs"
    send_resolved: ClassVar[bool] = False
    merges_by_key: ClassVar[bool] = False
    tells_late_resolution: ClassVar[bool] = True
    resolve_when_muted: ClassVar[bool] = False

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """Give the model of one mail."""
        from tocsin.channels.email.settings import EmailSettings  # noqa: PLC0415 (only where configs are loaded)

        return EmailSettings

    def render(self, notification: Notification, settings: Mapping[str, Any]) -> bytes:
        """Print envelope, headers and parts."""
        return canonical(body(notification, settings))

    def send(self, attempt: Attempt) -> Outcome:
        """Mail whoever has not been mailed yet."""
        wire = json.loads(attempt.wire)
        if not wire["sender"] or not wire["recipients"]:
            return Permanent(f"email: no address to send {'to' if wire['sender'] else 'from'}")
        transport = _transport(attempt.settings)
        try:
            return transport.open() or _Round(wire, attempt, transport).run()
        finally:
            transport.close()


def _transport(settings: Mapping[str, Any]) -> Transport:
    timeout = seconds(settings.get("timeout"), TIMEOUT)
    if settings.get("transport") == "ses":
        from tocsin.channels.email.ses import SesTransport  # noqa: PLC0415 (boto3: only its users pay for it)

        return SesTransport(settings, timeout)
    from tocsin.channels.email.smtp import SmtpTransport  # noqa: PLC0415 (as above)

    return SmtpTransport(settings, timeout)


class _Round:
    """One pass over the recipients that are left."""

    def __init__(self, wire: Mapping[str, Any], attempt: Attempt, transport: Transport) -> None:
        self._wire, self._attempt, self._transport = wire, attempt, transport
        known = attempt.ref if attempt.ref.get("mail") == attempt.delivery_id else {}
        self._done: dict[str, str] = dict(known.get("done") or {})
        self._refused: dict[str, str] = dict(known.get("refused") or {})
        self._threads: dict[str, str] = dict(attempt.ref.get("threads") or {})

    def run(self) -> Outcome:
        recipients = self._wire["recipients"]
        left = [each for each in recipients if each not in self._done and each not in self._refused]
        started, failed = time.monotonic(), None
        for number, recipient in enumerate(left):
            if number >= RECIPIENTS_A_CALL or time.monotonic() - started > SEND_BUDGET:
                return failed or Throttled(SECOND, f"email: {len(left) - number} recipients are left")
            outcome = self._one(recipient)
            server = not outcome.status or outcome.status in self._transport.stops
            if isinstance(outcome, Throttled) or (server and not isinstance(outcome, Sent)):
                return outcome  # the server, not the recipient
            if isinstance(outcome, Retry):
                failed = failed or outcome
        return failed or self._receipt()

    def _one(self, recipient: str) -> Outcome:
        first = self._threads.get(recipient, "")
        try:
            identity, raw = message(self._wire, self._attempt.delivery_id, recipient, first)
        except (ValueError, LookupError) as error:
            return Permanent(f"email: this cannot be written as a message: {type(error).__name__}", "unwritable")
        outcome = self._transport.deliver(self._wire["sender"][0], recipient, identity, raw)
        if isinstance(outcome, Sent):
            self._done[recipient] = outcome.vendor_id
            self._threads.setdefault(recipient, outcome.vendor_id)
            self._attempt.record(self._ref())
        elif isinstance(outcome, Permanent) and outcome.status not in self._transport.stops:
            self._refused[recipient] = outcome.reason
            self._attempt.record(self._ref())
        return outcome

    def _ref(self) -> dict[str, Any]:
        return {
            "mail": self._attempt.delivery_id,
            "done": dict(self._done),
            "refused": dict(self._refused),
            "threads": dict(self._threads),
        }

    def _receipt(self) -> Outcome:
        refused = "; ".join(f"{recipient}: {reason}" for recipient, reason in self._refused.items())
        if not self._done:
            return Permanent(refused or "email: nobody took it")
        status = f"to {len(self._done)} of {len(self._wire['recipients'])}" + (
            f", refused {refused}" if refused else ""
        )
        return Sent(self._ref(), status, next(iter(self._done.values())))
