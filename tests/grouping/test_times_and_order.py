"""When a group is flushed, and in which order its alerts are told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin.grouping import first_due, group_id, in_order, lane_id, next_due
from tocsin.model import MINUTE, SECOND, Alert, fingerprint

NOW = 1_000 * MINUTE


@pytest.mark.parametrize(
    ("start", "wait", "due"),
    [
        pytest.param(NOW, 30 * SECOND, NOW + 30 * SECOND, id="an alert that starts now waits for its company"),
        pytest.param(NOW - 10 * SECOND, 30 * SECOND, NOW + 30 * SECOND,
                     id="one that started a little ago waits the whole time, as in Alertmanager"),
        pytest.param(NOW - 30 * SECOND, 30 * SECOND, NOW, id="one whose wait is over to the nanosecond goes at once"),
        pytest.param(NOW - 30 * SECOND + 1, 30 * SECOND, NOW + 30 * SECOND, id="one nanosecond short of it waits"),
        pytest.param(NOW + MINUTE, 30 * SECOND, NOW + 30 * SECOND, id="one that starts in the future waits from now"),
        pytest.param(NOW, 0, NOW, id="without a wait it goes at once"),
    ],
)  # fmt: skip
def test_first_due(start, wait, due):
    assert first_due(NOW, start, wait) == due


@pytest.mark.parametrize(
    ("late", "missed"),
    [
        pytest.param(0, 0, id="on time: one interval later"),
        pytest.param(MINUTE, 0, id="a minute late: still on the grid"),
        pytest.param(5 * MINUTE, 1, id="exactly one interval late: that point is over"),
        pytest.param(5 * MINUTE - 1, 0, id="a nanosecond less: the point is still to come"),
        pytest.param(61 * MINUTE, 12, id="an hour late: everything missed is one flush, not twelve"),
        pytest.param(-3 * SECOND, 0, id="the clock was set back: the next point, not this one again"),
    ],
)
def test_next_due(late, missed):
    assert next_due(NOW, 5 * MINUTE, NOW + late) == NOW + (missed + 1) * 5 * MINUTE


@given(due=st.integers(0, 10**18), interval=st.integers(1, 10**15), now=st.integers(0, 10**18))
def test_the_next_point_is_on_the_grid_after_now_and_after_the_last_and_no_later_than_needed(due, interval, now):
    point = next_due(due, interval, now)
    assert (point - due) % interval == 0
    assert point > max(due, now)
    assert point - interval <= max(due, now)


def alert(**labels: str) -> Alert:
    return Alert(fingerprint(labels), labels, {}, firing=True, start=0)


ORDER = [
    alert(job="a", instance="1", severity="x"),
    alert(job="a", instance="1", severity="y"),
    alert(job="a", instance="1", alertname="A", severity="a"),  # fewer labels come first
    alert(job="a", instance="10"),
    alert(job="a", instance="2"),
    alert(job="a"),  # without an instance after those with one
    alert(job="b", instance="0"),
    alert(instance="0"),  # without a job after those with one
    alert(alertname="Z"),
    alert(severity="a"),  # the label that comes first by name, if only one side has it, goes behind the other
]


def test_alerts_are_told_by_job_then_instance_then_all_labels():
    shuffled = list(ORDER)
    random.Random(1).shuffle(shuffled)
    assert [a.labels for a in in_order(shuffled)][:8] == [a.labels for a in ORDER][:8]


LABELS = st.dictionaries(st.sampled_from(("job", "instance", "a", "b")), st.text(max_size=2), max_size=4)


@given(sets=st.lists(LABELS, max_size=8, unique_by=lambda labels: tuple(sorted(labels.items()))), seed=st.integers())
def test_the_order_does_not_depend_on_the_order_they_came_in(sets, seed):
    alerts = [alert(**labels) for labels in sets]
    shuffled = list(alerts)
    random.Random(seed).shuffle(shuffled)
    assert in_order(shuffled) == in_order(alerts)


def test_groups_and_lanes_of_siblings_with_one_key_are_told_apart():
    assert group_id("r1", "{}:{}") != group_id("r2", "{}:{}")
    assert len({lane_id(r, k, n, i) for r in "12" for k in "ab" for n in "xy" for i in ("slack/0", "slack/1")}) == 16
