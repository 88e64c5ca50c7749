"""The stand-ins refuse what the vendors refuse: else our own mistakes would pass."""

from __future__ import annotations

import base64
import json
import smtplib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tocsin.loopback.http import HttpVendor
from tocsin.loopback.pagerduty import PagerDutyVendor
from tocsin.loopback.ses import SesVendor
from tocsin.loopback.slack import SlackVendor
from tocsin.loopback.smtp import SmtpVendor
from tocsin.loopback.zendesk import ZendeskVendor

PAYLOAD = {"summary": "s", "source": "x", "severity": "error"}
TRIGGER = {"routing_key": "r", "event_action": "trigger", "dedup_key": "k", "payload": PAYLOAD}


def call(vendor: HttpVendor, path: str, body: Any = None, method: str = "", **headers: str) -> tuple[int, Any]:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    method = method or ("GET" if body is None else "POST")
    answer = httpx.request(method, vendor.url + path, content=data, headers=named, trust_env=False)
    status, text = answer.status_code, answer.text
    return status, json.loads(text) if text[:1] in {"{", "["} else text


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyVendor]:
    with PagerDutyVendor(routing_keys={"r"}) as vendor:
        yield vendor


@pytest.mark.parametrize(
    ("sentence", "event", "status", "says"),
    [
        ("a trigger", TRIGGER, 202, "Event processed"),
        ("a resolve of nothing", {**TRIGGER, "event_action": "resolve"}, 202, "Event processed"),
        ("an unknown key", {**TRIGGER, "routing_key": "x"}, 400, "Invalid routing key"),
        ("no key", {**TRIGGER, "routing_key": ""}, 400, "routing_key"),
        ("no action", {**TRIGGER, "event_action": "fire"}, 400, "event_action"),
        ("no payload", {**TRIGGER, "payload": None}, 400, "payload"),
        ("a long summary", {**TRIGGER, "payload": {**PAYLOAD, "summary": "s" * 1025}}, 400, "longer than 1024"),
        ("no source", {**TRIGGER, "payload": {**PAYLOAD, "source": ""}}, 400, "source"),
        ("a severity of our own", {**TRIGGER, "payload": {**PAYLOAD, "severity": "page"}}, 400, "severity"),
        ("details that are text", {**TRIGGER, "payload": {**PAYLOAD, "custom_details": "x"}}, 400, "custom_details"),
        ("a long dedup key", {**TRIGGER, "dedup_key": "k" * 256}, 400, "dedup_key"),
        ("a resolve without a key", {"routing_key": "r", "event_action": "resolve"}, 400, "dedup_key"),
        ("a link without an address", {**TRIGGER, "links": [{"text": "t"}]}, 400, "links"),
        ("a body beyond 512 KB", {**TRIGGER, "client": "c" * 600_000}, 413, "too large"),
        ("no JSON", b"{", 400, "JSON"),
        ("no object", [], 400, "object"),
    ],
)
def test_pagerduty_takes_and_refuses(
    pagerduty: PagerDutyVendor, sentence: str, event: Any, status: int, says: str
) -> None:
    answered, body = call(pagerduty, "/v2/enqueue", event)
    assert answered == status, sentence
    assert says in json.dumps(body), sentence
    assert bool(pagerduty.incidents) is (sentence == "a trigger")


def test_pagerduty_merges_until_resolved(pagerduty: PagerDutyVendor) -> None:
    for action in ("trigger", "trigger", "acknowledge", "resolve", "trigger"):
        call(pagerduty, "/v2/enqueue", {**TRIGGER, "event_action": action})
    assert [(i.number, i.status, len(i.events)) for i in pagerduty.incidents] == [
        (1, "resolved", 4),
        (2, "triggered", 1),
    ]
    assert pagerduty.open("k") is pagerduty.incidents[1]


@pytest.fixture
def slack() -> Iterator[SlackVendor]:
    with SlackVendor() as vendor:
        yield vendor


def section(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


@pytest.mark.parametrize(
    ("sentence", "message", "error"),
    [
        ("text", {"text": "hi"}, None),
        ("nothing", {}, "no_text"),
        ("a long text", {"text": "x" * 40_001}, "msg_too_long"),
        ("an unknown channel", {"channel": "#nowhere", "text": "hi"}, "channel_not_found"),
        ("51 blocks", {"blocks": [section()] * 51}, "invalid_blocks"),
        ("a long section", {"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ("11 fields", {"blocks": [section(fields=[{"text": "x"}] * 11)]}, "invalid_blocks"),
        ("a long field", {"blocks": [section(fields=[{"text": "x" * 2001}])]}, "invalid_blocks"),
        ("a long header", {"blocks": [{"type": "header", "text": {"text": "x" * 151}}]}, "invalid_blocks"),
        ("no block at all", {"blocks": ["x"]}, "invalid_blocks"),
        ("blocks too long together", {"blocks": [section("x" * 2900)] * 5}, "msg_blocks_too_long"),
        ("attachments too long together", {"attachments": [{"text": "x" * 14_000}]}, "msg_too_long"),
        ("no attachment at all", {"attachments": ["x"]}, "invalid_attachments"),
    ],
)
def test_slack_takes_and_refuses(slack: SlackVendor, sentence: str, message: dict[str, Any], error: str | None) -> None:
    posted = {"channel": "#alerts", **message}
    _, answer = call(slack, "/api/chat.postMessage", posted, Authorization="Bearer xoxb-loopback")
    assert answer.get("error") == error, sentence
    assert bool(slack.messages) is (error is None), sentence


def test_slack_knows_who_calls(slack: SlackVendor) -> None:
    assert call(slack, "/api/auth.test", {})[1]["error"] == "not_authed"
    assert call(slack, "/api/auth.test", {}, Authorization="Bearer wrong")[1]["error"] == "invalid_auth"
    assert call(slack, "/api/auth.test", {}, Authorization="Bearer xoxb-loopback")[1]["ok"]
    assert call(slack, "/api/no.such", {}, Authorization="Bearer xoxb-loopback")[1]["error"] == "unknown_method"


def test_slack_edits_and_remembers(slack: SlackVendor) -> None:
    bot = {"Authorization": "Bearer xoxb-loopback"}
    metadata = {"event_type": "t", "event_payload": {"id": 1}}
    posted = call(slack, "/api/chat.postMessage", {"channel": "alerts", "text": "a", "metadata": metadata}, **bot)[1]
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    assert call(slack, "/api/chat.update", {**where, "text": "b"}, **bot)[1]["ok"]
    assert (
        call(slack, "/api/chat.update", {**where, "ts": "1.1", "text": "b"}, **bot)[1]["error"] == "message_not_found"
    )
    assert (slack.messages[0]["text"], slack.messages[0]["edits"]) == ("b", 1)
    plain = call(slack, "/api/conversations.history", {"channel": where["channel"]}, **bot)[1]["messages"][0]
    assert "metadata" not in plain
    asked = {"channel": where["channel"], "include_all_metadata": True}
    assert call(slack, "/api/conversations.history", asked, **bot)[1]["messages"][0]["metadata"] == metadata
    assert call(slack, "/api/conversations.history", {"channel": "alerts"}, **bot)[1]["error"] == "channel_not_found"


def test_slacks_list_of_channels_has_pages(slack: SlackVendor) -> None:
    bot = {"Authorization": "Bearer xoxb-loopback"}
    first = call(slack, "/api/conversations.list", {"limit": 1}, **bot)[1]
    second = call(
        slack, "/api/conversations.list", {"limit": 1, "cursor": first["response_metadata"]["next_cursor"]}, **bot
    )[1]
    assert [page["channels"][0]["name"] for page in (first, second)] == ["alerts", "general"]
    assert not second["response_metadata"]["next_cursor"]


def test_slacks_webhook_answers_in_words(slack: SlackVendor) -> None:
    path = slack.webhook_url.removeprefix(slack.url)
    assert call(slack, path, {"text": "hi"}) == (200, "ok")
    assert call(slack, path, b"{") == (400, "invalid_payload")
    assert call(slack, "/services/other", {"text": "hi"}) == (404, "no_service")
    slack.archived.add("C00000001")
    assert call(slack, path, {"text": "hi"}) == (410, "channel_is_archived")


ZENDESK = {"Authorization": "Basic " + base64.b64encode(b"tocsin@example.com/token:zendesk-token").decode()}
TICKET = {"ticket": {"subject": "s", "comment": {"body": "b"}, "external_id": "e"}}


@pytest.fixture
def zendesk() -> Iterator[ZendeskVendor]:
    with ZendeskVendor() as vendor:
        yield vendor


def test_zendesk_makes_a_delivery_once(zendesk: ZendeskVendor) -> None:
    key = {**ZENDESK, "Idempotency_Key": "k"}
    assert call(zendesk, "/api/v2/tickets.json", TICKET, **key)[0] == 201
    assert call(zendesk, "/api/v2/tickets.json", TICKET, **key)[1]["ticket"]["id"] == 1
    other = {"ticket": {**TICKET["ticket"], "subject": "t"}}
    assert call(zendesk, "/api/v2/tickets.json", other, **key)[1]["error"] == "IdempotentRequestError"
    zendesk.expire_idempotency_keys()
    assert call(zendesk, "/api/v2/tickets.json", TICKET, **key)[1]["ticket"]["id"] == 2


@pytest.mark.parametrize(
    ("sentence", "ticket", "status"),
    [
        ("no comment", {"subject": "s"}, 422),
        ("an unknown priority", {"comment": {"body": "b"}, "priority": "critical"}, 422),
        ("an unknown status", {"comment": {"body": "b"}, "status": "done"}, 422),
        ("a follow-up of what is not closed", {"comment": {"body": "b"}, "via_followup_source_id": 1}, 422),
        ("no ticket", None, 400),
    ],
)
def test_zendesk_refuses(zendesk: ZendeskVendor, sentence: str, ticket: Any, status: int) -> None:
    assert call(zendesk, "/api/v2/tickets.json", {"ticket": ticket}, **ZENDESK)[0] == status, sentence
    assert not zendesk.tickets


def test_zendesk_finds_shows_changes_and_closes(zendesk: ZendeskVendor) -> None:
    call(zendesk, "/api/v2/tickets.json", TICKET, **ZENDESK)
    found = call(zendesk, "/api/v2/tickets.json?external_id=e", **ZENDESK)[1]
    assert found["count"] == 1
    assert call(zendesk, "/api/v2/tickets.json?external_id=x", **ZENDESK)[1]["count"] == 0
    one = "/api/v2/tickets/1.json"
    stamp = call(zendesk, one, **ZENDESK)[1]["ticket"]["updated_at"]
    change = {"ticket": {"status": "solved", "safe_update": True, "updated_stamp": stamp, "comment": {"body": "c"}}}
    assert call(zendesk, one, change, "PUT", **ZENDESK)[0] == 200
    assert call(zendesk, one, change, "PUT", **ZENDESK)[0] == 409, "somebody else changed it since"
    assert call(zendesk, "/api/v2/tickets/1/comments.json", **ZENDESK)[1]["count"] == 2
    zendesk.tickets[1]["status"] = "closed"
    assert call(zendesk, one, {"ticket": {"status": "open"}}, "PUT", **ZENDESK)[0] == 422
    assert call(zendesk, "/api/v2/tickets/9.json", **ZENDESK)[0] == 404
    assert call(zendesk, one)[0] == 401


def test_ses_takes_raw_mails_from_verified_senders() -> None:
    raw = base64.b64encode(b"Subject: hi\r\n\r\nbody\r\n").decode()
    mail = {
        "FromEmailAddress": "a@example.com", "Destination": {"ToAddresses": ["b@example.org"]},
        "Content": {"Raw": {"Data": raw}},
    }  # fmt: skip
    path = "/v2/email/outbound-emails"
    with SesVendor(verified=("a@example.com",)) as ses:
        assert call(ses, path, mail)[0] == 200
        assert (ses.mails[0].subject, ses.mails[0].body().strip()) == ("hi", "body")
        assert "not verified" in call(ses, path, {**mail, "FromEmailAddress": "x@example.com"})[1]["message"]
        assert call(ses, path, {**mail, "Content": {}})[0] == 400
        assert call(ses, path, {**mail, "Destination": {}})[0] == 400


def test_the_mail_server_keeps_dots_and_asks_who_we_are() -> None:
    with SmtpVendor(users={"u": "p"}) as server:
        host, port = server.smarthost.split(":")
        with smtplib.SMTP(host, int(port)) as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.sendmail("a@x", ["b@y"], "Subject: no\n\n")
            client.login("u", "p")
            client.sendmail("a@x", ["b@y", "c@z"], "Subject: hi\n\n..\n.dot\nend")
            assert client.docmd("BOGUS")[0] == 502
            assert client.noop()[0] == 250
    (mail,) = server.mails
    assert (mail.sender, mail.recipients, mail.subject) == ("a@x", ("b@y", "c@z"), "hi")
    assert mail.raw.endswith(b"..\r\n.dot\r\nend\r\n")
