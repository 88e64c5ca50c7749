"""What every channel promises, against a vendor on loopback that behaves like the real one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.model import SECOND
from tocsin.ports import Permanent, Retry, Sent, Throttled

from tests.channels.rig import RIGS, Rig, alert, notification

HUGE = 5000
HOSTILE = {
    "a script": "<script>alert('x')</script>",
    "an attribute": '" onmouseover="alert(1)',
    "a call to everybody": "<!channel> <!here|here> @channel @everyone",
    "a template": '{{ .NoSuchField }}{{ template "boom" . }}',
    "nul and control characters": "a\x00b\x01c\x1b[31m\r\nBcc: victim@example.org\r\n\r\nbody",
    "emoji and right to left": "🔥 שלום \u202egnp.exe مرحبا",
    "a lone surrogate": "\ud800 half",
    "an alias that unfolds": "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]",
    "what looks like YAML": "yes: {no: [1, 2",
    "nothing": "",
}  # fmt: skip
HTTP_TABLE = [
    ("unauthorized is final", 401, Permanent, None),
    ("not found is final", 404, Permanent, None),
    ("too many requests waits", 429, Throttled, None),
    ("a server error may pass, and may have acted", 500, Retry, True),
    ("a bad gateway may pass, and may have acted", 502, Retry, True),
    ("unavailable may pass, and may have acted", 503, Retry, True),
]
SMTP_TABLE = [
    ("a bad mailbox is final", 550, Permanent, None),
    ("a refused message is final", 554, Permanent, None),
    ("closing down waits", 421, Throttled, None),
    ("a local error may pass; the server says that it has not acted", 451, Retry, False),
    ("a full disk may pass; the server says that it has not acted", 452, Retry, False),
]
OVER_HTTP = [name for name in RIGS if name != "email-smtp"]  # the rest has no requests to count
# How often a person notices the same bytes sent twice, the second time in doubt about the first.
TWICE = {
    "pagerduty": 1, "pagerduty-v1": 1, "slack-bot": 1, "zendesk": 1,
    "slack-webhook": 2, "email-smtp": 2, "email-ses": 2, "webhook": 2,
}  # fmt: skip


def test_what_fires_is_told_once_and_says_why_a_fallback_is_told(rig: Rig) -> None:
    outcome = rig.send(notification(note="PagerDuty refused this for 5m; you are the fallback of team-a"))
    assert isinstance(outcome, Sent)
    assert outcome.status
    assert len(rig.told()) == 1
    assert "DiskFull" in rig.texts()
    assert "you are the fallback of team-a" in rig.texts().replace("\\n", " ").replace("\n", " ")
    assert not rig.over()


def test_what_is_resolved_after_it_fired_is_over_at_the_vendors(rig: Rig) -> None:
    fired = rig.send()
    assert isinstance(fired, Sent)
    resolved = rig.send(notification(alert(firing=False), delivery_id="lane-2"), ref=fired.ref)
    assert isinstance(resolved, Sent)
    assert rig.over()


def test_what_is_resolved_with_the_ref_lost_is_over_all_the_same(rig: Rig) -> None:
    rig.send()
    assert isinstance(rig.send(notification(alert(firing=False), delivery_id="lane-2")), Sent)
    assert rig.over()


def test_what_was_resolved_before_anybody_was_told_opens_nothing(rig: Rig) -> None:
    outcome = rig.send(notification(alert(firing=False)))
    assert isinstance(outcome, Sent)
    assert rig.over()
    assert bool(rig.told()) == rig.channel.tells_late_resolution


def test_what_fires_again_after_its_resolution_burns_again(rig: Rig) -> None:
    ref: dict[str, Any] = {}
    for number, firing in enumerate((True, False, True), 1):
        told = notification(alert(firing=firing), delivery_id=f"lane-{number}")
        outcome = rig.send(told, ref=ref)
        assert isinstance(outcome, Sent)
        ref |= outcome.ref
    assert not rig.over()


@pytest.mark.parametrize(
    ("name", "sentence", "status", "kind", "maybe"),
    [
        (name, *row)
        for name in RIGS
        for row in (SMTP_TABLE if name == "email-smtp" else HTTP_TABLE)
    ],
)  # fmt: skip
def test_a_status_means_what_the_vendor_says_it_means(
    make_rig: Callable[..., Rig], name: str, sentence: str, status: int, kind: type, maybe: bool | None
) -> None:
    rig = make_rig(name)
    rig.fault(status=status)
    outcome = rig.send()
    assert isinstance(outcome, kind), sentence
    assert not rig.told(), sentence
    if maybe is not None:
        assert outcome.maybe is maybe, sentence
    assert isinstance(rig.send(), Sent), "the vendor is well again, and no fault was played twice"
    assert len(rig.told()) == 1


@pytest.mark.parametrize("name", ["pagerduty", "slack-bot", "slack-webhook", "zendesk", "webhook"])
def test_a_throttled_vendor_is_asked_again_when_it_said(make_rig: Callable[..., Rig], name: str) -> None:
    rig = make_rig(name)
    rig.fault(status=429, retry_after=17)
    outcome = rig.send()
    assert isinstance(outcome, Throttled)
    assert outcome.wait == 17 * SECOND


@pytest.mark.parametrize("name", OVER_HTTP)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_vendor_that_fails_gets_one_request_a_call(make_rig: Callable[..., Rig], name: str, status: int) -> None:
    rig = make_rig(name)
    rig.fault(status=status, times=2)
    rig.send()
    assert len(rig.vendor.requests) == 1, "the SDK's own retries are off"


def test_a_reset_before_acting_is_in_doubt_and_the_same_bytes_then_tell_once(rig: Rig) -> None:
    wire = rig.render()
    rig.fault(reset="before")
    outcome = rig.channel.send(rig.attempt(wire))
    assert isinstance(outcome, Retry)
    assert outcome.maybe
    assert not rig.told()
    again = rig.channel.send(rig.attempt(wire, uncertain=True))
    assert isinstance(again, Sent)
    assert len(rig.told()) == 1


def test_a_reset_after_acting_is_in_doubt_and_told_again_only_where_the_vendor_cannot_merge(rig: Rig) -> None:
    wire = rig.render()
    rig.fault(reset="after")
    outcome = rig.channel.send(rig.attempt(wire))
    assert isinstance(outcome, Retry)
    assert outcome.maybe
    assert len(rig.told()) == 1
    assert isinstance(rig.channel.send(rig.attempt(wire, uncertain=True)), Sent)
    assert len(rig.told()) == TWICE[rig.name]


@pytest.mark.parametrize("name", OVER_HTTP)
def test_garbage_after_acting_is_in_doubt(make_rig: Callable[..., Rig], name: str) -> None:
    rig = make_rig(name)
    rig.fault(malformed=True)
    outcome = rig.send()
    if name in {"webhook", "email-ses"}:
        assert isinstance(outcome, Sent | Retry), "a webhook's body says nothing; SES is read by botocore"
    else:
        assert isinstance(outcome, Retry)
        assert outcome.maybe


@pytest.mark.parametrize("name", OVER_HTTP)
def test_a_vendor_that_answers_too_late_is_in_doubt(make_rig: Callable[..., Rig], name: str) -> None:
    rig = make_rig(name, timeout=SECOND // 5)
    rig.fault(delay=20.0)
    outcome = rig.send()
    assert isinstance(outcome, Retry)
    assert outcome.maybe
    assert "timed out" in outcome.reason


def test_a_vendor_that_nobody_reaches_has_not_acted(rig: Rig) -> None:
    outcome = rig.channel.send(rig.attempt(rig.render(), settings={**rig.settings, **rig.unreachable}))
    assert isinstance(outcome, Retry)
    assert not outcome.maybe
    assert "refused" in outcome.reason


def test_five_thousand_alerts_fit_into_what_the_vendor_takes(rig: Rig) -> None:
    many = [
        alert(labels={"instance": f"node-{number}"}, summary=f"/var on node {number} is full") for number in range(HUGE)
    ]
    told = notification(*many, note="you are the fallback")
    wire = rig.render(told)
    outcome = rig.channel.send(rig.attempt(wire))
    assert isinstance(outcome, Sent), outcome
    assert "you are the fallback" in rig.texts()


@pytest.mark.parametrize("sentence", list(HOSTILE))
def test_hostile_text_is_told_as_text(rig: Rig, sentence: str) -> None:
    text = HOSTILE[sentence]
    told = notification(alert(labels={"evil": text}, summary=text, description=text), note=text)
    outcome = rig.send(told)
    assert isinstance(outcome, Sent), (sentence, outcome)
    assert len(rig.told()) == 1
    assert "<!channel>" not in rig.texts() or not rig.name.startswith("slack")
    if rig.name.startswith("email"):
        assert "<script>" not in rig.vendor.mails[0].body("html")
        assert rig.vendor.mails[0].message["Bcc"] is None


@given(text=st.text(max_size=200), note=st.text(max_size=50), firing=st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_text_renders_to_the_same_canonical_json(text: str, note: str, firing: bool) -> None:
    for name in ("pagerduty", "slack-webhook", "email-smtp", "zendesk", "webhook"):
        rig = RIGS[name]()
        rig.vendor.stop()
        told = notification(alert(firing=firing, labels={"any": text}, summary=text), note=note)
        wire = rig.render(told)
        assert wire == rig.render(told)
        assert wire.isascii()
        parsed = json.loads(wire)
        assert json.dumps(parsed, sort_keys=True, separators=(",", ":")).encode() == wire


def test_no_secret_is_in_wire_bytes_reasons_receipts_or_logs(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spoken = [rig.render().decode()]
    echoed = " ".join(("you sent", *rig.secrets))
    for fault in (
        {"status": 500, "body": echoed},
        {"status": 550 if rig.name == "email-smtp" else 400, "body": echoed},
        {"status": 421 if rig.name == "email-smtp" else 401, "body": echoed},
        {"reset": "before"},
    ):
        rig.fault(**fault)
        spoken.append(repr(rig.send()))
    spoken.append(repr(rig.send()))
    spoken.append(repr(rig.channel.send(rig.attempt(rig.render(), settings={**rig.settings, **rig.unreachable}))))
    spoken.append(repr(rig.progress))
    ours = [
        record.getMessage() for record in caplog.records if record.name.partition(".")[0] not in {"botocore", "urllib3"}
    ]
    for secret in rig.secrets:
        assert not [text for text in (*spoken, *ours) if secret in text]


def test_a_plan_holds_references_where_secrets_were(rig: Rig) -> None:
    for secret in rig.secrets:
        assert secret not in json.dumps(rig.planned)
    if rig.name != "email-ses":
        assert "$secret" in json.dumps(rig.planned)


def test_send_raises_nothing_for_settings_that_are_empty(rig: Rig) -> None:
    blank = {name: "" if isinstance(value, str) else value for name, value in rig.settings.items()}
    if rig.name == "email-ses":
        blank["transport"] = "ses"
    outcome = rig.channel.send(rig.attempt(rig.render(), settings={**blank, **rig.unreachable}))
    assert isinstance(outcome, Permanent | Retry)
