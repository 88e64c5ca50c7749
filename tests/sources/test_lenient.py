"""No body, however strange, makes a parser raise anything but UnintelligibleError; nothing odd is lost silently."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.errors import UnintelligibleError
from tocsin.model import Observation, fingerprint
from tocsin.observation import observe
from tocsin.sources import REGISTRY, source
from tocsin.sources.codec import observation_from_json, observation_json
from tocsin.sources.lenient import QUARANTINED, excerpt

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads"
STAMP = 1_793_700_000_000_000_123
KINDS = {"cloudwatch": "eventbridge"}
SENDERS = sorted(set(REGISTRY) - {"tocsin"})
SAMPLES = [
    (KINDS.get(path.parent.name, path.parent.name), json.loads(path.read_text()))
    for path in sorted(PAYLOADS.glob("*/*.json"))
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))  # lone surrogates too
    | st.sampled_from(
        [
            "firing",
            "resolved",
            "ALARM",
            "OK",
            "DOWN",
            "",
            "1e400",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
            10**400,
        ]
    )
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def parse(name: str, body: bytes) -> Sequence[Observation]:
    """Parse as the pipeline does, and hold what every answer must hold."""
    try:
        told = source(name).parse(body, {}, STAMP)
    except UnintelligibleError:
        return []
    for observation in told:
        assert observation.labels
        assert all(isinstance(k, str) and isinstance(v, str) and k and v for k, v in observation.labels.items()), (
            observation.labels
        )
        assert all(isinstance(k, str) and isinstance(v, str) for k, v in observation.annotations.items())
        assert 0 < observation.seen < 2**63
        assert len(fingerprint(observation.labels)) == 16
        written = json.dumps(observation_json(observation), ensure_ascii=False).encode()  # nothing that is no UTF-8
        assert observation_from_json(json.loads(written)) == observation
        assert observe(None, observation, STAMP).fires is observation.firing
    assert told or told.reason
    return told


@pytest.mark.parametrize("name", SENDERS)
@settings(max_examples=150, deadline=None)
@given(body=anything)
def test_any_json_is_read_or_refused_with_a_sentence(name: str, body: Any) -> None:
    parse(name, json.dumps(body).encode())


@pytest.mark.parametrize("name", SENDERS)
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_sentence(name: str, body: bytes) -> None:
    parse(name, body)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Name every place in a body."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Give the body with one place changed; ``...`` removes it."""
    if not path:
        return None if new is ... else new
    changed = copy.deepcopy(value)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if new is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return changed


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_sample_with_something_changed_is_read_or_refused_with_a_sentence(data: st.DataObject) -> None:
    name, body = data.draw(st.sampled_from(SAMPLES), label="sample")
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(body))), label="place")
        body = replaced(body, path, data.draw(st.just(...) | anything, label="new"))
    parse(name, json.dumps(body).encode())


def test_each_place_of_each_sample_may_be_missing_or_null() -> None:
    read = 0
    for name, body in SAMPLES:
        for path in places(body):
            for new in (..., None):
                read += len(parse(name, json.dumps(replaced(body, path, new)).encode()))
    assert read > 1000


HOPELESS = {
    "empty": b"",
    "white space": b" \r\n\t",
    "not UTF-8": b'{"alerts": "\xff\xfe"}',
    "UTF-16": '{"alerts": []}'.encode("utf-16"),
    "not JSON": b"alerts=1&status=firing",
    "cut off": b'{"alerts": [{"labels": {"alertname": "A"',
    "a number": b"42",
    "a text": b'"firing"',
    "null": b"null",
    "another object": b'{"text": "hello"}',
    "nested too deeply": b"[" * 200_000 + b"]" * 200_000,
    "objects nested too deeply": b'{"alerts":' * 100_000 + b"1" + b"}" * 100_000,
    "a number too long": b'{"alerts": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("case", HOPELESS)
def test_what_nobody_can_read_is_refused_with_a_sentence(name: str, case: str) -> None:
    with pytest.raises(UnintelligibleError) as refusal:
        source(name).parse(HOPELESS[case], {}, STAMP)
    assert len(str(refusal.value)) > 20


@pytest.mark.parametrize("depth", range(50, 1050, 50))
def test_nesting_at_the_edge_of_what_can_be_read_is_no_crash(depth: int) -> None:
    """What the JSON reader still reads, the writer of excerpts may already find too deep."""
    deep = "[" * depth + "]" * depth
    parse(
        "alertmanager",
        f'{{"alerts": [{{"labels": {{"alertname": "A"}}, "annotations": {{"deep": {deep}}}}}]}}'.encode(),
    )
    parse("alertmanager", f'{{"alerts": [{{"labels": {{"alertname": "A"}}}}, {deep}]}}'.encode())
    parse("eventbridge", f'{{"source": "aws.health", "detail-type": "X", "detail": {deep}}}'.encode())


@pytest.mark.parametrize("name", SENDERS)
def test_a_byte_order_mark_is_no_obstacle(name: str) -> None:
    folder = {"eventbridge": "cloudwatch/metric-alarm.json", "pingdom": "pingdom/http-down.json"}
    body = (PAYLOADS / folder.get(name, "alertmanager/firing.json")).read_bytes()
    assert parse(name, b"\xef\xbb\xbf" + body) == parse(name, body) != []


def test_an_odd_alert_does_not_keep_the_good_ones_from_coming_through() -> None:
    good = {"labels": {"alertname": "Good"}, "status": "firing"}
    body = {"alerts": [good, {"labels": 1}, good, {"labels": {"a": {}}}]}
    *read, odd = parse("alertmanager", json.dumps(body).encode())
    assert [o.labels["alertname"] for o in read] == ["Good", "Good"]
    assert odd.quarantined
    assert odd.labels["alertname"] == QUARANTINED
    assert odd.annotations["reason"].startswith("2 of 4 alerts cannot be read")
    assert '{"labels":1}' in odd.annotations["body"]


def test_two_different_odd_bodies_are_two_alerts_and_one_body_twice_is_one() -> None:
    good = {"labels": {"alertname": "Good"}, "status": "firing"}

    def quarantined(odd: Any) -> str:
        return fingerprint(parse("alertmanager", json.dumps({"alerts": [good, odd]}).encode())[-1].labels)

    assert quarantined(1) == quarantined(1) != quarantined(2)


def test_many_thousand_odd_alerts_are_one_quarantined_alert_of_bounded_size() -> None:
    good = {"labels": {"alertname": "Good"}, "status": "firing"}
    body = {"alerts": [good, *({"labels": {f"n{n}": [n]}} for n in range(20_000))]}
    read = parse("alertmanager", json.dumps(body).encode())
    assert len(read) == 2
    assert sum(map(len, read[1].annotations.values())) < 6_000
    assert read[1].annotations["reason"].count("is not text") == 5


def test_what_is_too_deep_to_show_says_so() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert excerpt(deep) == "(nested too deeply to show)"


def test_a_huge_body_is_read_whole() -> None:
    alerts = [{"status": "firing", "labels": {"alertname": "Many", "n": n}} for n in range(20_000)]
    read = parse("alertmanager", json.dumps({"alerts": alerts}).encode())
    assert len({fingerprint(o.labels) for o in read}) == 20_000
