"""A whole Tocsin in virtual time: the test owns the clock, the vendors are small classes with a public record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin.bootstrap import App, Ports, compose
from tocsin.config.plan import HeartbeatRule, Integration, Plan, Receiver, Route, SourceSettings
from tocsin.engines.local import LocalSecrets, Nobody
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.matchers import Matcher
from tocsin.model import HOUR, MINUTE, SECOND, Instant, Span
from tocsin.pipeline.rows import ALERT_SHARDS
from tocsin.ports import Attempt, Outcome, Permanent, Retry, Sent, Throttled

START: Instant = 1_790_000_000 * SECOND


@dataclass
class VirtualClock:
    instant: Instant = START

    def now(self) -> Instant:
        return self.instant


@dataclass
class Recorder:
    """Telemetry that remembers."""

    counts: dict[str, int] = field(default_factory=dict)
    lines: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def count(self, metric: str, value: int = 1, /, **labels: str) -> None:
        self.counts[metric] = self.counts.get(metric, 0) + value

    def log(self, level: str, message: str, /, **fields: Any) -> None:
        self.lines.append((level, message, fields))

    def errors(self) -> list[str]:
        return [message for level, message, _ in self.lines if level == "error"]


class Vendor:
    """What all pretended vendors share: a record, and faults that the next requests meet."""

    name = "vendor"
    config_key = "vendor_configs"
    send_resolved = True
    merges_by_key = False
    tells_late_resolution = True
    resolve_when_muted = False

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Callable[[], Outcome | None]] = []
        self.down: Outcome | None = None

    def render(self, notification: Any, settings: Mapping[str, Any]) -> bytes:
        body = {
            "key": notification.snapshot.group_key,
            "route": notification.snapshot.route_id,
            "receiver": notification.receiver,
            "status": "firing" if notification.firing else "resolved",
            "alerts": {a.labels["alertname"]: a.firing for a in notification.snapshot.alerts},
            "firing": sorted(a.fingerprint for a in notification.snapshot.alerts if a.firing),
            "reason": notification.reason,
            "note": notification.note,
        }
        return json.dumps(body, sort_keys=True).encode()

    def send(self, attempt: Attempt) -> Outcome:
        if self.faults:
            verdict = self.faults.pop(0)()
            if verdict is not None:
                return verdict
        if self.down is not None:
            return self.down
        return self.act(attempt)

    def lost_answer(self, attempt: Attempt) -> Outcome:
        """Act, and drop the connection before the answer."""
        self.act(attempt)
        return Retry("reset after the request", maybe=True)

    def act(self, attempt: Attempt) -> Outcome:
        body = json.loads(attempt.wire) | {"delivery": attempt.delivery_id, "uncertain": attempt.uncertain}
        self.requests.append(body)
        return self.take(body, attempt)

    def take(self, body: dict[str, Any], attempt: Attempt) -> Outcome:
        return Sent(status="200")

    @property
    def told(self) -> list[tuple[str, ...]]:
        return [(body["status"], *sorted(body["alerts"])) for body in self.requests]

    @classmethod
    def settings_model(cls) -> Any:
        raise AssertionError("no config is loaded here")


class Pager(Vendor):
    """PagerDuty: equal keys merge into the open incident, a trigger after its resolution opens a new one."""

    name = "pagerduty"
    merges_by_key = True
    tells_late_resolution = False
    resolve_when_muted = True

    def __init__(self) -> None:
        super().__init__()
        self.incidents: list[dict[str, Any]] = []

    def open(self, key: str) -> list[dict[str, Any]]:
        return [i for i in self.incidents if i["key"] == key and i["open"]]

    def take(self, body: dict[str, Any], attempt: Attempt) -> Outcome:
        found = self.open(body["key"])
        if body["status"] == "firing":
            if not found:
                self.incidents.append({"key": body["key"], "open": True, "firing": body["firing"]})
            else:
                found[0]["firing"] = body["firing"]
        elif found:
            found[0]["open"] = False
        return Sent(status="202", vendor_id=body["key"])


class Tickets(Vendor):
    """Zendesk: an Idempotency-Key never acts twice, and refuses other bytes."""

    name = "zendesk"
    tells_late_resolution = False
    resolve_when_muted = True

    def __init__(self) -> None:
        super().__init__()
        self.tickets: list[dict[str, Any]] = []
        self.keys: dict[str, tuple[bytes, int]] = {}

    def take(self, body: dict[str, Any], attempt: Attempt) -> Outcome:
        number = attempt.ref.get("ticket")
        if number is not None:
            self.tickets[number]["open"] = body["status"] == "firing"
            return Sent({"ticket": number} if body["status"] == "firing" else {"ticket": None}, status="200")
        if attempt.delivery_id in self.keys:
            wire, number = self.keys[attempt.delivery_id]
            assert wire == attempt.wire, "the same Idempotency-Key with other bytes"
            return Sent({"ticket": number}, status="200")
        if body["status"] == "resolved":
            return Sent(status="200")
        self.tickets.append({"key": body["key"], "open": True})
        self.keys[attempt.delivery_id] = (attempt.wire, len(self.tickets) - 1)
        return Sent({"ticket": len(self.tickets) - 1}, status="201")


class Chat(Vendor):
    """Slack: a post is found again by its delivery id, so an uncertain one is looked up first."""

    name = "slack"

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}

    def take(self, body: dict[str, Any], attempt: Attempt) -> Outcome:
        if attempt.uncertain and attempt.delivery_id in self.posts:
            return Sent({"ts": attempt.delivery_id}, status="found")
        assert attempt.delivery_id not in self.posts, "posted twice"
        self.posts[attempt.delivery_id] = body
        return Sent({"ts": attempt.delivery_id}, status="200")


class Mail(Vendor):
    name = "email"
    send_resolved = False


class Hook(Vendor):
    name = "webhook"


ALL = {"pagerduty": Pager, "slack": Chat, "zendesk": Tickets, "email": Mail, "webhook": Hook}


def receiver(name: str, *channels: str, **more: Any) -> Receiver:
    """A receiver with one integration a channel."""
    made = tuple(
        Integration(
            f"{c}/{n}", c, c if c in ALL else "", {}, ALL[c].send_resolved if c in ALL else True,
            resolve_when_muted=ALL[c].resolve_when_muted if c in ALL else False,
        )
        for n, c in enumerate(channels)
    )  # fmt: skip
    return Receiver(name, made, **more)


def route(to: str, *matchers: tuple[str, str, str], routes: tuple[Route, ...] = (), **more: Any) -> Route:
    made = tuple(Matcher(*m) for m in matchers)
    key = "{" + ",".join(map(str, made)) + "}"
    return Route(id=key, key=key, receiver=to, matchers=made, routes=routes, **more)


def plan(tree: Route, *receivers: Receiver, catch_all: str = "", **more: Any) -> Plan:
    names = {r.name: r for r in receivers}
    more.setdefault("sources", {n: SourceSettings(n, n, {"type": "none"}) for n in ("alertmanager", "pingdom")})
    return Plan(tree, names, catch_all or receivers[0].name, **more)


class World:
    """Tocsin on one engine, with pretended vendors, in virtual time."""

    def __init__(
        self, a_plan: Plan, *, ports: Ports | None = None, vendors: Mapping[str, Vendor] | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.telemetry = Recorder()
        self.vendors = dict(vendors or {name: kind() for name, kind in ALL.items()})
        if ports is None:
            store = SqliteStore(":memory:", clock=self.clock)
            queues = SqliteQueues(store, self.clock)
            ports = Ports(store, queues, LocalSecrets(), self.clock, self.telemetry, Nobody())
        self.ports = ports
        self.app: App = self.restart(a_plan)

    def restart(self, a_plan: Plan) -> App:
        self.app = compose(self.ports, a_plan, worker=f"worker-{id(object())}", channel=lambda name: self.vendors[name])
        return self.app

    def die(self) -> None:
        """End the process and start a new one: rows and inbox survive, hints do not."""
        self.ports = replace(self.ports, queues=SqliteQueues(self.ports.store, self.clock))  # type: ignore[arg-type]
        self.restart(self.app.plans.current())

    @property
    def pager(self) -> Pager:
        return self.vendors["pagerduty"]  # type: ignore[return-value]

    def alertmanager(self, *alerts: Mapping[str, Any], status: int = 202) -> None:
        body = json.dumps({"version": "4", "alerts": list(alerts)}).encode()
        answer = self.app.receive.handle("alertmanager", "", {}, body)
        assert answer.status == status, answer

    def run(self, span: Span = 0, step: Span = 5 * SECOND) -> None:
        """Let time pass: work what can be seen, tick every minute."""
        end = self.clock.instant + span
        self.app.worker.drain()
        while self.clock.instant < end:
            before = self.clock.instant
            self.clock.instant = min(end, before + step)
            if before // MINUTE != self.clock.instant // MINUTE:
                self.app.tick.run()
            self.app.worker.drain()

    def rows(self, prefix: str) -> list[Any]:
        return [row for pk in _partitions(self.ports.store, prefix) for row in self.ports.store.scan(pk)]

    def states(self) -> dict[str, Any]:
        return {
            row.key.sk: (row.data["max"], row.data["firing"], row.data["resolved"])
            for shard in ALERT_SHARDS
            for row in self.ports.store.scan(f"alerts#{shard}")
        }


def _partitions(store: Any, prefix: str) -> list[str]:
    rows = store.database.read("SELECT DISTINCT pk FROM rows WHERE pk LIKE ? ORDER BY pk", (prefix + "%",))
    return [pk for (pk,) in rows]


def firing(name: str, at: Instant = START, **labels: str) -> dict[str, Any]:
    return {
        "status": "firing", "labels": {"alertname": name, **labels}, "annotations": {}, "startsAt": stamp(at),
        "endsAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip


def resolved(name: str, at: Instant = START, end: Instant | None = None, **labels: str) -> dict[str, Any]:
    return firing(name, at, **labels) | {"status": "resolved", "endsAt": stamp(end if end is not None else at + SECOND)}


def stamp(instant: Instant) -> str:
    from tocsin.templates.gotime import rfc3339nano  # noqa: PLC0415

    return rfc3339nano(instant)


__all__ = [
    "HOUR", "MINUTE", "SECOND", "START", "HeartbeatRule", "Matcher", "Pager", "Permanent", "Plan", "Retry", "Throttled",
    "Vendor", "World", "firing", "plan", "receiver", "replace", "resolved", "route",
]  # fmt: skip
