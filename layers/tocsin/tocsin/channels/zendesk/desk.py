"""Zendesk's API through zenpy, with everything taken from it that sleeps, retries or remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User

from tocsin.channels.http_config import prepare_session

TOO_MANY = 429
FOUND_LIMIT = 100  # tickets of one lane that are looked through, newest last
COMMENT_LIMIT = 500  # comments of one ticket that are looked through


class ThrottledError(Exception):
    """Zendesk answered 429; raised by the session, below zenpy, which would sleep."""

    def __init__(self, response: requests.Response) -> None:
        """Keep the answer."""
        super().__init__("throttled")
        self.response = response


class Desk:
    """One account for the length of one delivery. Methods raise zenpy's, requests' and ``ThrottledError``."""

    def __init__(self, settings: Mapping[str, Any], timeout: float) -> None:
        url = urlsplit(str(settings["url"]))
        self._session = requests.Session()
        self._session.hooks["response"].append(_raise_when_throttled)
        subdomain, _, domain = url.netloc.partition(".")
        client = Zenpy(
            domain=domain, subdomain=subdomain, email=settings["email"], token=str(settings["api_token"]).strip(),
            session=self._session, timeout=timeout, disable_cache=True,
        )  # fmt: skip
        prepare_session(self._session, settings.get("http_config"), str(settings["url"]))
        self._tickets = client.tickets
        self._tickets.protocol = url.scheme

    def close(self) -> None:
        """Let the connection go."""
        self._session.close()

    def create(self, ticket: Mapping[str, Any], delivery_id: str) -> Any:  # noqa: ANN401 (zenpy's objects)
        """Make a ticket; the same delivery makes it once (for two hours)."""
        # https://developer.zendesk.com/api-reference/introduction/requests/#idempotency
        self._session.headers["Idempotency-Key"] = delivery_id
        try:
            return self._tickets.create(_ticket(ticket)).ticket
        finally:
            del self._session.headers["Idempotency-Key"]

    def show(self, number: int) -> Any:  # noqa: ANN401 (zenpy's objects)
        """Read a ticket."""
        return self._tickets(id=number)

    def change(self, ticket: Any, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 (zenpy's objects)
        """Change a ticket as it was read: 409 if somebody else changed it since."""
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#protecting-against-ticket-update-collisions
        guarded = {**fields, "id": ticket.id, "safe_update": True, "updated_stamp": ticket.updated_at}
        return self._tickets.update(_ticket(guarded)).ticket

    def of_lane(self, external_id: str) -> list[Any]:
        """Find the tickets of a lane, oldest first."""
        return _some(self._tickets(external_id=external_id), FOUND_LIMIT)

    def said(self, number: int, marker: str) -> bool:
        """Whether a comment of a ticket carries a delivery's mark."""
        return any(marker in (comment.body or "") for comment in _some(self._tickets.comments(number), COMMENT_LIMIT))


def _ticket(fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 (zenpy's objects)
    comment = fields.get("comment")
    requester = fields.get("requester")
    objects = {"comment": Comment(**comment)} if comment else {}
    if requester:
        objects["requester"] = User(**requester)
    return Ticket(**{**fields, **objects})


def _some(found: Iterator[Any], limit: int) -> list[Any]:
    return [each for each, _ in zip(found, range(limit), strict=False)]


def _raise_when_throttled(response: requests.Response, *_: Any, **__: Any) -> None:  # noqa: ANN401 (requests' signature)
    if response.status_code == TOO_MANY:
        raise ThrottledError(response)
