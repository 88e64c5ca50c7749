"""The whole way in virtual time: what comes in, who is told, and what is left behind."""

from __future__ import annotations

from tests.stories.world import (
    HOUR,
    MINUTE,
    SECOND,
    START,
    HeartbeatRule,
    Matcher,
    Permanent,
    Retry,
    Throttled,
    World,
    firing,
    plan,
    receiver,
    resolved,
    route,
)

TEAM = route("team", group_by=("alertname",))


def test_an_alert_is_told_after_group_wait_and_its_resolution_at_the_next_interval():
    world = World(plan(TEAM, receiver("team", "pagerduty", "webhook")))
    world.alertmanager(firing("Down"))
    world.run(29 * SECOND)
    assert world.pager.told == []
    world.run(1 * SECOND)
    assert world.pager.told == [("firing", "Down")]
    world.alertmanager(resolved("Down"))
    world.run(5 * MINUTE)
    assert world.pager.told == [("firing", "Down"), ("resolved", "Down")]
    assert world.vendors["webhook"].told == world.pager.told
    assert [r["reason"] for r in world.pager.requests] == ["first notification", "all alerts resolved"]
    assert world.rows("group#") == []
    assert world.rows("members#") == []


def test_a_group_whose_wait_is_already_over_is_told_in_the_same_run():
    world = World(plan(TEAM, receiver("team", "pagerduty")))
    world.alertmanager(firing("Down", START - MINUTE))
    world.run()
    assert world.pager.told == [("firing", "Down")]


def test_a_repeat_goes_at_the_first_tick_strictly_after_repeat_interval():
    world = World(plan(route("team", repeat_interval=HOUR), receiver("team", "webhook")))
    world.alertmanager(firing("Down"))
    world.run(30 * SECOND + HOUR)
    assert len(world.vendors["webhook"].told) == 1
    world.run(5 * MINUTE)
    assert [r["reason"] for r in world.vendors["webhook"].requests] == ["first notification", "repeat interval elapsed"]


def test_a_refire_with_the_same_start_is_a_new_incident():
    world = World(plan(TEAM, receiver("team", "pagerduty")))
    for body in (firing("Down"), resolved("Down"), firing("Down")):
        world.alertmanager(body)
        world.run(10 * MINUTE)
    assert world.pager.told == [("firing", "Down"), ("resolved", "Down"), ("firing", "Down")]
    assert [i["open"] for i in world.pager.incidents] == [False, True]


def test_resolved_before_anyone_was_told_is_nothing_to_pagerduty_and_once_to_slack():
    world = World(plan(TEAM, receiver("team", "pagerduty", "slack")))
    world.pager.down = world.vendors["slack"].down = Retry("connection refused")
    world.alertmanager(firing("Down"))
    world.run(2 * MINUTE)
    world.alertmanager(resolved("Down"))
    world.run(6 * MINUTE)
    world.pager.down = world.vendors["slack"].down = None
    world.run(15 * MINUTE)
    assert world.pager.told == []
    assert world.vendors["slack"].told == [("resolved", "Down")]


def test_an_alert_that_resolves_within_group_wait_is_told_to_nobody():
    world = World(plan(TEAM, receiver("team", "pagerduty", "slack")))
    world.alertmanager(firing("Down"))
    world.run(5 * SECOND)
    world.alertmanager(resolved("Down"))
    world.run(20 * MINUTE)
    assert world.pager.told == []
    assert world.vendors["slack"].told == []
    assert world.rows("group#") == []


def test_a_null_receiver_is_a_recorded_decision_and_arms_nothing():
    world = World(plan(route("null"), receiver("null")))
    world.alertmanager(firing("Watchdog"))
    world.run(10 * MINUTE)
    assert world.rows("group#") == []
    [record] = world.rows("history#m#")
    assert record.data["alerts"][0]["routes"][0]["reason"] == "the receiver has no integrations"


def test_a_vendor_that_is_down_is_told_by_its_fallback_and_both_hear_the_resolution():
    world = World(
        plan(
            TEAM,
            receiver("team", "pagerduty", fallback="backup", fallback_after=2 * MINUTE),
            receiver("backup", "slack"),
        )
    )
    world.pager.down = Retry("503", maybe=True)
    world.alertmanager(firing("Down"))
    world.run(2 * MINUTE)
    slack = world.vendors["slack"]
    assert slack.told == []
    world.run(MINUTE)
    assert slack.told == [("firing", "Down")]
    assert "team (pagerduty/0) could not be told for 120 s" in slack.requests[0]["note"]
    world.pager.down = None
    world.run(6 * MINUTE)
    assert world.pager.told == [("firing", "Down")]
    world.alertmanager(resolved("Down"))
    world.run(6 * MINUTE)
    assert world.pager.told[-1] == ("resolved", "Down")
    assert slack.told == [("firing", "Down"), ("resolved", "Down")]
    world.alertmanager(firing("Down", START + HOUR))
    world.run(6 * MINUTE)
    assert len(slack.told) == 2, "the next incident goes to its own receiver alone"


def test_a_permanent_failure_falls_over_at_once_saying_why():
    world = World(plan(TEAM, receiver("team", "pagerduty", fallback="backup"), receiver("backup", "email")))
    world.pager.down = Permanent("403: the routing key is revoked")
    world.alertmanager(firing("Down"))
    world.run(MINUTE)
    mail = world.vendors["email"]
    assert mail.told == [("firing", "Down")]
    assert "403: the routing key is revoked" in mail.requests[0]["note"]
    assert "given up: nobody is left to tell" not in world.telemetry.errors()


def test_when_nobody_is_left_it_is_given_up_with_an_alarm():
    world = World(plan(TEAM, receiver("team", "webhook")))
    world.vendors["webhook"].down = Permanent("404")
    world.alertmanager(firing("Down"))
    world.run(MINUTE)
    assert world.telemetry.counts["given_up"] == 1
    assert "given up: nobody is left to tell" in world.telemetry.errors()


def test_without_a_fallback_the_catch_all_hears_what_could_not_be_told():
    world = World(plan(TEAM, receiver("team", "webhook"), receiver("ops", "email"), catch_all="ops"))
    world.vendors["webhook"].down = Permanent("404")
    world.alertmanager(firing("Down"))
    world.run(MINUTE)
    assert world.vendors["email"].told == [("firing", "Down")]


def test_throttling_is_no_failed_attempt():
    world = World(plan(TEAM, receiver("team", "slack")))
    slack = world.vendors["slack"]
    slack.faults = [lambda: Throttled(30 * SECOND, "429")]
    world.alertmanager(firing("Down"))
    world.run(30 * SECOND)
    assert slack.told == []
    world.run(25 * SECOND)
    assert slack.told == []
    world.run(5 * SECOND)
    assert slack.told == [("firing", "Down")]


def test_what_tocsin_does_not_speak_goes_to_the_catch_all_saying_so():
    world = World(plan(TEAM, receiver("team", "opsgenie"), receiver("ops", "email"), catch_all="ops"))
    world.alertmanager(firing("Down"))
    world.run(MINUTE)
    mail = world.vendors["email"]
    assert mail.told == [("firing", "Down")]
    assert "does not speak opsgenie" in mail.requests[0]["note"]


def test_a_strange_body_reaches_the_catch_all_with_its_raw_text():
    world = World(plan(TEAM, receiver("team", "pagerduty"), receiver("ops", "email"), catch_all="ops"))
    answer = world.app.receive.handle("alertmanager", "", {}, b"\xff not json")
    assert answer.status == 202
    world.run()
    assert world.vendors["email"].told == [("firing", "TocsinQuarantined")]
    assert world.telemetry.counts["quarantined"] == 1


def test_a_silent_heartbeat_is_missed_by_the_ordinary_routes_and_resolves_when_it_returns():
    watchdog = HeartbeatRule("watchdog", (Matcher("alertname", "=", "Watchdog"),), 5 * MINUTE, MINUTE)
    tree = route("team", group_by=("alertname",), routes=(route("null", ("alertname", "=", "Watchdog")),))
    world = World(plan(tree, receiver("team", "pagerduty"), receiver("null"), heartbeats=(watchdog,)))
    world.alertmanager(firing("Watchdog"))
    world.run(6 * MINUTE)
    assert world.pager.told == []
    world.run(2 * MINUTE)
    assert world.pager.told == [("firing", "HeartbeatMissing")]
    world.run(3 * HOUR, step=MINUTE)
    assert world.pager.told == [("firing", "HeartbeatMissing")]
    world.alertmanager(firing("Watchdog"))
    world.run(6 * MINUTE)
    assert world.pager.told == [("firing", "HeartbeatMissing"), ("resolved", "HeartbeatMissing")]


def test_a_heartbeat_that_was_never_heard_is_missed_too():
    rule = HeartbeatRule("watchdog", (Matcher("alertname", "=", "Watchdog"),), 5 * MINUTE, MINUTE)
    world = World(plan(TEAM, receiver("team", "pagerduty"), heartbeats=(rule,)))
    world.app.tick.run()
    world.run(9 * MINUTE)
    assert world.pager.told == [("firing", "HeartbeatMissing")]


def test_a_source_that_goes_silent_is_told_once_as_stale():
    world = World(plan(TEAM, receiver("team", "webhook")))
    world.alertmanager(firing("Down"))
    world.run(30 * HOUR, step=MINUTE)
    told = [r["reason"] for r in world.vendors["webhook"].requests]
    assert told.count("no word from the source: stale") == 1
    assert told[-1] == "no word from the source: stale"


def test_on_stale_resolve_ends_it():
    world = World(plan(TEAM, receiver("team", "pagerduty"), on_stale="resolve"))
    world.alertmanager(firing("Down"))
    world.run(26 * HOUR, step=MINUTE)
    assert [i["open"] for i in world.pager.incidents] == [False]


def test_a_lost_answer_is_settled_with_the_same_bytes_before_the_resolution_goes():
    world = World(plan(TEAM, receiver("team", "slack", "zendesk")))
    slack, tickets = world.vendors["slack"], world.vendors["zendesk"]
    original = slack.act, tickets.act
    for vendor in (slack, tickets):

        def lost(attempt, vendor=vendor, act=vendor.act):
            act(attempt)
            vendor.act = act
            vendor.down = Retry("down")
            return Retry("reset", maybe=True)

        vendor.act = lost
    world.alertmanager(firing("Down"))
    world.run(MINUTE)
    world.alertmanager(resolved("Down"))
    world.run(5 * MINUTE)
    slack.down = tickets.down = None
    world.run(10 * MINUTE)
    assert original
    assert [t["open"] for t in tickets.tickets] == [False]
    assert slack.told[-1] == ("resolved", "Down")
    assert len(slack.posts) == 2


def test_a_restart_with_hundreds_of_overdue_lanes_works_them_off_by_the_index_alone():
    world = World(plan(route("team", group_by=("alertname",), group_wait=0), receiver("team", "webhook")))
    hook = world.vendors["webhook"]
    hook.down = Retry("connection refused")
    for number in range(120):
        world.alertmanager(firing(f"Down{number:03}", START - MINUTE))
        world.run(SECOND)
    hook.down = None
    world.clock.instant += HOUR
    world.die()
    world.run(3 * MINUTE)
    told = [next(iter(body["alerts"])) for body in hook.requests]
    assert sorted(told) == [f"Down{number:03}" for number in range(120)]
