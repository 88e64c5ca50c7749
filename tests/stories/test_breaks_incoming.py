"""Bodies that broke the intake once, or would break an obvious one: poison, floods, giants, odd characters."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from tocsin import lanes
from tocsin.errors import StoreBusyError, StoreFullError
from tocsin.pipeline import history
from tocsin.pipeline.intake import Intake
from tocsin.pipeline.receive import INLINE_BODY
from tocsin.ports import INBOX

from tests.stories.crashes import Crash
from tests.stories.meddling import meddled
from tests.stories.world import (
    HOUR,
    MINUTE,
    SECOND,
    START,
    Permanent,
    World,
    firing,
    plan,
    receiver,
    resolved,
    route,
)

AT_ONCE = route("team", group_by=("alertname",), group_wait=0)
ONE_GROUP = route("team", group_wait=0)


def worker_dies(world: World, poison: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = Intake._parse

    def dying(self: Intake, parser: Any, incoming: Any) -> Any:
        if incoming.body == poison:
            raise Crash
        return parse(self, parser, incoming)

    monkeypatch.setattr(Intake, "_parse", dying)


def test_a_body_that_kills_the_process_takes_no_neighbour_along_and_ends_with_the_catch_all(monkeypatch):
    world = World(plan(AT_ONCE, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    poison = json.dumps({"alerts": [firing("Poison")]}).encode()
    worker_dies(world, poison, monkeypatch)
    for name in ("A", "B", "C"):
        world.alertmanager(firing(name, START - MINUTE))
    world.app.receive.handle("alertmanager", "", {}, poison)
    for name in ("D", "E"):
        world.alertmanager(firing(name, START - MINUTE))
    deaths = 0
    for _ in range(30):
        try:
            world.run(MINUTE)
        except Crash:
            deaths += 1
            world.die()
            world.ports.queues.reclaim()
    assert deaths == 3
    assert sorted(next(iter(b["alerts"])) for b in world.vendors["webhook"].requests) == ["A", "B", "C", "D", "E"]
    [mail] = world.vendors["email"].requests
    assert mail["alerts"] == {"TocsinQuarantined": True}
    assert world.ports.queues.depth(INBOX) == 0


@pytest.mark.parametrize("error", [StoreBusyError, StoreFullError])
@pytest.mark.parametrize("call", ["get", "write", "touch"])
def test_a_store_that_is_away_for_an_hour_makes_no_poison_of_an_innocent_body(call, error):
    world = World(plan(AT_ONCE, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    store = meddled(world)
    away = [True]

    def fail(argument: Any) -> None:
        about = str(argument)
        if away[0] and ("alerts#" in about or "members#" in about or "group#" in about):
            raise error("away")

    store.before[call] = fail
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(HOUR, step=15 * SECOND)
    assert world.vendors["webhook"].told == []
    away.clear()
    away.append(False)
    world.run(5 * MINUTE)
    assert world.vendors["webhook"].told == [("firing", "Down")]
    assert world.vendors["email"].told == []


def noise(number: int, size: int) -> str:
    """Text that does not compress."""
    blocks = (hashlib.sha256(f"{number} {n}".encode()).hexdigest() for n in range(size // 64 + 1))
    return "".join(blocks)[:size]


def test_an_annotation_of_a_megabyte_is_cut_and_the_alert_told():
    world = World(plan(AT_ONCE, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    for status, end in (("firing", None), ("resolved", START)):
        alert = firing("Down", START - MINUTE) if status == "firing" else resolved("Down", START - MINUTE, end)
        alert["annotations"] = {"log": noise(1, 1_000_000), "summary": "short", "more": noise(2, 200_000)}
        alert["generatorURL"] = "http://p/" + noise(3, 100_000)
        world.alertmanager(alert)
        world.run(6 * MINUTE)
    assert world.vendors["webhook"].told == [("firing", "Down"), ("resolved", "Down")]
    assert world.vendors["email"].told == []


def test_labels_that_no_row_can_hold_reach_the_catch_all_and_their_neighbours_their_own_receiver():
    world = World(plan(AT_ONCE, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    world.alertmanager(firing("Huge", START - MINUTE, log=noise(1, 700_000)), firing("Down", START - MINUTE))
    world.run(MINUTE)
    assert world.vendors["webhook"].told == [("firing", "Down")]
    assert world.vendors["email"].told == [("firing", "TocsinQuarantined")]


def test_one_body_of_ten_thousand_small_alerts_is_told_once_and_remembered():
    world = World(plan(ONE_GROUP, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    alerts = [{"status": "firing", "labels": {"alertname": f"A{n}"}, "startsAt": "2020-01-01T00:00:00Z"}
              for n in range(10_000)]  # fmt: skip
    world.alertmanager(*alerts)
    world.run(MINUTE)
    [body] = world.vendors["webhook"].requests
    assert len(body["alerts"]) == 10_000
    assert world.vendors["email"].requests == []
    [message] = world.rows("history#m#")
    name = message.key.pk.removeprefix("history#m#")
    assert len(history.read_incoming(world.ports.store, [name])[name]["alerts"]) == 10_000


def test_a_body_of_four_megabytes_goes_the_whole_way():
    world = World(plan(ONE_GROUP, receiver("team", "webhook")))
    alerts = [firing(f"A{n:04}", START - MINUTE, text=noise(n, 600)) for n in range(5_000)]
    assert len(json.dumps(alerts)) > 20 * INLINE_BODY
    world.alertmanager(*alerts)
    world.run(MINUTE)
    assert [len(body["alerts"]) for body in world.vendors["webhook"].requests] == [5_000]


@pytest.mark.parametrize("near", [0, 2, 20_000])
def test_a_group_of_more_alerts_than_a_row_holds_is_told_and_resolved_like_any_other(near, monkeypatch):
    monkeypatch.setattr(lanes, "NEAR", near)
    tree = route("team", group_wait=0, repeat_interval=HOUR)
    world = World(
        plan(tree, receiver("team", "pagerduty", "slack", "email", fallback="ops"), receiver("ops", "webhook"))
    )
    world.vendors["slack"].down = Permanent("404")
    names = ("A", "B", "C", "D")
    world.alertmanager(*(firing(name, START - MINUTE) for name in names))
    world.run(30 * MINUTE)
    world.alertmanager(resolved("A", START - MINUTE, world.clock.instant))
    world.run(40 * MINUTE)
    world.run(HOUR)
    world.alertmanager(*(resolved(name, START - MINUTE, world.clock.instant) for name in names))
    world.run(10 * MINUTE)
    reasons = ["first notification", "some alerts resolved", "repeat interval elapsed", "all alerts resolved"]
    assert [body["reason"] for body in world.pager.requests] == reasons
    assert [body["reason"] for body in world.vendors["webhook"].requests] == reasons
    assert [len(body["alerts"]) for body in world.pager.requests] == [4, 4, 3, 3]
    assert [body["reason"] for body in world.vendors["email"].requests] == [reasons[0], reasons[2], reasons[2]]
    assert [incident["open"] for incident in world.pager.incidents] == [False]
    assert world.rows("group#") == []


def test_one_label_set_twice_in_a_body_ends_as_its_times_say():
    world = World(plan(AT_ONCE, receiver("team", "pagerduty")))
    gone = resolved("Down", START - HOUR, START - 2 * MINUTE)
    world.alertmanager(firing("Down", START - MINUTE), gone)
    world.run(MINUTE)
    assert world.pager.told == [("firing", "Down")]
    world.alertmanager(firing("Down", START - MINUTE), resolved("Down", START - MINUTE, START + SECOND))
    world.run(6 * MINUTE)
    assert world.pager.told == [("firing", "Down"), ("resolved", "Down")]


@pytest.mark.parametrize(
    "value", ["line one\nline two", "\u0000", "\ud800", "日本 🔥", "\u202eabc", '"}{\\', " ", "\u2028"],
    ids=["newline", "NUL", "lone surrogate", "far away", "right to left", "quotes", "blank", "separator"],
)  # fmt: skip
def test_whatever_characters_a_label_has_it_is_told_and_resolved(value):
    tree = route("team", group_by=("alertname", "odd"), group_wait=0)
    world = World(plan(tree, receiver("team", "pagerduty", "slack", "zendesk")))
    for body in (firing("Down", START - MINUTE, odd=value), resolved("Down", START - MINUTE, START, odd=value)):
        world.alertmanager(body)
        world.run(6 * MINUTE)
    assert world.pager.told == [("firing", "Down"), ("resolved", "Down")]
    assert [ticket["open"] for ticket in world.vendors["zendesk"].tickets] == [False]


def test_an_alert_without_labels_reaches_the_catch_all():
    world = World(plan(AT_ONCE, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    world.alertmanager({"status": "firing", "labels": {}})
    world.run(MINUTE)
    assert world.vendors["email"].told == [("firing", "TocsinQuarantined")]


def test_a_flood_of_odd_bodies_is_one_group_told_at_its_interval_and_ends():
    world = World(plan(AT_ONCE, receiver("team", "webhook"), receiver("ops", "slack"), catch_all="ops"))
    for number in range(2_000):
        world.app.receive.handle("alertmanager", "", {}, f"not json {number}".encode())
    world.run(10 * MINUTE, step=30 * SECOND)
    assert len(world.rows("group#")) == 1
    assert len(world.vendors["slack"].requests) <= 3
    assert len(world.vendors["slack"].requests[-1]["firing"]) == 2_000
    world.run(26 * HOUR, step=10 * MINUTE)
    assert world.rows("group#") == []
    assert world.rows("members#") == []
