"""The story: three alerts, an outage, the resolution; after each scene, why it went that way, in Tocsin's own words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tocsin.demo import setting
from tocsin.demo.stage import LOOK, Stage, Wanted

PATIENCE = 20.0  # seconds a scene may take; it takes three on an idle machine
ROUTED_WITHIN = 5.0  # seconds until an accepted alert is in the history
ACCEPTED = 202

POD, DATABASE, HOMEPAGE = "KubePodCrashLooping", "publishing-db-cpu", "Homepage"


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender of alerts: what it is called, where it posts, and what it says while firing and when it is over."""

    name: str
    path: str
    shown: str
    bearer: bool
    alertname: str
    make: Callable[[str, datetime], Any]
    firing: str
    resolved: str


ALERTMANAGER = Sender(
    "Alertmanager", "/webhooks/alertmanager", "/webhooks/alertmanager, bearer token", bearer=True, alertname=POD,
    make=setting.alertmanager, firing="alertmanager-firing", resolved="alertmanager-resolved",
)  # fmt: skip
CLOUDWATCH = Sender(
    "CloudWatch", "/webhooks/eventbridge", "/webhooks/eventbridge, at home this is EventBridge", bearer=True,
    alertname=DATABASE, make=setting.cloudwatch, firing="cloudwatch-alarm", resolved="cloudwatch-ok",
)  # fmt: skip
PINGDOM = Sender(
    "Pingdom", f"/webhooks/pingdom/{setting.PATH_TOKEN}", "/webhooks/pingdom/…, a secret in the path", bearer=False,
    alertname=HOMEPAGE, make=setting.pingdom, firing="pingdom-down", resolved="pingdom-up",
)  # fmt: skip


class Story:
    """Tells the scenes in order; ``missing`` holds what should have been seen and was not."""

    def __init__(self, stage: Stage) -> None:
        """Take the stage."""
        self._stage, self._account = stage, stage.account
        self.missing: list[str] = []

    def tell(self) -> None:
        """Tell everything."""
        for sender, title in (
            (ALERTMANAGER, "1. A pod crashes; Alertmanager says so"),
            (CLOUDWATCH, "2. A database is busy; CloudWatch says so"),
        ):
            self._account.scene(title)
            if self._comes_in(sender, firing=True):
                self._see(
                    Wanted("PagerDuty", "opened", sender.alertname), Wanted("Zendesk", "opened", sender.alertname),
                    Wanted("Slack", "posted", sender.alertname), Wanted("email", "mailed", sender.alertname),
                )  # fmt: skip
                self._why(sender)
        self._outage()
        self._over()
        self._count()

    def _outage(self) -> None:
        stage = self._stage
        self._account.scene("3. PagerDuty is down, and now the homepage is, too")
        stage.vendors.pagerduty.faults.always(status=503, body="Service Unavailable")
        if not self._comes_in(PINGDOM, firing=True):
            return
        self._see(
            Wanted("PagerDuty", "refused"), Wanted("Slack", "posted", HOMEPAGE), Wanted("email", "mailed", HOMEPAGE),
            Wanted("Zendesk", "opened", HOMEPAGE),
        )  # fmt: skip
        self._until(lambda: any(s.note for s in stage.seen), "the fallback was told instead, saying why")
        stage.vendors.pagerduty.faults.clear()
        self._account.told("PagerDuty", "is back; what it missed is still owed to it")
        self._see(Wanted("PagerDuty", "opened", HOMEPAGE))
        self._why(PINGDOM)

    def _over(self) -> None:
        self._account.scene("4. All is well again")
        for sender in (ALERTMANAGER, CLOUDWATCH, PINGDOM):
            self._comes_in(sender, firing=False)
        names = (POD, DATABASE, HOMEPAGE)
        self._see(
            *(Wanted("PagerDuty", "resolved", name) for name in names),
            *(Wanted("Slack", "edited", f"RESOLVED {name}") for name in names),
            *(Wanted("email", "mailed", f"RESOLVED {name}") for name in names),
            *(Wanted("Zendesk", "solved", name) for name in names),
        )
        told = "the fallback heard that it is over, too"
        self._until(lambda: self._stage.count(Wanted("Slack", "edited", f"RESOLVED {HOMEPAGE}")) > 1, told)
        self._why(PINGDOM)

    def _count(self) -> None:
        """Nobody may have been told twice."""
        for vendor, thing in (("PagerDuty", "incident"), ("Zendesk", "ticket")):
            for name in (POD, DATABASE, HOMEPAGE):
                times = self._stage.count(Wanted(vendor, "opened", name))
                if times > 1:
                    self.missing.append(f"one {thing} for {name}: {vendor} opened {times}")

    # -- what comes in, and where it goes ------------------------------------------------------------------------------

    def _comes_in(self, sender: Sender, *, firing: bool) -> bool:
        body = sender.make(sender.firing if firing else sender.resolved, datetime.now(UTC))
        answer = self._stage.post(sender.path, body, setting.headers(bearer=sender.bearer))
        state = "fires" if firing else "is resolved"
        stored = answer.status_code == ACCEPTED
        told = f"{answer.status_code} stored" if stored else f"{answer.status_code} {answer.text.strip()}"
        self._account.told("comes in", f"{sender.alertname} {state} ({sender.name} POST {sender.shown}): {told}")
        if not stored:
            self.missing.append(f"{sender.name}'s body was to be accepted: {told}")
        elif firing:
            self._routes(sender.alertname)
        return stored

    def _routes(self, alertname: str) -> None:
        until = time.monotonic() + ROUTED_WITHIN
        while time.monotonic() < until:
            decisions = [d for story in self._stage.explain(alertname) for d in _decisions(story)]
            if decisions:
                for route in decisions[-1]["routes"]:
                    matchers = ", ".join(route["matchers"]) or "everything else"
                    self._account.aside(
                        f"alertmanager.yml line {route['line']}: {matchers} goes to {route['receiver']}"
                    )
                return
            time.sleep(LOOK)
        self.missing.append(f"{alertname} was to be routed")

    # -- what was seen, and why ----------------------------------------------------------------------------------------

    def _see(self, *wanted: Wanted) -> None:
        missing = self._stage.wait(list(wanted), PATIENCE)
        self.missing.extend(str(each) for each in missing)

    def _until(self, happened: Callable[[], bool], sentence: str) -> None:
        until = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > until:
                self.missing.append(sentence)
                return
            self._stage.look()
            time.sleep(LOOK)

    def _why(self, sender: Sender) -> None:
        for story in self._stage.explain(sender.alertname):
            for group in story["groups"]:
                told = _reasons(group)
                for reason, lanes in told.items():
                    self._account.aside(f"why: {reason} ({', '.join(lanes)})")
                for record in group["attempts"]:
                    if record["kind"] == "failover":
                        self._account.aside(f"why {record['to']}: {record['receiver']} {record['why']}")


def _decisions(story: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    name = story["alert"]["fingerprint"]
    return [d for record in story["incoming"] for d in record["alerts"] if d["fingerprint"] == name]


def _reasons(group: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """Give the reasons of the latest flush that told somebody, each with who was told for it."""
    told: dict[str, list[str]] = {}
    flushes = [flush for flush in group["flushes"] if any(lane["version"] for lane in flush["lanes"])]
    for lane in flushes[-1]["lanes"] if flushes else ():
        if lane["version"]:
            told.setdefault(lane["reason"], []).append(f"{lane['receiver']} {lane['integration']}")
    return told
