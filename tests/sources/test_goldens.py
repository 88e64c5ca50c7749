"""Every sample body under events/payloads, normalised, beside a golden that people can read."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tocsin.errors import UnintelligibleError
from tocsin.model import Observation
from tocsin.sources import source
from tocsin.sources.codec import observation_json
from tocsin.sources.times import instant

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads"
GOLDENS = Path(__file__).parent / "goldens"
KINDS = {"cloudwatch": "eventbridge"}  # folders whose source has another name
STAMP = instant("2026-11-03T10:00:00Z")
SAMPLES = sorted(path.relative_to(PAYLOADS) for path in PAYLOADS.glob("*/*.json"))


def parse(sample: Path) -> Any:
    folder = sample.parent.name
    return source(KINDS.get(folder, folder)).parse((PAYLOADS / sample).read_bytes(), {}, STAMP)


def account(sample: Path) -> dict[str, Any]:
    """Say what a sample says, as a golden does."""
    try:
        told = parse(sample)
    except UnintelligibleError as error:
        return {"unintelligible": str(error)}
    if not told:
        return {"nothing": told.reason}
    return {"observations": [observation_json(observation) for observation in told]}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_sample_is_read_as_its_golden_says(sample: Path, request: pytest.FixtureRequest) -> None:
    golden = GOLDENS / sample
    written = json.dumps(account(sample), ensure_ascii=False, indent=2) + "\n"
    if request.config.getoption("--update-goldens", default=False):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(written)
    assert written == golden.read_text()


def test_every_golden_has_its_sample() -> None:
    assert sorted(path.relative_to(GOLDENS) for path in GOLDENS.glob("*/*.json")) == SAMPLES


PAIRS = [
    ("alertmanager/firing.json", "alertmanager/resolved.json"),
    ("alertmanager/repeat.json", "alertmanager/resolved.json"),
    ("alertmanager/refire.json", "alertmanager/resolved.json"),
    ("cloudwatch/metric-alarm.json", "cloudwatch/metric-ok.json"),
    ("cloudwatch/muted-alarm.json", "cloudwatch/metric-ok.json"),
    ("cloudwatch/math-alarm.json", "cloudwatch/math-ok.json"),
    ("cloudwatch/composite-alarm.json", "cloudwatch/composite-ok.json"),
    ("cloudwatch/anomaly-alarm.json", "cloudwatch/anomaly-ok.json"),
    ("cloudwatch/contributor-alarm.json", "cloudwatch/contributor-ok.json"),
    ("eventbridge/team-firing.json", "eventbridge/team-resolved.json"),
    ("pingdom/http-down.json", "pingdom/http-up.json"),
    ("pingdom/transaction-failing.json", "pingdom/transaction-success.json"),
    ("pingdom/no-importance-down.json", "pingdom/no-importance-up.json"),
]


@pytest.mark.parametrize(("firing", "resolved"), PAIRS, ids=lambda name: name.replace("/", " "))
def test_a_resolution_has_the_labels_of_its_alert(firing: str, resolved: str) -> None:
    (before,), (after,) = parse(Path(firing)), parse(Path(resolved))
    assert (before.firing, after.firing) == (True, False)
    assert before.labels == after.labels
    assert before.seen < after.seen or before.seen == after.seen == STAMP  # Alertmanager: always the stamp


def test_the_resolved_group_resolves_alerts_of_the_firing_group() -> None:
    firing = {tuple(o.labels.items()) for o in parse(Path("alertmanager/group.json")) if o.firing}
    resolved = {tuple(o.labels.items()) for o in parse(Path("alertmanager/group-resolved.json"))}
    assert firing == resolved


def all_observations() -> list[Observation]:
    found: list[Observation] = []
    for sample in SAMPLES:
        try:
            found.extend(parse(sample))
        except UnintelligibleError:
            continue
    return found


def test_what_is_not_alertmanagers_always_has_name_severity_and_source() -> None:
    others = [o for o in all_observations() if o.source != "alertmanager" or o.quarantined]
    assert len(others) > 20
    for observation in others:
        assert {"alertname", "severity", "source"} <= set(observation.labels), observation


def test_alertmanagers_fingerprints_come_out_as_alertmanager_sent_them() -> None:
    """The samples carry the fingerprint that Alertmanager gave; ours is computed from the labels."""
    compared = 0
    for sample in SAMPLES:
        body = json.loads((PAYLOADS / sample).read_text())
        if sample.parent.name != "alertmanager" or sample.stem in ("odd", "custom-payload", "bare"):
            continue
        for sent, read in zip(body["alerts"], parse(sample), strict=True):
            assert observation_json(read)["fingerprint"] == sent["fingerprint"]
            assert read.labels == sent["labels"]
            compared += 1
    assert compared >= 10


def test_every_kind_of_sender_has_samples_that_fire_and_that_resolve() -> None:
    told: dict[str, set[bool]] = defaultdict(set)
    for observation in all_observations():
        told[observation.source].add(observation.firing)
    for sender in ("alertmanager", "cloudwatch", "pingdom"):
        assert told[sender] == {True, False}, sender
