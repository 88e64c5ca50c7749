"""Sequences that broke the pipeline once, or would break an obvious one. One sentence a case."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tocsin.engines.sqlite import SqliteStore
from tocsin.errors import SecretError
from tocsin.pipeline.rows import Member, lane_key, read_lane
from tocsin.ports import Put

from tests.stories.crashes import Crash
from tests.stories.meddling import meddled
from tests.stories.world import (
    HOUR,
    MINUTE,
    SECOND,
    START,
    HeartbeatRule,
    Matcher,
    Permanent,
    Retry,
    World,
    firing,
    plan,
    receiver,
    resolved,
    route,
)

AT_ONCE = route("team", group_by=("alertname",), group_wait=0)
ONE_GROUP = route("team", group_wait=0)
DAY = 24 * HOUR


def members(world: World) -> dict[str, bool]:
    return {m.alert.labels["alertname"]: m.alert.firing for m in map(Member.read, world.rows("members#"))}


# ---- two workers -----------------------------------------------------------------------------------------------------


def writes_member(writes: Any) -> bool:
    return any(isinstance(w, Put) and w.key.pk.startswith("members#") for w in writes)


def test_a_resolution_that_overtakes_the_firing_between_alert_and_member_is_not_forgotten():
    world = World(plan(ONE_GROUP, receiver("team", "webhook")))
    store = meddled(world)
    world.alertmanager(firing("Down", START - MINUTE))
    world.clock.instant += 1

    def overtake(writes: Any) -> None:
        if writes_member(writes):
            store.before.clear()
            world.alertmanager(resolved("Down", START - MINUTE, START))
            store.second.worker.inbox()

    store.before["write"] = overtake
    world.run(10 * MINUTE)
    assert not store.before, "nobody overtook"
    assert members(world) == {}
    assert world.vendors["webhook"].told in ([], [("firing", "Down"), ("resolved", "Down")])


def test_a_refire_that_overtakes_the_resolution_is_not_forgotten():
    world = World(plan(ONE_GROUP, receiver("team", "webhook")))
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    store = meddled(world)
    world.alertmanager(resolved("Down", START - MINUTE, START))

    def overtake(writes: Any) -> None:
        if writes_member(writes):
            store.before.clear()
            world.alertmanager(firing("Down", START - MINUTE))  # the same start and words: nothing new in the member
            store.second.worker.inbox()

    store.before["write"] = overtake
    world.run(10 * MINUTE)
    assert not store.before, "nobody overtook"
    assert members(world) == {"Down": True}


def test_an_alert_that_fires_again_after_its_member_was_deleted_is_not_taken_for_the_one_that_was_told_as_resolved():
    world = World(plan(ONE_GROUP, receiver("team", "pagerduty", "webhook")))
    world.alertmanager(firing("Other", START - MINUTE), firing("Down", START - MINUTE))
    world.run(MINUTE)
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(5 * MINUTE)  # Down's member is deleted at version 2, Other keeps the group
    now = world.clock.instant
    world.alertmanager(firing("Down", now))
    world.run(SECOND)
    world.alertmanager(firing("Down", now + SECOND))  # its member has version 2 again
    world.run(6 * MINUTE)
    assert world.vendors["webhook"].requests[-1]["alerts"] == {"Other": True, "Down": True}


# ---- the vendor's side -----------------------------------------------------------------------------------------------


def test_a_ticket_that_may_have_been_opened_is_closed_although_the_vendor_refused_later():
    world = World(plan(AT_ONCE, receiver("team", "zendesk"), receiver("ops", "email"), catch_all="ops"))
    tickets = world.vendors["zendesk"]
    take = tickets.act

    def lost(attempt: Any) -> Any:
        take(attempt)
        tickets.act, tickets.down = take, Permanent("410")
        return Retry("reset", maybe=True)

    tickets.act = lost
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(2 * MINUTE)
    assert world.vendors["email"].told == [("firing", "Down")]
    tickets.down = None
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(6 * MINUTE)
    assert [ticket["open"] for ticket in tickets.tickets] == [False]


def test_an_uncertain_mail_of_an_incident_that_ended_in_silence_is_not_sent_with_the_next_incident():
    world = World(plan(AT_ONCE, receiver("team", "email")))
    mail = world.vendors["email"]
    mail.down = Retry("timeout", maybe=True)
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(6 * MINUTE)
    mail.down = None
    world.clock.instant += 20 * DAY  # whatever was stored of the first one is forgotten
    world.alertmanager(firing("Down", world.clock.instant))
    world.run(MINUTE)
    assert [(body["status"], body["delivery"][-2:]) for body in mail.requests] == [("firing", "-3")]


def test_a_machine_that_was_off_for_weeks_goes_on_where_it_can_and_says_what_it_lost():
    world = World(plan(AT_ONCE, receiver("team", "slack"), receiver("ops", "email"), catch_all="ops"))
    slack = world.vendors["slack"]
    slack.down = Retry("503", maybe=True)
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    world.clock.instant += 15 * DAY
    world.ports.store.sweep(world.clock.instant)
    slack.down = None
    world.die()
    world.run(10 * MINUTE)
    assert slack.told[-1] == ("firing", "Down")
    assert all(not read_lane(row).waits for row in world.rows("lane#"))


def test_a_body_that_cannot_be_rendered_is_told_by_somebody_else_saying_so():
    world = World(plan(AT_ONCE, receiver("team", "slack"), receiver("ops", "email"), catch_all="ops"))

    def render(*_: Any) -> bytes:
        raise ZeroDivisionError("a defect of the channel")

    world.vendors["slack"].render = render
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    [mail] = world.vendors["email"].requests
    assert "slack body could not be rendered: ZeroDivisionError" in mail["note"]
    assert world.telemetry.counts["defects"] == 1


def test_a_fallback_without_integrations_is_passed_over_for_the_catch_all():
    world = World(
        plan(
            AT_ONCE, receiver("team", "webhook", fallback="null"), receiver("null"), receiver("ops", "email"),
            catch_all="ops",
        )
    )  # fmt: skip
    world.vendors["webhook"].down = Permanent("404")
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    assert world.vendors["email"].told == [("firing", "Down")]


def test_a_fallback_that_fails_too_goes_to_the_catch_all_and_then_to_the_operators_never_in_a_circle():
    world = World(
        plan(
            AT_ONCE, receiver("team", "webhook", fallback="backup"), receiver("backup", "slack"),
            receiver("ops", "email", fallback="backup"), catch_all="ops",
        )
    )  # fmt: skip
    for name in ("webhook", "slack", "email"):
        world.vendors[name].down = Permanent("404")
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(HOUR)
    receipts = {read_lane(row).receiver: read_lane(row).receipt for row in world.rows("lane#")}
    assert receipts["team"].startswith("failed over to backup")
    assert receipts["backup"].startswith("failed over to ops")
    assert receipts["ops"].startswith("given up")
    assert world.telemetry.counts["given_up"] == 1, "one incident, one alarm; the repeat is hours away"


def test_an_integration_that_is_refused_for_ever_makes_one_message_to_the_catch_all_a_repeat_and_no_more():
    tree = route("team", group_by=("alertname",), group_wait=0, repeat_interval=HOUR)
    world = World(plan(tree, receiver("team", "webhook", "slack"), receiver("ops", "email"), catch_all="ops"))
    world.vendors["webhook"].down = Permanent("404")
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(4 * HOUR, step=MINUTE)
    assert len(world.vendors["slack"].requests) == 4
    assert len(world.vendors["email"].requests) == 4


def test_a_receiver_that_recovers_from_a_permanent_failure_is_told_at_the_next_repeat_and_resolved():
    tree = route("team", group_by=("alertname",), group_wait=0, repeat_interval=HOUR)
    world = World(plan(tree, receiver("team", "pagerduty"), receiver("ops", "slack"), catch_all="ops"))
    world.pager.down = Permanent("403")
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(30 * MINUTE, step=MINUTE)
    world.pager.down = None
    world.run(HOUR, step=MINUTE)
    world.alertmanager(resolved("Down", START - MINUTE, world.clock.instant))
    world.run(6 * MINUTE)
    assert [incident["open"] for incident in world.pager.incidents] == [False]
    assert world.vendors["slack"].told[-1] == ("resolved", "Down")


def test_a_resolution_while_the_claim_is_a_dead_workers_waits_for_the_lease_and_goes():
    world = World(plan(AT_ONCE, receiver("team", "pagerduty", "zendesk")))
    for vendor in (world.pager, world.vendors["zendesk"]):

        def die(vendor: Any = vendor, act: Any = vendor.act) -> Any:
            def dying(attempt: Any) -> Any:
                act(attempt)
                vendor.act = act
                raise Crash

            return dying

        vendor.act = die()
    world.alertmanager(firing("Down", START - MINUTE))
    for _ in range(2):
        with pytest.raises(Crash):
            world.run(2 * MINUTE)
        world.die()
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(8 * MINUTE)
    assert [incident["open"] for incident in world.pager.incidents] == [False]
    assert [ticket["open"] for ticket in world.vendors["zendesk"].tickets] == [False]


def test_a_receiver_of_more_integrations_than_a_commit_holds_is_told_and_so_is_such_a_fallback():
    many = receiver("team", *["webhook"] * 120, fallback="backup")
    world = World(plan(AT_ONCE, many, receiver("backup", *["slack"] * 120)))
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    assert len(world.vendors["webhook"].requests) == 120
    world.vendors["webhook"].down = Permanent("404")
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(6 * MINUTE)
    assert len(world.vendors["slack"].requests) == 120
    assert all(not read_lane(row).waits for row in world.rows("lane#"))


def test_a_secret_that_leads_nowhere_is_heard_of_by_the_fallback():
    world = World(plan(AT_ONCE, receiver("team", "slack", fallback="backup"), receiver("backup", "email")))

    class NoSecrets:
        def get(self, name: str) -> str:
            raise SecretError(f"no secret is named {name}")

    slack = world.app.plans.current().receivers["team"].integrations[0]
    broken = replace(slack, settings={"api_url": {"$secret": "slack-url"}})
    world.ports = replace(world.ports, secrets=NoSecrets())
    now = world.app.plans.current()
    receivers = {**now.receivers, "team": replace(now.receivers["team"], integrations=(broken,))}
    world.restart(replace(now, receivers=receivers))
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(6 * MINUTE)
    [mail] = world.vendors["email"].requests
    assert "no secret is named slack-url" in mail["note"]


# ---- time ------------------------------------------------------------------------------------------------------------


def test_what_is_heard_of_every_five_minutes_is_never_stale_however_short_stale_after_is():
    world = World(plan(AT_ONCE, receiver("team", "pagerduty"), stale_after=20 * MINUTE, on_stale="resolve"))
    for _ in range(24):
        world.alertmanager(firing("Down", START - MINUTE))
        world.run(5 * MINUTE, step=MINUTE)
    assert world.pager.told == [("firing", "Down")]


def test_an_alert_that_was_sent_once_can_resolve_after_two_months():
    tree = route("team", group_by=("alertname",), group_wait=0, repeat_interval=400 * DAY)
    world = World(plan(tree, receiver("team", "pagerduty", "zendesk")))
    for body in (firing("Down", START - MINUTE), resolved("Down", START - MINUTE, START)):
        world.alertmanager(body)
        world.run(6 * MINUTE)
    world.alertmanager(firing("Down", world.clock.instant))
    world.run(6 * MINUTE)
    for _ in range(60):
        world.run(DAY, step=6 * HOUR)
        world.ports.store.sweep(world.clock.instant)
    world.alertmanager(resolved("Down", START, world.clock.instant))
    world.run(6 * MINUTE)
    assert [incident["open"] for incident in world.pager.incidents] == [False, False]
    assert [ticket["open"] for ticket in world.vendors["zendesk"].tickets] == [False, False]


def test_a_clock_that_is_set_back_a_little_between_firing_and_resolved_loses_no_resolution():
    world = World(plan(AT_ONCE, receiver("team", "pagerduty")))
    world.alertmanager(firing("Down", START))
    world.run(SECOND)
    world.clock.instant -= 5 * SECOND
    world.alertmanager(resolved("Down", START, START + SECOND))
    world.run(10 * MINUTE)
    assert [incident["open"] for incident in world.pager.incidents] == [False]


def test_a_heartbeat_whose_beat_lay_in_the_inbox_while_it_was_missed_is_resolved():
    rule = HeartbeatRule("watchdog", (Matcher("alertname", "=", "Watchdog"),), 5 * MINUTE, MINUTE)
    tree = route("team", group_by=("alertname",), group_wait=0, routes=(route("null", ("alertname", "=", "Watchdog")),))
    world = World(plan(tree, receiver("team", "pagerduty"), receiver("null"), heartbeats=(rule,)))
    world.alertmanager(firing("Watchdog"))
    world.run()
    world.clock.instant += 5 * MINUTE
    world.alertmanager(firing("Watchdog"))  # taken in, and not worked for a while
    world.clock.instant += 3 * MINUTE
    world.app.decide._heartbeats.work("watchdog", world.app.plans.current())
    for _ in range(6):
        world.run(4 * MINUTE)
        world.alertmanager(firing("Watchdog"))
    assert [incident["open"] for incident in world.pager.incidents] in ([], [False])


# ---- mutes and silence -----------------------------------------------------------------------------------------------


def test_what_fired_before_a_mute_and_resolved_in_it_is_closed_where_an_incident_is_open_and_silent_elsewhere():
    tree = route("team", group_by=("alertname",), group_wait=0, mute_time_intervals=("night",))
    night = json.loads('[{"times": [[0, 1440]]}]')
    world = World(plan(tree, receiver("team", "pagerduty", "slack"), time_intervals={"night": []}))
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    world.app.plans.push(replace(world.app.plans.current(), time_intervals={"night": night}))
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(6 * MINUTE)
    assert [incident["open"] for incident in world.pager.incidents] == [False]
    assert world.vendors["slack"].told == [("firing", "Down")]
    assert world.rows("group#") == []


def test_lanes_keep_their_words_while_the_alert_fires_and_are_forgotten_when_it_is_over():
    store = SqliteStore(":memory:")
    assert store.get([lane_key("none")]) == {}
    world = World(plan(AT_ONCE, receiver("team", "pagerduty")))
    world.alertmanager(firing("Down", START - MINUTE))
    world.run(MINUTE)
    assert [row.expires_at for row in world.rows("lane#")] == [None]
    world.alertmanager(resolved("Down", START - MINUTE, START))
    world.run(6 * MINUTE)
    assert all(row.expires_at for row in world.rows("lane#"))


def test_a_lane_whose_work_ends_in_a_defect_holds_up_no_other_and_is_counted():
    world = World(plan(AT_ONCE, receiver("team", "webhook")))
    send = world.app.worker._deliverer.work
    broken: list[str] = []

    def work(lane: str, a_plan: Any) -> Any:
        broken[:] = broken or [lane]
        if lane == broken[0]:
            raise LookupError("no such module")
        return send(lane, a_plan)

    world.app.worker._deliverer.work = work
    world.alertmanager(*(firing(name, START - MINUTE) for name in ("A", "B", "C")))
    world.run()
    assert len(world.vendors["webhook"].requests) == 2
    assert world.telemetry.counts["defects"] == 1
    broken[0] = "nobody"
    world.run(3 * MINUTE)
    assert len(world.vendors["webhook"].requests) == 3
