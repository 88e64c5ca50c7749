"""Our own observations come out of the inbox exactly as they went in; times are read as people and Go write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin.errors import UnintelligibleError
from tocsin.model import SECOND, Observation
from tocsin.sources import INTERNAL, source
from tocsin.sources.codec import observation_json
from tocsin.sources.internal import body
from tocsin.sources.times import epoch, instant, rfc3339

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
instants = st.integers(1, 2**63 - 1)
observations = st.builds(
    Observation,
    source=words,
    labels=st.dictionaries(words, words, min_size=1, max_size=5),
    annotations=st.dictionaries(words, words, max_size=5),
    firing=st.booleans(),
    seen=instants,
    start=st.none() | instants,
    end=st.none() | instants,
    generator_url=words,
    quarantined=st.booleans(),
)


@given(st.lists(observations, max_size=4))
def test_what_went_in_comes_out_whatever_the_stamp(told: list[Observation]) -> None:
    assert list(source(INTERNAL).parse(body(told), {}, 17)) == told


@given(observations)
def test_times_as_nanoseconds_are_read_as_well(told: Observation) -> None:
    written = observation_json(told) | {"start": told.start, "end": told.end, "seen": told.seen}
    assert source(INTERNAL).parse(json.dumps({"observations": [written]}).encode(), {}, 17) == [told]


GOOD = {"source": "tocsin", "status": "firing", "labels": {"alertname": "HeartbeatMissing"}, "seen": 1}


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("no object", "not a JSON object"),
        (GOOD | {"status": "odd"}, "`status` is neither"),
        (GOOD | {"seen": None}, "no `seen`"),
        (GOOD | {"start": "soon"}, "`start` is no time"),
        (GOOD | {"end": True}, "`end` is no time"),
        (GOOD | {"labels": {}}, "it has no labels"),
    ],
)
def test_a_body_of_ours_that_is_odd_is_refused(told: Any, sentence: str) -> None:
    with pytest.raises(UnintelligibleError, match=sentence):
        source(INTERNAL).parse(json.dumps({"observations": [told]}).encode(), {}, 17)


@pytest.mark.parametrize("message", [b"{}", b"[]", b'{"observations": {}}'])
def test_a_body_without_observations_is_refused(message: bytes) -> None:
    with pytest.raises(UnintelligibleError, match="no list `observations`"):
        source(INTERNAL).parse(message, {}, 17)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-02T09:14:32.108223971Z", "2026-11-02T09:14:32.108223971Z"),
        ("2026-11-02T09:14:32.1082239719999Z", "2026-11-02T09:14:32.108223971Z"),
        ("2019-10-02T17:04:40.989+0000", "2019-10-02T17:04:40.989Z"),
        ("2026-11-02T10:14:32+01:00", "2026-11-02T09:14:32Z"),
        ("2026-11-02T03:44:32-05:30", "2026-11-02T09:14:32Z"),
        ("2026-11-02t09:14:32z", "2026-11-02T09:14:32Z"),
        ("2026-11-02 09:14:32", "2026-11-02T09:14:32Z"),
        ("2026-11-02 09:14:32 UTC", "2026-11-02T09:14:32Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_times_are_read(text: str, expected: str) -> None:
    moment = instant(text)
    assert moment is not None
    assert rfc3339(moment) == expected


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
     "2026-02-30T00:00:00Z", "2026-11-02", "2026-11-02T25:00:00Z", "٢٠٢٦-11-02T00:00:00Z", "", "now", 5, None, []],
)  # fmt: skip
def test_what_is_no_time_is_unknown(text: Any) -> None:
    assert instant(text) is None


@given(instants)
def test_a_time_survives_being_printed(moment: int) -> None:
    assert instant(rfc3339(moment)) == moment


@pytest.mark.parametrize("count", [float("nan"), float("inf"), -1, 0, 10**400, "", "1e999", True, None, {}])
def test_what_is_no_count_of_seconds_is_unknown(count: Any) -> None:
    assert epoch(count) is None


def test_a_count_of_seconds_is_exact() -> None:
    assert epoch(1793626861) == 1793626861 * SECOND
