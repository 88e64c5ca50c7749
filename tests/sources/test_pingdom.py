"""Pingdom's state changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tocsin.errors import UnintelligibleError
from tocsin.sources.pingdom import Pingdom
from tocsin.sources.times import instant, rfc3339

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads" / "pingdom"
STAMP = instant("2026-11-03T10:00:00Z")


def read(**change: Any) -> Any:
    body = json.loads((PAYLOADS / "http-down.json").read_text()) | change
    (observation,) = Pingdom().parse(json.dumps(body).encode(), {}, STAMP)
    return observation


@pytest.mark.parametrize(
    ("state", "firing"),
    [("DOWN", True), ("FAILING", True), ("UP", False), ("SUCCESS", False), ("down", True), (" Up ", False)],
)
def test_four_states(state: str, firing: bool) -> None:
    assert read(current_state=state).firing is firing


@pytest.mark.parametrize("state", ["PAUSED", "UNKNOWN", "", None, 0, ["DOWN"]])
def test_any_other_state_is_refused(state: Any) -> None:
    with pytest.raises(UnintelligibleError, match="UP, DOWN, SUCCESS or FAILING was expected"):
        read(current_state=state)


@pytest.mark.parametrize(
    ("importance", "severity"),
    [
        ("HIGH", "critical"),
        ("LOW", "warning"),
        ("low", "warning"),
        (None, "critical"),
        ("", "critical"),
        ("ODD", "critical"),
    ],
)
def test_importance_is_severity_and_its_absence_is_critical(importance: Any, severity: str) -> None:
    assert read(importance_level=importance).labels["severity"] == severity


@pytest.mark.parametrize(
    ("tags", "expected", "sentence"),
    [
        (["team:a"], {"team": "a"}, "colon"),
        (["team=a", "service_b", "env-c"], {"team": "a", "service": "b", "environment": "c"}, "the other separators"),
        (["ENVIRONMENT:Prod"], {"environment": "Prod"}, "capitals in the key, the value as it is"),
        ("team:a, service:b", {"team": "a", "service": "b"}, "one text with commas"),
        (["team:b", "team:a"], {"team": "a"}, "of two the first in order of the alphabet"),
        (["team:a", "team:b"], {"team": "a"}, "and that in any order"),
        (["teamwork", "team", "team:", None, 7, {}], {}, "what names nothing"),
        (None, {}, "no tags"),
    ],
)
def test_labels_from_tags(tags: Any, expected: dict[str, str], sentence: str) -> None:
    always = {"alertname": "Homepage", "severity": "critical", "source": "pingdom", "check_id": "4711001"}
    assert read(tags=tags).labels == always | expected, sentence


@pytest.mark.parametrize(
    ("timestamp", "utc", "expected", "sentence"),
    [
        (1793626861, None, "2026-11-02T13:41:01Z", "seconds"),
        ("1793626861", None, "2026-11-02T13:41:01Z", "as text"),
        (1793626861.5, None, "2026-11-02T13:41:01.5Z", "with a fraction"),
        (1793626861000, None, "2026-11-02T13:41:01Z", "milliseconds"),
        (None, "2026-11-02T13:41:01", "2026-11-02T13:41:01Z", "only the time in words"),
        ("soon", None, "2026-11-03T10:00:00Z", "neither: the stamp"),
        (0, None, "2026-11-03T10:00:00Z", "zero is no time"),
        (10**30, None, "2026-11-03T10:00:00Z", "nor is the end of all times"),
    ],
)
def test_seen_is_when_the_state_changed(timestamp: Any, utc: Any, expected: str, sentence: str) -> None:
    observation = read(state_changed_timestamp=timestamp, state_changed_utc_time=utc)
    assert rfc3339(observation.seen) == rfc3339(observation.start) == expected, sentence


@pytest.mark.parametrize(
    "field",
    ["first_probe", "second_probe", "long_description", "description", "previous_state", "state_changed_timestamp",
     "custom_message", "check_params", "version"],
)  # fmt: skip
def test_what_differs_between_down_and_up_is_no_label(field: str) -> None:
    assert read(**{field: {}}).labels == read().labels


def test_a_probe_that_there_is_not_is_not_told() -> None:
    assert "second_probe" in read().annotations
    assert "second_probe" not in read(second_probe={}).annotations


def test_identity_is_the_check_id_not_only_the_name() -> None:
    assert read(check_id=1).labels != read(check_id=2).labels
    assert read(check_id=1).labels == read(check_id="1").labels


def test_a_check_without_a_name_is_named_by_its_id() -> None:
    assert read(check_name=None).labels["alertname"] == "Pingdom check 4711001"


def test_a_body_that_names_no_check_is_refused() -> None:
    with pytest.raises(UnintelligibleError, match="neither `check_id` nor `check_name`"):
        read(check_id=None, check_name="")
