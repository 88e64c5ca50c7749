"""Four maxima: what follows from observations, whatever their order."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin import observation
from tocsin.model import Observation
from tocsin.observation import AlertState, join, observe

LABELS = {"alertname": "Down"}


def fired(seen: int, start: int | None = None, **words: str) -> Observation:
    return Observation("alertmanager", LABELS, words, firing=True, seen=seen, start=start)


def ended(seen: int, end: int | None = None, **words: str) -> Observation:
    return Observation("alertmanager", LABELS, words, firing=False, seen=seen, end=end)


CASES = [
    ("it fires", [fired(10, 10)], True),
    ("it fires and resolves", [fired(10, 10), ended(20, 19)], False),
    ("it resolves and fires again with a later start", [fired(10, 10), ended(20, 19), fired(30, 25)], True),
    ("firing, resolved, firing, all with one start: the second page", [fired(10, 5), ended(20, 19), fired(30, 5)],
     True),
    ("a late repeat of a firing before the end says nothing", [fired(10, 5), ended(20, 19), fired(15, 5)], False),
    ("a start after the end fires, whenever it was seen", [ended(20, 10), fired(15, 12)], True),
    ("start and end at one instant, seen at once: over", [fired(10, 10), ended(10, 10)], False),
    ("a sender whose clock runs ahead: its end is clamped to the stamp", [ended(20, 10_000), fired(30, 25)], True),
    ("a sender whose clock runs ahead: its start is clamped too", [fired(20, 10_000), ended(30, 25)], False),
    ("no times at all: what was seen last", [fired(10), ended(20), fired(30)], True),
    ("no times at all, resolved last", [fired(10), fired(20), ended(30)], False),
    ("resolved and never fired", [ended(10, 9)], False),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "fires"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_whether_it_fires(seen, fires):
    state = reduce(lambda known, each: observe(known, each, each.seen), seen, None)
    assert state.fires is fires
    assert state.alert().firing is fires


def test_the_words_are_those_of_the_side_that_holds():
    state = observe(observe(None, fired(10, 5, summary="down"), 10), ended(20, 19, summary="up again"), 20)
    assert state.alert().annotations == {"summary": "up again"}
    assert observe(state, fired(30, 5, summary="down again"), 30).alert().annotations == {"summary": "down again"}


def test_the_start_is_that_of_the_episode_and_never_after_the_end():
    state = observe(observe(None, fired(10, 5), 10), ended(20, 19), 20)
    assert (state.alert().start, state.alert().end) == (5, 19)
    odd = observe(observe(None, fired(10, 9), 10), ended(20, 3), 20)
    assert odd.fires, "a start after the end"
    late = observe(observe(None, ended(20, 3), 20), fired(2, 2), 4)
    assert late.alert().start <= late.alert().end


TIMES = st.integers(0, 6)
SEEN = st.builds(
    lambda firing, seen, at, words, quarantined: Observation(
        "alertmanager", LABELS, words, firing, seen, *((at, None) if firing else (None, at)), quarantined=quarantined
    ),
    st.booleans(), TIMES, st.none() | TIMES, st.dictionaries(st.just("summary"), st.sampled_from("xy"), max_size=1),
    st.booleans(),
)  # fmt: skip
STATES = st.builds(
    lambda seen, stamps: reduce(lambda known, pair: observe(known, *pair), zip(seen, stamps, strict=True), None),
    st.lists(SEEN, min_size=3, max_size=3), st.lists(TIMES, min_size=3, max_size=3),
)  # fmt: skip


@given(one=STATES, other=STATES, third=STATES)
def test_join_is_commutative_associative_and_idempotent(one, other, third):
    assert join(one, other) == join(other, one)
    assert join(join(one, other), third) == join(one, join(other, third))
    assert join(one, one) == one
    assert join(None, one) == one


@given(state=STATES)
def test_a_state_is_the_same_after_its_row_and_carries_what_a_neighbour_wrote(state):
    row = observation.to_json(state)
    assert observation.from_json(row) == state
    newer = observation.from_json({**row, "inhibits": ["x"]})
    assert isinstance(newer, AlertState)
    assert observation.to_json(newer)["inhibits"] == ["x"]


@given(seen=st.lists(st.tuples(SEEN, TIMES), min_size=1, max_size=6), order=st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(seen, order):
    shuffled = [*seen, *order.choices(seen, k=3)]
    order.shuffle(shuffled)
    plain, other = (reduce(lambda known, pair: observe(known, *pair), each, None) for each in (seen, shuffled))
    assert plain == other
