"""Zendesk's Ticketing API as it behaves: https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ ."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from tocsin.loopback.http import HttpVendor, Request, Response

_ONE = re.compile(r"^/api/v2/tickets/(\d+)(\.json)?$")
_COMMENTS = re.compile(r"^/api/v2/tickets/(\d+)/comments(\.json)?$")
_ALL = re.compile(r"^/api/v2/tickets(\.json)?$")
IDEMPOTENCY_KEY_LIMIT = 255
STATUSES = {"new", "open", "pending", "hold", "solved", "closed"}
PRIORITIES = {"urgent", "high", "normal", "low", None}
WRITE_ONLY = {"comment", "safe_update", "updated_stamp", "id", "additional_tags", "requester", "assignee_email"}

Ticket = dict[str, Any]


class ZendeskVendor(HttpVendor):
    """A help desk. ``tickets`` hold what agents see; ``comments[id]`` the conversation of each."""

    def __init__(self, port: int = 0, email: str = "tocsin@example.com", token: str = "zendesk-token") -> None:  # noqa: S107
        """Know one agent and their API token."""
        super().__init__(port)
        self.tickets: dict[int, Ticket] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.users: dict[str, int] = {}  # by email; Zendesk answers with ids only
        self._authorization = "Basic " + base64.b64encode(f"{email}/token:{token}".encode()).decode()
        self._keys: dict[str, tuple[str, int]] = {}
        self._clock = 0

    def expire_idempotency_keys(self) -> None:
        """Forget the keys, as Zendesk does after two hours."""
        with self.lock:
            self._keys.clear()

    def answer(self, request: Request) -> Response:
        """Make, show, find or change a ticket."""
        if request.headers.get("authorization") != self._authorization:
            return Response(401, {"error": "Couldn't authenticate you"})
        if _ALL.match(request.path):
            return self._create(request) if request.method == "POST" else self._find(request)
        one, comments = _ONE.match(request.path), _COMMENTS.match(request.path)
        number = int(one[1]) if one else int(comments[1]) if comments else 0
        if number not in self.tickets:
            return Response(404, {"error": "RecordNotFound", "description": "Not found"})
        if comments:
            said = self.comments[number]
            return Response(200, {"comments": said, "count": len(said), "next_page": None, "meta": {"has_more": False}})
        return self._change(number, request) if request.method == "PUT" else Response(200, self._shown(number))

    def _shown(self, number: int) -> dict[str, Any]:
        return {"ticket": self.tickets[number]}

    def _written(self, number: int) -> dict[str, Any]:
        audit = {"id": 5000 + self._clock, "ticket_id": number, "events": []}
        return {**self._shown(number), "audit": audit}

    def _stamp(self) -> str:
        self._clock += 1
        return f"2026-01-01T{self._clock // 3600:02d}:{self._clock // 60 % 60:02d}:{self._clock % 60:02d}Z"

    def _find(self, request: Request) -> Response:
        wanted = request.query.get("external_id")
        found = [t for t in self.tickets.values() if wanted is None or t.get("external_id") == wanted]
        return Response(
            200, {"tickets": found, "count": len(found), "next_page": None, "meta": {"has_more": False}, "links": {}}
        )

    def _create(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        if len(key) > IDEMPOTENCY_KEY_LIMIT:
            return Response(400, {"error": "IdempotentRequestError", "description": "the key is too long"})
        body_hash = hashlib.sha256(request.body).hexdigest()
        if key in self._keys:
            known_hash, number = self._keys[key]
            if known_hash != body_hash:
                described = "Request parameters do not match"
                return Response(400, {"error": "IdempotentRequestError", "description": described})
            return Response(201, self._written(number), {"x-idempotency-lookup": "hit"})
        wanted, refusal = _wanted(request)
        if refusal:
            return refusal
        if not (wanted.get("comment") or {}).get("body"):
            return _invalid("comment", "Description: cannot be blank")
        source = wanted.get("via_followup_source_id")
        if source and self.tickets.get(int(source), {}).get("status") != "closed":
            return _invalid("via_followup_source_id", "Via followup source: must be a closed ticket")
        number = len(self.tickets) + 1
        now = self._stamp()
        kept = {name: value for name, value in wanted.items() if name not in WRITE_ONLY}
        kept.update({f"{role}_id": self._user(email) for role, email in _people(wanted).items()})
        url = f"{self.url}/api/v2/tickets/{number}.json"
        defaults: Ticket = {"status": "new", "priority": None, "tags": [], "created_at": now, "updated_at": now}
        self.tickets[number] = {**defaults, **kept, "id": number, "url": url}
        self.comments[number] = []
        self._comment(number, wanted)
        if key:
            self._keys[key] = (body_hash, number)
        return Response(201, self._written(number), {"x-idempotency-lookup": "miss"} if key else {})

    def _change(self, number: int, request: Request) -> Response:
        ticket = self.tickets[number]
        if ticket["status"] == "closed":
            return _invalid("status", "Status: closed prevents ticket update")
        wanted, refusal = _wanted(request)
        if refusal:
            return refusal
        if wanted.get("safe_update") and wanted.get("updated_stamp") != ticket["updated_at"]:
            return Response(409, {"error": "UpdateConflict", "description": "Safe Update prevented the update"})
        tags: list[str] = [*(wanted.get("tags") or ticket["tags"]), *(wanted.get("additional_tags") or ())]
        ticket.update({name: value for name, value in wanted.items() if name not in WRITE_ONLY})
        ticket.update(tags=list(dict.fromkeys(tags)), updated_at=self._stamp())
        self._comment(number, wanted)
        return Response(200, self._written(number))

    def _user(self, email: str) -> int:
        return self.users.setdefault(email, 9000 + len(self.users))

    def _comment(self, number: int, wanted: Ticket) -> None:
        comment = wanted.get("comment")
        if comment:
            said = self.comments[number]
            said.append({"id": 1000 * number + len(said), "public": True, **comment})


def _people(wanted: Ticket) -> dict[str, str]:
    """Read who is named by email: the requester, the assignee."""
    named = {"requester": (wanted.get("requester") or {}).get("email"), "assignee": wanted.get("assignee_email")}
    return {role: email for role, email in named.items() if email}


def _wanted(request: Request) -> tuple[Ticket, Response | None]:
    """Read the ticket that a caller wants, or the refusal they get."""
    try:
        body = request.json()
    except ValueError:
        return {}, Response(400, {"error": "invalid JSON"})
    ticket = body.get("ticket") if isinstance(body, dict) else None
    if not isinstance(ticket, dict):
        return {}, Response(400, {"error": "ParameterMissing", "description": "ticket is missing"})
    if ticket.get("status", "new") not in STATUSES:
        return {}, _invalid("status", "Status: is not valid")
    if ticket.get("priority") not in PRIORITIES:
        return {}, _invalid("priority", "Priority: is not valid")
    return ticket, None


def _invalid(field: str, description: str) -> Response:
    details = {field: [{"description": description}]}
    return Response(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})
