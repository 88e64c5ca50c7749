"""Alertmanager's webhook: what decides between firing and resolved, and which clock counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tocsin.errors import UnintelligibleError
from tocsin.model import SECOND, fingerprint
from tocsin.observation import observe
from tocsin.sources.alertmanager import Alertmanager
from tocsin.sources.times import instant

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads" / "alertmanager"
STAMP = instant("2026-11-02T10:00:00Z")
ZERO = "0001-01-01T00:00:00Z"


def read(alert: dict[str, Any], **message: Any) -> Any:
    body = {"alerts": [{"labels": {"alertname": "A"}, **alert}], **message}
    (observation,) = Alertmanager().parse(json.dumps(body).encode(), {}, STAMP)
    return observation


@pytest.mark.parametrize(
    ("alert", "message", "firing", "sentence"),
    [
        ({"status": "firing"}, {"status": "resolved"}, True, "the alert's own status counts, not the group's"),
        ({"status": "resolved"}, {"status": "firing"}, False, "a firing group holds resolved alerts"),
        ({"status": "Resolved "}, {}, False, "capitals and spaces are no matter"),
        ({"status": "firing", "endsAt": "2026-11-02T09:00:00Z"}, {}, True, "a status outweighs an end"),
        ({"endsAt": ZERO}, {}, True, "without a status, no end means firing"),
        ({"endsAt": "2026-11-02T09:59:59Z"}, {}, False, "without a status, an end that is past means resolved"),
        ({"endsAt": "2026-11-02T10:04:00Z"}, {}, True, "without a status, an end to come means firing"),
        ({}, {"status": "resolved"}, False, "without either, a resolved group holds only resolved alerts"),
        ({}, {"status": "firing"}, True, "without either, a false page beats a lost one"),
        ({"status": None}, {}, True, "null is as good as missing"),
    ],
)
def test_firing_or_resolved(alert: Any, message: Any, firing: bool, sentence: str) -> None:
    assert read(alert, **message).firing is firing, sentence


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_seen_is_the_stamp_whatever_the_times_say(status: str) -> None:
    observation = read({"status": status, "startsAt": "2026-11-02T08:00:00Z", "endsAt": "2026-11-02T09:00:00Z"})
    assert observation.seen == STAMP


def test_firing_resolved_firing_with_one_and_the_same_start_fires() -> None:
    """Seen on a real Alertmanager: "resolved beats firing" would bury the second page."""
    state = None
    fires = []
    for seconds, name in enumerate(["firing", "resolved", "refire"]):
        stamp = STAMP + seconds * SECOND
        (seen,) = Alertmanager().parse((PAYLOADS / f"{name}.json").read_bytes(), {}, stamp)
        state = observe(state, seen, stamp)
        fires.append(state.fires)
    assert fires == [True, False, True]


def test_times_keep_their_nanoseconds_and_year_one_is_no_end() -> None:
    firing = read({"status": "firing", "startsAt": "2026-11-02T09:14:32.108223971Z", "endsAt": ZERO})
    assert firing.start % SECOND == 108_223_971
    assert firing.end is None


def test_labels_are_the_senders_own_and_nothing_is_added() -> None:
    assert read({"labels": {"job": "x"}}).labels == {"job": "x"}


def test_an_empty_label_is_none_as_alertmanager_has_it() -> None:
    given = read({"labels": {"alertname": "A", "zone": "", "rack": None}})
    assert fingerprint(given.labels) == fingerprint({"alertname": "A"})


def test_a_lone_surrogate_becomes_the_replacement_character_as_in_go() -> None:
    assert read({"labels": {"alertname": "A\ud800B"}}).labels == {"alertname": "A\ufffdB"}


def test_the_bodys_fingerprint_is_not_believed() -> None:
    one, other = read({"fingerprint": "0000000000000000"}), read({"fingerprint": "ffffffffffffffff"})
    assert fingerprint(one.labels) == fingerprint(other.labels)


def test_nothing_is_resolved_because_the_body_was_truncated() -> None:
    told = Alertmanager().parse((PAYLOADS / "truncated.json").read_bytes(), {}, STAMP)
    assert [observation.firing for observation in told] == [True, True]


def test_no_alerts_is_nothing_with_a_reason() -> None:
    told = Alertmanager().parse((PAYLOADS / "empty.json").read_bytes(), {}, STAMP)
    assert not told
    assert list(told[:]) == []
    assert told.reason == "no alerts in the body"


def test_a_payload_of_ones_own_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(UnintelligibleError, match=r"`payload` of its own, leave that out"):
        Alertmanager().parse((PAYLOADS / "custom-payload.json").read_bytes(), {}, STAMP)


def test_a_body_of_nothing_but_odd_alerts_is_refused_whole() -> None:
    with pytest.raises(UnintelligibleError, match="none of its 2 alerts can be read: it is not an object"):
        Alertmanager().parse(b'{"alerts": [1, 2]}', {}, STAMP)


def test_a_firing_alert_has_no_end_even_where_the_sender_names_one_to_come() -> None:
    assert read({"status": "firing", "endsAt": "2026-11-02T10:04:00Z"}).end is None


def test_a_label_without_a_name_is_none() -> None:
    assert read({"labels": {"alertname": "A", "": "nameless"}}).labels == {"alertname": "A"}
