"""Two or three workers side by side, in any order of their port calls, with slow vendors, deaths and new plans."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from dataclasses import dataclass, replace

import pytest
from tocsin.pipeline.rows import Member, read_lane

from tests.stories.interleaving import Crowd
from tests.stories.world import (
    MINUTE,
    SECOND,
    START,
    Permanent,
    Plan,
    Retry,
    World,
    firing,
    plan,
    receiver,
    resolved,
    route,
)

NAMES = ("A", "B", "C")
SEEDS = range(int(os.environ.get("TOCSIN_SEEDS", "40")))


def the_plan(group_wait: int = 0) -> Plan:
    times = {"group_wait": group_wait, "group_interval": MINUTE, "repeat_interval": 5 * MINUTE}
    both = route("tickets", ("alertname", "=~", "A|B"), group_by=("alertname",), continue_=True, **times)
    rest = route("team", ("alertname", "=~", ".+"), group_by=("alertname",), **times)
    return plan(
        route("team", routes=(both, rest), **times),
        receiver("team", "pagerduty", "slack", "webhook", fallback="backup", fallback_after=2 * MINUTE),
        receiver("tickets", "zendesk"),
        receiver("backup", "email"),
        catch_all="backup",
    )


@dataclass
class Episodes:
    """What was posted: who fires last, and how often each name began to."""

    fires: dict[str, bool]
    began: dict[str, int]


def play(seed: int, workers: int) -> tuple[Crowd, Episodes]:
    rng = random.Random(f"story {seed}")
    crowd = Crowd(seed, the_plan(rng.choice((0, 0, 20 * SECOND))), workers)
    told = Episodes(dict.fromkeys(NAMES, False), dict.fromkeys(NAMES, 0))
    same_start = rng.random() < 0.5
    for _ in range(rng.randint(4, 14)):
        alerts = []
        for name in rng.sample(NAMES, rng.choice((1, 1, 2))):
            now = crowd.clock.instant
            fires = rng.random() < 0.6
            start = START if same_start else now
            if fires and not told.fires[name]:
                told.began[name] += 1
            told.fires[name] = fires
            alerts.append(firing(name, start) if fires else resolved(name, START, now))
        crowd.clock.instant += 1
        crowd.world.alertmanager(*alerts)
        disturb(crowd, rng)
        crowd.run_until(crowd.clock.instant + rng.choice((1, 1, 5, 30, 90, 150)) * SECOND)
    return crowd, told


def disturb(crowd: Crowd, rng: random.Random) -> None:
    vendor = crowd.vendors[rng.choice(("pagerduty", "slack", "zendesk", "webhook"))]._vendor
    vendor.down = rng.choice((None, None, Retry("connection refused"), Retry("503", maybe=True), Permanent("410")))
    if rng.random() < 0.1:
        crowd.world.app.plans.push(replace(crowd.plan, external_url=f"http://tocsin/{rng.random()}"))


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_any_interleaving_of_port_calls_keeps_the_laws(seed, workers):
    crowd, told = play(seed, workers)
    world = crowd.settle()
    no_group_is_left_unarmed(world)
    every_version_has_a_receipt(world)
    for name in NAMES:
        the_last_word_is_true(world, name, fires=told.fires[name], began=told.began[name])
    assert "defects" not in world.telemetry.counts, "a vendor was asked for what it must never be asked for"


def no_group_is_left_unarmed(world: World) -> None:
    groups = {row.key.pk.partition("#")[2]: row for row in world.rows("group#")}
    alerts = {row.key.sk: row for row in world.rows("alerts#")}
    for row in world.rows("members#"):
        member, group = Member.read(row), row.key.pk.partition("#")[2]
        assert group in groups, f"an orphan: {member.alert.labels} in a group that is gone"
        assert groups[group].due_at is not None, "a group that nobody flushes"
        start, seen, end, heard, _ = alerts[row.key.sk].data["max"]
        assert member.alert.firing == (start > end or seen > heard), "a member that differs from its alert"
        assert member.alert.firing, "what was told as resolved lingers"


def every_version_has_a_receipt(world: World) -> None:
    accounted = defaultdict(set)
    for row in world.rows("history#g#"):
        record = row.data
        for lane in record.get("lanes", ()):
            accounted[lane["lane"]].add(lane["supersedes"])
            if lane["silent"]:
                accounted[lane["lane"]].add(lane["version"])
        for lane, version in record.get("superseded", ()):
            accounted[lane].add(version)
        final = record["kind"] == "attempt" and record["outcome"].startswith(("sent", "refused"))
        if final or record["kind"] in {"receipt", "failover", "superseded"}:
            accounted[record["lane"]].add(record.get("version"))
    for row in world.rows("lane#"):
        lane = read_lane(row)
        assert not lane.waits, f"{lane.receiver} {lane.integration} still waits: {lane.receipt}"
        owed = lane.owed.version if lane.owed else 0
        missing = set(range(1, owed + 1)) - accounted[lane.id]
        assert not missing, f"versions {missing} of {lane.receiver} {lane.integration} ended without a receipt"


def the_last_word_is_true(world: World, name: str, *, fires: bool, began: int) -> None:
    key = f'alertname="{name}"'
    incidents = [i for i in world.vendors["pagerduty"].incidents if key in i["key"]]
    assert len(incidents) <= began, f"{len(incidents)} incidents for {began} episodes of {name}"
    tickets = [t for t in world.vendors["zendesk"].tickets if key in t["key"]]
    assert len(tickets) <= began, f"{len(tickets)} tickets for {began} episodes of {name}"
    channels = {
        "pagerduty": any(i["open"] for i in incidents),
        "zendesk": any(t["open"] for t in tickets),
        "slack": last_post(world, "slack", name),
        "webhook": last_post(world, "webhook", name),
    }
    if name == "C":
        del channels["zendesk"]
    refused = {
        read_lane(row).channel
        for row in world.rows("lane#")
        if key in read_lane(row).group_key and "failed over" in read_lane(row).receipt
    }
    said = {channel: open_ for channel, open_ in channels.items() if channel not in refused}
    assert said == dict.fromkeys(said, fires), f"{name}: not everybody's last word is true"


def last_post(world: World, channel: str, name: str) -> bool:
    posts = [body for body in world.vendors[channel].requests if name in body["alerts"]]
    return bool(posts) and posts[-1]["alerts"][name]
