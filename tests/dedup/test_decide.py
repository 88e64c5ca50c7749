"""Why a lane owes a notification, or does not; the first part is Alertmanager's own table (``needsUpdate``)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin.dedup import Owed, Reason, decide
from tocsin.model import HOUR, MINUTE

NOW = 1_000 * HOUR
LAST = NOW - MINUTE


def last(firing: str, resolved: str = "", at: int = LAST, *, stale: bool = False) -> Owed:
    return Owed(frozenset(firing), frozenset(resolved), at, stale)


CASES = [
    ("nobody was told and something fires", None, "a", "", {}, Reason.FIRST),
    ("nobody was told and all is resolved", None, "", "a", {}, Reason.NOTHING_FIRING),
    ("nobody was told and there is nothing", None, "", "", {}, Reason.NOTHING_FIRING),
    ("the same fires", last("a"), "a", "", {}, Reason.UNCHANGED),
    ("one more fires", last("a"), "ab", "", {}, Reason.NEW_ALERTS),
    ("another fires instead", last("a"), "b", "a", {}, Reason.NEW_ALERTS),
    ("something fires after all was resolved: an incident of its own", last("", "a"), "a", "", {}, Reason.FIRST),
    ("one of two resolved", last("ab"), "a", "b", {}, Reason.SOME_RESOLVED),
    ("one of two resolved, and it is not to be told", last("ab"), "a", "b", {"send_resolved": False}, Reason.UNCHANGED),
    ("one of two resolved, and was told so", last("a", "b"), "a", "b", {}, Reason.UNCHANGED),
    ("all resolved", last("a"), "", "a", {}, Reason.ALL_RESOLVED),
    ("all resolved counts although it is not to be told, so that the next one is a first",
     last("a"), "", "a", {"send_resolved": False}, Reason.ALL_RESOLVED),
    ("all resolved without a word of what", last("a"), "", "", {}, Reason.ALL_RESOLVED),
    ("all resolved, and was told so", last("", "a"), "", "a", {}, Reason.NOTHING_FIRING),
    ("something else came and went between two flushes", last("", "a"), "", "b", {}, Reason.NOTHING_FIRING),
    ("repeat_interval is over by a nanosecond", last("a", at=NOW - HOUR - 1), "a", "", {}, Reason.REPEAT),
    ("repeat_interval is over to the nanosecond: not yet", last("a", at=NOW - HOUR), "a", "", {}, Reason.UNCHANGED),
    ("a new alert counts more than the repeat", last("a", at=NOW - 2 * HOUR), "ab", "", {}, Reason.NEW_ALERTS),
    ("silent for too long", last("a"), "a", "", {"stale": True}, Reason.STALE),
    ("silent for too long, and told so: no more repeats",
     last("a", at=0, stale=True), "a", "", {"stale": True}, Reason.STALE_TOLD),
    ("silent, told so, and heard of again: repeats go on", last("a", at=0, stale=True), "a", "", {}, Reason.REPEAT),
    ("silent, told so, and resolved", last("a", stale=True), "", "a", {}, Reason.ALL_RESOLVED),
    ("nobody was told and it is silent already", None, "a", "", {"stale": True}, Reason.FIRST),
]  # fmt: skip


@pytest.mark.parametrize(("before", "firing", "resolved", "more", "reason"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_decide(before, firing, resolved, more, reason):
    asked = {"due": NOW, "repeat_interval": HOUR, "send_resolved": True} | more
    assert decide(before, frozenset(firing), frozenset(resolved), **asked) is reason


SETS = st.frozensets(st.sampled_from("abcd"))


@given(before=st.none() | st.builds(Owed, SETS, SETS, st.integers(NOW - 3 * HOUR, NOW)), firing=SETS, resolved=SETS,
       send_resolved=st.booleans(), stale=st.booleans())  # fmt: skip
def test_whatever_was_owed_a_second_flush_that_finds_the_same_owes_nothing(
    before, firing, resolved, send_resolved, stale
):
    asked = {"due": NOW, "repeat_interval": HOUR, "send_resolved": send_resolved, "stale": stale}
    reason = decide(before, firing, resolved - firing, **asked)
    if not reason.sends:
        return
    told = Owed(firing, resolved - firing, NOW, stale)
    assert not decide(told, firing, resolved - firing, **asked).sends


@given(before=SETS, firing=SETS, resolved=SETS)
def test_what_fires_and_was_not_owed_is_always_told(before, firing, resolved):
    if not firing - before:
        return
    reason = decide(
        Owed(before, frozenset(), NOW), firing, resolved, due=NOW, repeat_interval=HOUR, send_resolved=False, stale=True
    )
    assert reason.sends
