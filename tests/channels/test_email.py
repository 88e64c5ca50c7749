"""Email's own rules: a recipient at a time, progress, threads, logging in, TLS, and the message itself."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tocsin.channels.email.body import BODY_LIMIT
from tocsin.loopback.smtp import SmtpVendor
from tocsin.model import MINUTE, SECOND
from tocsin.ports import Outcome, Permanent, Retry, Sent, Throttled

from tests.channels.rig import SECRET, Rig, alert, notification
from tests.channels.tls import self_signed

MakeRig = Callable[..., Rig]
BOTH = "A Person <a@example.org>, b@example.org"


def recipients(rig: Rig) -> list[str]:
    return [recipient for mail in rig.vendor.mails for recipient in mail.recipients]


@pytest.mark.parametrize("name", ["email-smtp", "email-ses"])
def test_each_recipient_gets_a_mail_and_is_recorded_before_the_next(make_rig: MakeRig, name: str) -> None:
    rig = make_rig(name, to=BOTH)
    outcome = rig.send()
    assert isinstance(outcome, Sent)
    assert outcome.status == "to 2 of 2"
    assert recipients(rig) == ["a@example.org", "b@example.org"]
    assert [sorted(progress["done"]) for progress in rig.progress] == [
        ["a@example.org"], ["a@example.org", "b@example.org"],
    ]  # fmt: skip
    assert all(mail.message["To"] == BOTH for mail in rig.vendor.mails)


def test_a_repetition_skips_who_was_mailed_already(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", to=BOTH)
    rig.vendor.faults.next(delay=0.0, match="END")
    rig.vendor.faults.next(reset="before", match="END")
    assert isinstance(rig.send(), Retry)
    assert isinstance(rig.send(ref=rig.progress[-1], uncertain=True), Sent)
    assert recipients(rig) == ["a@example.org", "b@example.org"]


def test_progress_of_an_earlier_delivery_is_not_taken_for_this_one(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp")
    first = rig.send()
    assert isinstance(first, Sent)
    assert isinstance(rig.send(notification(delivery_id="lane-2"), ref=first.ref), Sent)
    assert len(rig.vendor.mails) == 2


@pytest.mark.parametrize(
    ("sentence", "fault", "kind", "mailed"),
    [
        ("one bad address fails alone", {"match": "RCPT", "status": 550, "body": "no such user"}, Sent, ["b"]),
        ("one greylisted address waits alone", {"match": "RCPT", "status": 450}, Retry, ["b"]),
        ("one message refused fails alone", {"match": "END", "status": 554}, Sent, ["b"]),
        ("one message put off waits alone", {"match": "DATA", "status": 451}, Retry, ["b"]),
        ("a server that closes is left alone", {"match": "RCPT", "status": 421}, Throttled, []),
        ("a connection that breaks is no recipient's fault", {"match": "RCPT", "reset": "before"}, Retry, []),
    ],
)
def test_what_concerns_one_recipient_does_not_concern_the_others(
    make_rig: MakeRig, sentence: str, fault: Mapping[str, Any], kind: type[Outcome], mailed: list[str]
) -> None:
    rig = make_rig("email-smtp", to=BOTH)
    rig.vendor.faults.next(**fault)
    outcome = rig.send()
    assert isinstance(outcome, kind), sentence
    assert [each[0] for each in recipients(rig)] == mailed, sentence
    if isinstance(outcome, Sent):
        assert "refused a@example.org" in outcome.status


def test_a_refused_recipient_is_not_asked_again(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", to=BOTH)
    rig.vendor.faults.next(match="RCPT", status=550)
    rig.vendor.faults.next(match="RCPT", status=450)
    assert isinstance(rig.send(), Retry)
    rig.vendor.commands.clear()
    outcome = rig.send(ref=rig.progress[-1])
    assert isinstance(outcome, Sent)
    assert [line for line in rig.vendor.commands if line.startswith(("rcpt", "RCPT"))] == ["rcpt TO:<b@example.org>"]


def test_when_everybody_is_refused_it_is_final(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", to=BOTH)
    rig.vendor.faults.next(match="RCPT", status=550, body="no such user", times=2)
    outcome = rig.send()
    assert isinstance(outcome, Permanent)
    assert "b@example.org: email: the server answered 550 no such user" in outcome.reason


def test_a_long_list_of_recipients_is_worked_off_in_parts(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", to=", ".join(f"p{number}@example.org" for number in range(60)))
    first = rig.send()
    assert isinstance(first, Throttled)
    assert len(rig.vendor.mails) == 50
    assert isinstance(rig.send(ref=rig.progress[-1]), Sent)
    assert len(set(recipients(rig))) == len(rig.vendor.mails) == 60


@pytest.mark.parametrize(
    ("name", "domain"), [("email-smtp", "@example.com>"), ("email-ses", "@eu-west-1.amazonses.com>")]
)
def test_later_mails_hang_below_the_first(make_rig: MakeRig, name: str, domain: str) -> None:
    rig = make_rig(name)
    ref: dict[str, Any] = {}
    for number, firing in enumerate((True, True, False), 1):
        outcome = rig.send(notification(alert(firing=firing), delivery_id=f"lane-{number}"), ref=ref)
        assert isinstance(outcome, Sent)
        ref |= outcome.ref
    first, second, third = (mail.message for mail in rig.vendor.mails)
    assert first["References"] is None
    root = second["In-Reply-To"]
    assert root.endswith(domain)
    assert root == second["References"] == third["References"] == third["In-Reply-To"]
    if name == "email-smtp":
        assert root == first["Message-Id"]


@pytest.mark.parametrize(
    ("by_date", "ends"), [("daily", "-2025-11-24@alertmanager>"), ("none", "-@alertmanager>")]
)  # fmt: skip
def test_alertmanagers_own_threading_wins_where_it_is_set(make_rig: MakeRig, by_date: str, ends: str) -> None:
    rig = make_rig("email-smtp", threading={"enabled": True, "thread_by_date": by_date})
    rig.send(ref={"threads": {"oncall@example.org": "<earlier@example.com>"}})
    message = rig.vendor.mails[0].message
    assert message["References"] == message["In-Reply-To"]
    assert message["References"].endswith(ends)


def test_the_message_is_the_same_bytes_every_time(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp")
    rig.send()
    rig.send()
    first, second = rig.vendor.mails
    assert first.raw == second.raw
    assert first.message["Auto-Submitted"] == "auto-generated"
    assert first.message["X-Tocsin-Delivery"] == "lane-1"
    assert first.message["Date"] == "Mon, 24 Nov 2025 16:00:00 +0000"


def test_headers_are_rendered_and_cannot_be_broken_out_of(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", headers={"Subject": "{{ .CommonAnnotations.summary }}", "Reply-To": "ops@example.com"})
    assert isinstance(rig.send(notification(alert(summary="full\r\nBcc: everybody@example.org"))), Sent)
    message = rig.vendor.mails[0].message
    assert message["Subject"] == "full Bcc: everybody@example.org"
    assert message["Bcc"] is None
    assert message["Reply-To"] == "ops@example.com"


def test_html_is_escaped_and_the_note_stands_first(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", html="<html><body><p>{{ .CommonAnnotations.summary }}</p></body></html>")
    rig.send(notification(alert(summary="<b>bold</b>"), note="you & <me>"))
    assert rig.vendor.mails[0].body("html").strip() == (
        "<html><body><p><strong>you &amp; &lt;me&gt;</strong></p><p>&lt;b&gt;bold&lt;/b&gt;</p></body></html>"
    )
    assert rig.vendor.mails[0].body().startswith("you & <me>")


def test_a_mail_without_parts_still_says_something(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", html="", text="")
    rig.send()
    assert "DiskFull" in rig.vendor.mails[0].body()


def test_a_mail_that_grows_too_large_shows_fewer_alerts_and_says_so(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", html="{{ range .Alerts }}<p>{{ .Annotations.summary }}</p>{{ end }}", text="")
    many = [alert(labels={"instance": str(number)}, summary="x" * 1000) for number in range(3000)]
    wire = json.loads(rig.render(notification(*many)))
    assert BODY_LIMIT / 2 < len(wire["html"]) <= BODY_LIMIT + 1000
    assert "more alerts are not shown here." in wire["html"]


@pytest.mark.parametrize(
    ("sentence", "to", "sender"),
    [("nobody to send to", "nobody", "tocsin@example.com"), ("nobody to send from", "a@example.org", "")],
)
def test_without_an_address_it_is_final(make_rig: MakeRig, sentence: str, to: str, sender: str) -> None:
    rig = make_rig("email-smtp", to=to, **{"from": sender})
    assert isinstance(rig.send(), Permanent), sentence
    assert not rig.vendor.commands


# ---- logging in, encryption -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path) -> Iterator[Callable[..., SmtpVendor]]:
    started: list[SmtpVendor] = []

    def start(**options: Any) -> SmtpVendor:
        if options.pop("tls", False):
            options["tls"] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            options["tls"].load_cert_chain(certificate)
        vendor = SmtpVendor(**options)
        vendor.start()
        started.append(vendor)
        return vendor

    yield start
    for vendor in started:
        vendor.stop()


@pytest.mark.parametrize(
    ("mechanisms", "settings", "kind"),
    [
        ("PLAIN", {"auth_password": SECRET}, Sent),
        ("LOGIN", {"auth_password": SECRET}, Sent),
        ("CRAM-MD5 PLAIN", {"auth_secret": SECRET, "auth_password": "other"}, Sent),
        ("CRAM-MD5 PLAIN", {"auth_password": SECRET}, Sent),
        ("CRAM-MD5", {"auth_password": SECRET}, Permanent),
        ("XOAUTH2", {"auth_password": SECRET}, Permanent),
        ("PLAIN", {"auth_password": "wrong-password"}, Permanent),
    ],
)
def test_logging_in_uses_what_is_offered_and_what_is_known(
    make_rig: MakeRig,
    server: Callable[..., SmtpVendor],
    mechanisms: str,
    settings: Mapping[str, str],
    kind: type[Outcome],
) -> None:
    vendor = server(users={"tocsin": SECRET}, mechanisms=mechanisms)
    rig = make_rig("email-smtp")
    known = {**rig.settings, "smarthost": vendor.smarthost, "auth_password": "", "auth_secret": "", **settings}
    outcome = rig.send(settings=known)
    assert isinstance(outcome, kind)
    assert bool(vendor.mails) is (kind is Sent)
    assert "wrong-password" not in repr(outcome)


@pytest.mark.parametrize("implicit", [False, True])
def test_a_mail_is_encrypted_when_the_certificate_is_trusted(
    make_rig: MakeRig, server: Callable[..., SmtpVendor], certificate: Path, implicit: bool
) -> None:
    vendor = server(tls=True, implicit_tls=implicit)
    rig = make_rig("email-smtp")
    trusted = {"ca": certificate.read_text(), "server_name": "" if implicit else "localhost"}
    settings = {**rig.settings, "smarthost": vendor.smarthost.replace("127.0.0.1", "localhost"), "require_tls": True}
    outcome = rig.send(settings={**settings, "force_implicit_tls": implicit, "tls_config": trusted})
    assert isinstance(outcome, Sent)
    assert implicit or "STARTTLS" in vendor.commands


@pytest.mark.parametrize("implicit", [False, True])
def test_nothing_is_sent_to_a_server_that_nobody_trusts(
    make_rig: MakeRig, server: Callable[..., SmtpVendor], implicit: bool
) -> None:
    vendor = server(tls=True, implicit_tls=implicit)
    rig = make_rig("email-smtp")
    settings = {**rig.settings, "smarthost": vendor.smarthost, "require_tls": True, "force_implicit_tls": implicit}
    outcome = rig.send(settings=settings)
    assert isinstance(outcome, Retry)
    assert not outcome.maybe
    assert "certificate" in outcome.reason
    assert not vendor.mails


def test_a_server_without_starttls_is_refused_when_tls_is_required(make_rig: MakeRig) -> None:
    rig = make_rig("email-smtp", require_tls=True)
    outcome = rig.send()
    assert isinstance(outcome, Permanent)
    assert "STARTTLS" in outcome.reason


# ---- SES ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "status", "name", "kind", "wait"),
    [
        ("too many a second", 429, "TooManyRequestsException", Throttled, 5 * SECOND),
        ("the day's quota is used up", 400, "LimitExceededException", Throttled, 15 * MINUTE),
        ("the account is suspended: no waiting helps", 400, "AccountSuspendedException", Permanent, None),
        ("the account is paused: no waiting helps", 400, "SendingPausedException", Permanent, None),
        ("the address is not verified", 400, "MessageRejected", Permanent, None),
        ("the configuration set is gone", 404, "NotFoundException", Permanent, None),
        ("not allowed", 403, "AccessDeniedException", Permanent, None),
        ("a token that has expired is renewed", 403, "ExpiredTokenException", Retry, None),
        ("SES stumbled", 500, "InternalFailure", Retry, None),
    ],
)
def test_an_error_of_ses_means_what_it_says(
    make_rig: MakeRig, sentence: str, status: int, name: str, kind: type[Outcome], wait: int | None
) -> None:
    rig = make_rig("email-ses", to=BOTH)
    rig.vendor.faults.next(status=status, headers=rig.vendor.error_headers(name), body={"message": "no"})
    outcome: Any = rig.send()
    assert isinstance(outcome, kind | Sent), sentence
    if kind is Permanent and isinstance(outcome, Sent):
        assert name in outcome.status, "one refused, the other mailed"
    else:
        assert name in outcome.reason
    if wait is not None:
        assert outcome.wait == wait


def test_an_account_that_ses_stopped_is_asked_once_not_once_a_recipient(make_rig: MakeRig) -> None:
    rig = make_rig("email-ses", to=BOTH)
    headers = rig.vendor.error_headers("AccountSuspendedException")
    rig.vendor.faults.always(status=400, headers=headers, body={"message": "no"})
    assert isinstance(rig.send(), Permanent)
    assert len(rig.vendor.requests) == 1


def test_ses_is_told_the_configuration_set(make_rig: MakeRig) -> None:
    rig = make_rig("email-ses", ses_configuration_set="events")
    rig.send()
    assert rig.vendor.requests[0].json()["ConfigurationSetName"] == "events"
