"""Which ticket, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from zenpy.lib.exception import APIException, ZenpyException

from tocsin.channels.failures import network_failure, retry_after
from tocsin.channels.wire import seconds, secrets_of, spoken
from tocsin.channels.zendesk.desk import TOO_MANY, Desk, ThrottledError
from tocsin.model import MINUTE
from tocsin.ports import Attempt, Outcome, Permanent, Retry, Sent, Throttled

TIMEOUT = 10.0  # seconds
THROTTLE_WAIT = MINUTE  # https://developer.zendesk.com/api-reference/introduction/rate-limits/ gives Retry-After
NOT_FOUND, CONFLICT, UNPROCESSABLE, UNAVAILABLE, SERVER_ERROR, REQUEST_TIMEOUT = 404, 409, 422, 503, 500, 408
STRANGE = "Zendesk answered with something that is not its own"
OVER = frozenset(("solved", "closed"))

Wire = Mapping[str, Any]


def deliver(wire: Wire, attempt: Attempt) -> Outcome:
    """Make or change the lane's ticket, and say what became of it."""
    settings = attempt.settings
    if not settings.get("email") or not str(settings.get("api_token") or "").strip():
        return Permanent("Zendesk: email or api_token is empty")
    try:
        desk = Desk(settings, seconds(settings.get("timeout"), TIMEOUT))
    except (OSError, ValueError) as error:
        return network_failure("Zendesk", error)
    try:
        return _Delivery(desk, wire, attempt).run()
    except (APIException, ThrottledError, requests.HTTPError) as error:
        response = getattr(error, "response", None)
        return network_failure("Zendesk", error) if response is None else _judge(response, settings)
    except OSError as error:
        return network_failure("Zendesk", error)
    except (ZenpyException, ValueError, LookupError, AttributeError, TypeError):
        return Retry(STRANGE, maybe=True)  # what zenpy raises where it trips over a proxy's page
    finally:
        desk.close()


class _Delivery:
    def __init__(self, desk: Desk, wire: Wire, attempt: Attempt) -> None:
        self._desk, self._wire, self._attempt = desk, wire, attempt

    def run(self) -> Outcome:
        """Change the ticket that the lane has, or make the one it needs."""
        ticket = self._known() or self._lost()
        for _ in range(2):  # 409: somebody changed it while we looked; look once more
            if ticket is None:
                break
            if ticket.status == "closed":
                return self._follow_up(ticket)
            try:
                return self._change(ticket)
            except APIException as error:
                status = _status(error)
                if status not in {CONFLICT, UNPROCESSABLE, NOT_FOUND}:
                    raise
                again = self._show(ticket.id)
                if status == UNPROCESSABLE and again is not None and again.status != "closed":
                    raise  # not closed in the meantime: what we ask for is refused
                ticket = again
        else:
            return Retry("Zendesk: the ticket changes faster than it is read", str(CONFLICT))
        if not self._wire["firing"]:
            return Sent(status="no ticket")  # resolved, and nobody has a ticket open for it
        return self._sent(self._desk.create(self._wire["ticket"], self._attempt.delivery_id), "created")

    def _known(self) -> Any:  # noqa: ANN401 (zenpy's objects)
        number = self._attempt.ref.get("ticket")
        return self._show(int(number)) if number else None

    def _lost(self) -> Any:  # noqa: ANN401 (zenpy's objects)
        """Find the ticket whose number we never learnt: of a resolution, or of an attempt without an answer."""
        if self._wire["firing"] and not self._attempt.uncertain:
            return None
        found = self._desk.of_lane(self._wire["ticket"]["external_id"])
        open_ones = [ticket for ticket in found if ticket.status not in OVER]
        return open_ones[-1] if open_ones else None

    def _show(self, number: int) -> Any:  # noqa: ANN401 (zenpy's objects)
        try:
            return self._desk.show(number)
        except APIException as error:
            if _status(error) == NOT_FOUND:
                return None
            raise

    def _change(self, ticket: Any) -> Sent:  # noqa: ANN401 (zenpy's objects)
        wire = self._wire
        if self._attempt.uncertain and self._desk.said(ticket.id, wire["marker"]):
            return self._sent(ticket, "found")
        fields: dict[str, Any] = {"comment": {"body": wire["comment"], "public": False}}
        if not wire["firing"] and ticket.status not in OVER:
            fields["status"] = wire["resolved_status"]
        if wire["firing"] and ticket.status in OVER:
            fields["status"] = "open"
        return self._sent(self._desk.change(ticket, fields), fields.get("status", "updated"))

    def _follow_up(self, ticket: Any) -> Sent:  # noqa: ANN401 (zenpy's objects)
        """Nothing changes a closed ticket: https://support.zendesk.com/hc/en-us/articles/4408882153882 ."""
        if not self._wire["firing"]:
            return self._sent(ticket, "closed already")
        made = self._lost() if self._attempt.uncertain else None
        if made is not None:
            return self._change(made)
        follow_up = {**self._wire["ticket"], "via_followup_source_id": ticket.id}
        return self._sent(self._desk.create(follow_up, self._attempt.delivery_id), "follow-up")

    def _sent(self, ticket: Any, status: str) -> Sent:  # noqa: ANN401 (zenpy's objects)
        return Sent({"ticket": int(ticket.id)}, status, str(ticket.id))


def _status(error: APIException) -> int:
    return int(error.response.status_code) if error.response is not None else 0


def _judge(response: requests.Response, settings: Mapping[str, Any]) -> Outcome:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-format ."""
    code, status = response.status_code, str(response.status_code)
    words = spoken(response.text, secrets_of(settings, "api_token"))
    reason = f"Zendesk answered {status}" + (f": {words}" if words else "")
    if "IdempotentRequestError" in words:  # this delivery was made with other bytes: the next attempt finds it
        return Retry(reason, status, maybe=True)
    hinted = code == UNAVAILABLE and "retry-after" in {name.lower() for name in response.headers}
    if code == TOO_MANY or hinted:
        return Throttled(retry_after(response.headers, THROTTLE_WAIT), reason, status)
    if code in {CONFLICT, REQUEST_TIMEOUT} or code >= SERVER_ERROR:
        return Retry(reason, status, maybe=code != CONFLICT)
    return Permanent(reason, status)
