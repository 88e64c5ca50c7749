"""One rig a way to tell somebody: the channel, its vendor, its settings, and what the vendor was made to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.channels import channel_class
from tocsin.loopback.pagerduty import PagerDutyVendor
from tocsin.loopback.ses import SesVendor
from tocsin.loopback.slack import SlackVendor
from tocsin.loopback.smtp import SmtpVendor
from tocsin.loopback.webhook import WebhookVendor
from tocsin.loopback.zendesk import ZendeskVendor
from tocsin.model import SECOND, Alert, Snapshot, fingerprint
from tocsin.ports import Attempt, Outcome
from tocsin.rendering import Notification
from tocsin.templates import TemplateSet

TAKEN = 1_764_000_000 * SECOND
GROUP_KEY = '{}/{severity=~"^(?:critical)$"}:{alertname="DiskFull"}'
SECRET = "s3cret-never-to-be-seen"
TEMPLATES = TemplateSet()


def alert(*, firing: bool = True, labels: Mapping[str, str] | None = None, **annotations: str) -> Alert:
    """Make an alert that began at TAKEN - 60 s."""
    named = {"alertname": "DiskFull", "severity": "critical", **(labels or {})}
    said = annotations or {"summary": "/var is full"}
    start = TAKEN - 60 * SECOND
    safe = {key: value.encode("utf-8", "replace").decode() for key, value in named.items()}
    return Alert(fingerprint(safe), named, said, firing, start, None if firing else TAKEN - SECOND, "http://prom/graph")


def notification(
    *alerts: Alert, delivery_id: str = "lane-1", reason: str = "", note: str = "", **more: Any
) -> Notification:
    """Make a notification of these alerts (of one that fires, if none are given)."""
    told = alerts or (alert(),)
    fires = any(each.firing for each in told)
    snapshot = Snapshot(GROUP_KEY, "route-1", {"alertname": "DiskFull"}, told, TAKEN)
    return Notification(
        snapshot=snapshot,
        receiver="team-storage",
        reason=reason or ("first notification" if fires else "all alerts resolved"),
        delivery_id=delivery_id,
        templates=more.get("templates", TEMPLATES),
        note=note,
        external_url="https://tocsin.example.org",
    )


def make_settings(channel: Any, secrets: Mapping[str, Any], /, **plain: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the settings as a plan holds them, and as ``send`` gets them."""
    refs = {name: {"$secret": f"{channel.name}/{name}"} for name in secrets}
    planned = channel.settings_model()(**plain, **refs).model_dump(by_alias=True)
    return planned, {**planned, **secrets}


@dataclass
class Rig:
    """A channel against its vendor."""

    name: str
    channel: Any
    vendor: Any
    planned: dict[str, Any]
    settings: dict[str, Any]
    secrets: tuple[str, ...]
    told: Callable[[], list[Any]]  # what the vendor was made to do: an entry an act that a person notices
    texts: Callable[[], str]  # everything that a person can read there
    over: Callable[[], bool]  # whether the vendor's truth is that nothing burns
    unreachable: dict[str, Any]  # settings that lead nowhere
    acting: str = ""  # which fault label concerns the act itself
    status_fault: Callable[..., dict[str, Any]] = field(default=lambda **fault: fault)
    progress: list[Mapping[str, Any]] = field(default_factory=list)

    def render(self, told: Notification | None = None) -> bytes:
        return bytes(self.channel.render(told or notification(), self.planned))

    def attempt(self, wire: bytes, **more: Any) -> Attempt:
        known = {
            "settings": self.settings,
            "ref": {},
            "delivery_id": "lane-1",
            "uncertain": False,
            "firing": True,
            "record": self.progress.append,
        }
        return Attempt(wire=wire, **{**known, **more})

    def send(self, told: Notification | None = None, **more: Any) -> Outcome:
        told = told or notification()
        more.setdefault("delivery_id", told.delivery_id)
        outcome: Outcome = self.channel.send(self.attempt(self.render(told), firing=told.firing, **more))
        return outcome

    def fault(self, **fault: Any) -> None:
        if "status" in fault:
            fault = self.status_fault(**fault)
        self.vendor.faults.next(**{"match": self.acting, **fault})


def _pagerduty(*, v1: bool = False) -> Rig:
    vendor, channel = PagerDutyVendor(), channel_class("pagerduty")()
    key = "service_key" if v1 else "routing_key"
    planned, settings = make_settings(channel, {key: SECRET}, url=f"{vendor.url}/v2/enqueue")
    return Rig(
        "pagerduty-v1" if v1 else "pagerduty", channel, vendor, planned, settings, (SECRET,),
        told=lambda: vendor.incidents,
        texts=lambda: repr(vendor.events),
        over=lambda: all(incident.status == "resolved" for incident in vendor.incidents),
        unreachable={"url": "http://127.0.0.1:1/v2/enqueue"},
    )  # fmt: skip


def _slack(*, bot: bool) -> Rig:
    vendor, channel = SlackVendor(tokens=(SECRET,)), channel_class("slack")()
    plain = {"channel": "#alerts", "app_url": vendor.api_url}
    planned, settings = make_settings(
        channel, {"app_token": SECRET} if bot else {"api_url": vendor.webhook_url}, **plain
    )
    return Rig(
        "slack-bot" if bot else "slack-webhook", channel, vendor, planned, settings,
        (SECRET,) if bot else ("loopback-webhook-secret",),
        told=lambda: vendor.messages,
        texts=lambda: repr(vendor.messages),
        over=lambda: not vendor.messages or vendor.messages[-1]["attachments"][0]["color"] == "good",
        unreachable={"app_url": "http://127.0.0.1:1/api/chat.postMessage"}
        if bot
        else {"api_url": "http://127.0.0.1:1/services/x"},
        acting="chat." if bot else "/services/",
    )  # fmt: skip


def _smtp() -> Rig:
    vendor, channel = SmtpVendor(users={"tocsin": SECRET}), channel_class("email")()
    plain = {
        "to": "oncall@example.org", "from": "tocsin@example.com", "smarthost": vendor.smarthost, "require_tls": "false",
        "auth_username": "tocsin", "text": "{{ .CommonAnnotations.summary }}",
    }  # fmt: skip
    planned, settings = make_settings(channel, {"auth_password": SECRET}, **plain)
    return Rig(
        "email-smtp", channel, vendor, planned, settings, (SECRET,),
        told=lambda: vendor.mails,
        texts=lambda: "".join(m.subject + m.body() + m.body("html") for m in vendor.mails),
        over=lambda: not vendor.mails or "RESOLVED" in vendor.mails[-1].subject,
        unreachable={"smarthost": "127.0.0.1:1"},
        acting="END",
    )  # fmt: skip


def _ses() -> Rig:
    vendor, channel = SesVendor(), channel_class("email")()
    plain = {
        "to": "oncall@example.org", "from": "tocsin@example.com", "transport": "ses", "ses_endpoint_url": vendor.url,
        "ses_region": "eu-west-1", "text": "{{ .CommonAnnotations.summary }}",
    }  # fmt: skip
    planned, settings = make_settings(channel, {}, **plain)
    names = {429: "TooManyRequestsException", 400: "BadRequestException", 401: "MessageRejected", 403: "AccessDenied"}

    def named(**fault: Any) -> dict[str, Any]:
        words = {"message": str(fault.get("body") or "no")}
        headers = vendor.error_headers(names.get(fault["status"], "SomethingException"))
        fault.pop("retry_after", None)
        return {**fault, "headers": headers, "body": words}

    return Rig(
        "email-ses", channel, vendor, planned, settings, (),
        told=lambda: vendor.mails,
        texts=lambda: "".join(m.subject + m.body() + m.body("html") for m in vendor.mails),
        over=lambda: not vendor.mails or "RESOLVED" in vendor.mails[-1].subject,
        unreachable={"ses_endpoint_url": "http://127.0.0.1:1"},
        status_fault=named,
    )  # fmt: skip


def _zendesk() -> Rig:
    vendor, channel = ZendeskVendor(token=SECRET), channel_class("zendesk")()
    planned, settings = make_settings(channel, {"api_token": SECRET}, url=vendor.url, email="tocsin@example.com")
    return Rig(
        "zendesk", channel, vendor, planned, settings, (SECRET,),
        told=lambda: list(vendor.tickets.values()),
        texts=lambda: repr((vendor.tickets, vendor.comments)),
        over=lambda: all(ticket["status"] in {"solved", "closed"} for ticket in vendor.tickets.values()),
        unreachable={"url": "http://127.0.0.1:1"},
    )  # fmt: skip


def _webhook() -> Rig:
    vendor, channel = WebhookVendor(), channel_class("webhook")()
    planned, settings = make_settings(channel, {"url": f"{vendor.url}/hooks/{SECRET}"})
    return Rig(
        "webhook", channel, vendor, planned, settings, (SECRET,),
        told=lambda: vendor.bodies,
        texts=lambda: repr(vendor.bodies),
        over=lambda: not vendor.bodies or vendor.bodies[-1]["status"] == "resolved",
        unreachable={"url": "http://127.0.0.1:1/hooks"},
    )  # fmt: skip


RIGS: dict[str, Callable[[], Rig]] = {
    "pagerduty": _pagerduty,
    "pagerduty-v1": lambda: _pagerduty(v1=True),
    "slack-bot": lambda: _slack(bot=True),
    "slack-webhook": lambda: _slack(bot=False),
    "email-smtp": _smtp,
    "email-ses": _ses,
    "zendesk": _zendesk,
    "webhook": _webhook,
}
