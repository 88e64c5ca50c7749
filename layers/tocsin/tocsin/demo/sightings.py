"""What people saw: read from the vendors' own records, never from what we meant to send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tocsin.loopback import Vendors

PREVIEW = 110  # characters of a message that are shown


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing that a person would have noticed at a vendor's.

    ``what`` is a word a program can compare (opened, resolved, posted …), ``said`` the subject or title, ``text`` the
    line that is printed, ``note`` what we added about why this receiver is told.
    """

    vendor: str
    what: str
    said: str
    text: str
    note: str = ""


class Watcher:
    """Looks at four vendors; each look gives what is new since the last."""

    def __init__(self, vendors: Vendors) -> None:
        """Nothing has been seen yet."""
        self._vendors = vendors
        self._incidents: dict[int, tuple[str, int]] = {}
        self._refused = 0
        self._messages: dict[str, int] = {}
        self._mails = 0
        self._tickets: dict[int, tuple[str, int]] = {}

    def look(self) -> list[Sighting]:
        """Give what is new."""
        return [*self._pagerduty(), *self._slack(), *self._email(), *self._zendesk()]

    def _pagerduty(self) -> Iterator[Sighting]:
        vendor = self._vendors.pagerduty
        with vendor.lock:
            refused = len(vendor.requests) - len(vendor.events)
            seen = [(i.number, i.status, i.summary, i.severity, len(i.events)) for i in vendor.incidents]
        if refused > self._refused:
            yield Sighting("PagerDuty", "refused", "", "answers 503: nobody is paged")
        self._refused = refused
        for number, status, summary, severity, events in seen:
            known = self._incidents.get(number)
            self._incidents[number] = (status, events)
            if known is None:
                yield Sighting("PagerDuty", "opened", summary, f"incident {number} opened, {severity}: {summary}")
            elif known[0] != status:
                yield Sighting("PagerDuty", status, summary, f"incident {number} {status}: {summary}")
            elif known[1] != events:
                yield Sighting("PagerDuty", "updated", summary, f"incident {number} updated: {summary}")

    def _slack(self) -> Iterator[Sighting]:
        vendor = self._vendors.slack
        with vendor.lock:
            names = {number: name for name, number in vendor.channels.items()}
            seen = [
                (m["ts"], names.get(m["channel"], m["channel"]), m["edits"], _slack_words(m)) for m in vendor.messages
            ]
        for ts, channel, edits, (title, body, note) in seen:
            known = self._messages.get(ts)
            self._messages[ts] = edits
            if known is None:
                yield Sighting("Slack", "posted", title, f"#{channel}: {_joined(title, body)}", note)
            elif known != edits:
                yield Sighting("Slack", "edited", title, f"#{channel}, that message now reads: {_joined(title, body)}")

    def _email(self) -> Iterator[Sighting]:
        vendor = self._vendors.smtp
        with vendor.lock:
            fresh = vendor.mails[self._mails :]
        self._mails += len(fresh)
        for mail in fresh:
            yield Sighting("email", "mailed", mail.subject, f"to {', '.join(mail.recipients)}: {mail.subject}")

    def _zendesk(self) -> Iterator[Sighting]:
        vendor = self._vendors.zendesk
        with vendor.lock:
            seen = [
                (number, str(t["status"]), str(t.get("subject", "")), t.get("priority"), len(vendor.comments[number]))
                for number, t in vendor.tickets.items()
            ]
        for number, status, subject, priority, comments in seen:
            known = self._tickets.get(number)
            self._tickets[number] = (status, comments)
            if known is None:
                yield Sighting("Zendesk", "opened", subject, f"ticket {number} opened, {priority}: {subject}")
            elif known[0] != status:
                yield Sighting("Zendesk", status, subject, f"ticket {number} {status}: {subject}")
            elif known[1] != comments:
                yield Sighting("Zendesk", "commented", subject, f"ticket {number} has a new comment: {subject}")


def _slack_words(message: dict[str, Any]) -> tuple[str, str, str]:
    attachment = (message["attachments"] or [{}])[0]
    return str(attachment.get("title", "")), str(attachment.get("text", "")), str(message.get("text") or "")


def _joined(title: str, body: str) -> str:
    said = " - ".join(part for part in (title, " ".join(body.split())) if part)
    return said if len(said) <= PREVIEW else said[: PREVIEW - 1] + "…"
