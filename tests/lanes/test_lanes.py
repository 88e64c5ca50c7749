"""What a lane does next, and what becomes of it; a sentence a case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin import lanes
from tocsin.lanes import BACKOFF_LONGEST, LEASE, Close, Lane, Owing, Send, Wait, next_action
from tocsin.model import HOUR, MINUTE, SECOND

NOW = 1_000 * HOUR
EMPTY = Lane("1", "g", "{}:{}", "{}", "team", "slack/0", "slack")
A, B = frozenset({"00000000000000aa"}), frozenset({"00000000000000bb"})


def owing(firing: frozenset[str] = A, resolved: frozenset[str] = frozenset(), **more: object) -> Owing:
    return Owing(0, "snapshot", firing, resolved, "first notification", NOW, **more)


FIRES = lanes.owe(EMPTY, owing(), NOW)
TOLD = lanes.sent(lanes.claim(FIRES, "w", 1, NOW), 1, fires=True, ref={"ts": "1"}, now=NOW, status="200")
CLAIMED = lanes.claim(FIRES, "w", 1, NOW)
MAYBE = lanes.failed(CLAIMED, NOW, maybe=True, fires=True)
LATER = NOW + HOUR


def then(lane: Lane, *, silent: bool = False) -> Lane:
    return lanes.owe(lane, owing(frozenset(), A, silent=silent), NOW)


ACTIONS = [
    ("nothing was ever owed", EMPTY, {}, Wait),
    ("something is owed", FIRES, {}, Send(1, uncertain=False)),
    ("what is owed was told", TOLD, {}, Wait),
    ("another worker has the lane", CLAIMED, {"now": NOW + LEASE - 1}, Wait),
    ("the lease has run out: its request may have acted", CLAIMED, {"now": NOW + LEASE}, Send(1, uncertain=True)),
    ("the next attempt is not due", MAYBE, {"now": NOW + SECOND}, Wait),
    ("an answer was lost: the same bytes, looked for first", MAYBE, {"now": LATER}, Send(1, uncertain=True)),
    ("resolved after an answer was lost: that is settled first", then(MAYBE), {"now": LATER}, Send(1, uncertain=True)),
    ("resolved after an answer was lost, and equal keys merge: at once", then(MAYBE),
     {"now": LATER, "merges_by_key": True}, Send(2, uncertain=False)),
    ("resolved in a dead worker's lease: its request is settled first", then(CLAIMED), {"now": LATER},
     Send(1, uncertain=True)),
    ("resolved before anyone was told, where that is nothing", then(FIRES), {}, Close),
    ("resolved before anyone was told, where it is heard once", then(FIRES), {"tells_late_resolution": True},
     Send(2, uncertain=False)),
    ("resolved after it was told", then(TOLD), {}, Send(2, uncertain=False)),
    ("resolved, and nobody wants to hear", then(TOLD, silent=True), {}, Wait),
]  # fmt: skip


@pytest.mark.parametrize(("lane", "more", "expected"), [case[1:] for case in ACTIONS], ids=[c[0] for c in ACTIONS])
def test_next_action(lane, more, expected):
    asked = {"now": NOW, "merges_by_key": False, "tells_late_resolution": False} | more
    now = asked.pop("now")
    action = next_action(lane, now, **asked)
    assert action == expected if isinstance(expected, Send) else isinstance(action, expected)


def test_supersession_does_not_forget_how_long_somebody_waits():
    late = lanes.owe(FIRES, owing(A | B), NOW + HOUR)
    assert (late.owed.version, late.unmet_since) == (2, NOW)
    assert lanes.late(late, NOW + HOUR, HOUR)
    assert not lanes.late(late, NOW + HOUR - 1, HOUR)


def test_a_version_that_comes_while_another_is_sent_begins_to_wait_when_that_one_is_told():
    both = lanes.owe(lanes.claim(FIRES, "w", 1, NOW), owing(A | B), NOW)
    after = lanes.sent(both, 1, fires=True, ref={}, now=NOW + MINUTE, status="200")
    assert after.waits
    assert after.unmet_since == NOW + MINUTE
    assert lanes.due(after) == NOW + MINUTE


def test_being_throttled_is_no_failed_attempt():
    after = lanes.throttled(CLAIMED, 30 * SECOND, NOW)
    assert (after.attempts, after.retry_at, after.unmet_since) == (0, NOW + 30 * SECOND, NOW)


def test_a_failure_after_the_vendor_may_have_opened_an_incident_leaves_that_in_doubt():
    assert (MAYBE.open, MAYBE.uncertain) == ("maybe", 1)
    again = lanes.failed(lanes.claim(MAYBE, "w", 1, LATER), LATER, maybe=False, fires=True)
    assert again.uncertain == 1, "a second attempt that surely failed says nothing of the first"


def test_what_is_given_up_stays_in_doubt_if_an_earlier_attempt_may_have_acted():
    after = lanes.given_up(lanes.claim(MAYBE, "w", 1, LATER), 1, "refused: 410", fires=True, fallback="ops", now=LATER)
    assert (after.uncertain, after.fallback, after.receipt) == (1, "ops", "failed over to ops: refused: 410")
    assert next_action(then(after), LATER, merges_by_key=False, tells_late_resolution=False) == Send(1, uncertain=True)


def test_what_the_vendor_refuses_to_settle_is_left_behind_and_the_newer_version_goes():
    settling = lanes.claim(then(MAYBE), "w", 1, LATER)
    after = lanes.unsettled(settling, "refused: 410")
    assert next_action(after, LATER, merges_by_key=False, tells_late_resolution=False) == Send(2, uncertain=False)


def test_a_fallback_stays_engaged_while_it_fires_and_no_longer():
    assert lanes.given_up(CLAIMED, 1, "404", fires=True, fallback="ops", now=NOW).fallback == "ops"
    over = lanes.claim(then(TOLD), "w", 2, NOW)
    assert lanes.given_up(over, 2, "404", fires=False, fallback="ops", now=NOW).fallback == ""
    resolved_meanwhile = then(CLAIMED)
    assert lanes.given_up(resolved_meanwhile, 1, "404", fires=True, fallback="ops", now=NOW).fallback == ""


def test_silence_ends_an_incident_and_with_it_what_was_uncertain():
    quiet = then(MAYBE, silent=True)
    assert not quiet.waits
    fresh = lanes.owe(quiet, owing(), NOW + HOUR)
    assert next_action(fresh, NOW + HOUR, merges_by_key=False, tells_late_resolution=False) == Send(3, uncertain=False)


def test_backoff_doubles_and_is_bounded():
    pauses = [lanes.backoff(n) for n in range(1, 12)]
    assert pauses[:4] == [5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND]
    assert set(pauses[7:]) == {BACKOFF_LONGEST}


KINDS = ("owe", "resolve", "silence", "claim", "sent", "throttled", "failed", "maybe", "refused", "die")
STEPS = st.lists(st.sampled_from(KINDS), max_size=25)


def play(steps: list[str]) -> tuple[Lane, int]:
    lane, now = EMPTY, NOW
    for number, step in enumerate(steps):
        now += SECOND
        held = lane.claimed_version
        if step in {"owe", "resolve", "silence"}:
            lane = lanes.owe(lane, owing(A) if step == "owe" else owing(frozenset(), A, silent=step == "silence"), now)
        elif step == "die":
            now = max(now, lane.claimed_until)
        elif step == "claim":
            action = next_action(lane, now, merges_by_key=False, tells_late_resolution=True)
            if isinstance(action, Send):
                assert lane.claimed_until <= now, "one request at a time"
                lane = lanes.claim(lane, str(number), action.version, now)
        elif held and lane.claimed_until > now:
            lane = outcome(lane, step, held, now)
    return lane, now


def outcome(lane: Lane, step: str, held: int, now: int) -> Lane:
    if step == "sent":
        return lanes.sent(lane, held, fires=True, ref={}, now=now, status="")
    if step == "throttled":
        return lanes.throttled(lane, SECOND, now)
    if step == "refused" and held == lane.owed.version:
        return lanes.given_up(lane, held, "no", fires=True, fallback="", now=now)
    if step == "refused":
        return lanes.unsettled(lane, "no")
    return lanes.failed(lane, now, maybe=step == "maybe", fires=True)


@given(steps=STEPS)
def test_whatever_happens_a_lane_that_waits_is_due_and_a_willing_vendor_ends_it(steps):
    lane, now = play(steps)
    assert (lanes.due(lane) is not None) == lane.waits
    assert lanes.from_json(lane.id, lanes.to_json(lane)) == lane
    for number in range(3):
        now = max(now, lanes.due(lane) or 0, lane.claimed_until) + SECOND
        action = next_action(lane, now, merges_by_key=False, tells_late_resolution=True)
        if isinstance(action, Send):
            lane = lanes.claim(lane, f"last {number}", action.version, now)
            lane = lanes.sent(lane, action.version, fires=lane.owed.fires, ref={}, now=now, status="")
    assert not lane.waits
    assert lane.owed is None or lane.done == lane.owed.version


def test_a_lane_of_a_neighbours_release_is_read_without_the_fields_we_do_not_know():
    row = lanes.to_json(TOLD) | {"colour": "blue"}
    assert lanes.from_json("1", row) == replace(TOLD, id="1")
