from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.config.codec import door_from_json, door_json, from_json, to_json
from tocsin.config.plan import (
    PLAN_SCHEMA,
    HeartbeatRule,
    InhibitRule,
    Integration,
    Plan,
    Receiver,
    Route,
    SourceSettings,
)
from tocsin.errors import ConfigError
from tocsin.matchers import OPERATORS, Matcher

TEXTS = st.text(max_size=8)
SPANS = st.integers(0, 2**62)
LABELS = st.dictionaries(TEXTS, TEXTS, max_size=2)
LINES = st.integers(0, 9999)


def some(strategy: st.SearchStrategy[Any], size: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=size).map(tuple)


MATCHERS = some(st.builds(Matcher, TEXTS, st.sampled_from(OPERATORS), TEXTS))
SECRETS = st.builds(lambda kind, name: {kind: name}, st.sampled_from(["$secret", "$file"]), TEXTS)
SETTINGS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXTS | SECRETS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)


def routes(children: st.SearchStrategy[tuple[Route, ...]]) -> st.SearchStrategy[Route]:
    return st.builds(
        Route, id=TEXTS, key=TEXTS, receiver=TEXTS, matchers=MATCHERS, group_by=some(TEXTS), group_by_all=st.booleans(),
        group_wait=SPANS, group_interval=SPANS, repeat_interval=SPANS, continue_=st.booleans(),
        mute_time_intervals=some(TEXTS), active_time_intervals=some(TEXTS), labels=LABELS, line=LINES, routes=children,
    )  # fmt: skip


TREES = st.recursive(routes(st.just(())), lambda inner: routes(some(inner)), max_leaves=6)
INTEGRATIONS = st.builds(
    Integration, id=TEXTS, kind=TEXTS, channel=TEXTS, settings=SETTINGS, send_resolved=st.booleans(),
    resolve_when_muted=st.booleans(), line=LINES,
)  # fmt: skip
RECEIVERS = st.builds(
    Receiver, name=TEXTS, integrations=some(INTEGRATIONS), fallback=TEXTS, fallback_after=SPANS, give_up_after=SPANS,
    line=LINES,
)  # fmt: skip
SOURCES = st.builds(SourceSettings, name=TEXTS, kind=TEXTS, auth=SETTINGS)
PLANS = st.builds(
    Plan,
    route=TREES,
    receivers=st.lists(RECEIVERS, max_size=3).map(lambda found: {each.name: each for each in found}),
    catch_all=TEXTS,
    epoch=st.integers(0),
    created=SPANS,
    origin=TEXTS,
    open_on_loopback=st.booleans(),
    sources=st.lists(SOURCES, max_size=2).map(lambda found: {each.name: each for each in found}),
    heartbeats=some(
        st.builds(HeartbeatRule, name=TEXTS, matchers=MATCHERS, interval=SPANS, grace=SPANS, labels=LABELS, line=LINES)
    ),
    inhibit_rules=some(
        st.builds(
            InhibitRule, id=TEXTS, source_matchers=MATCHERS, target_matchers=MATCHERS, equal=some(TEXTS), line=LINES
        )
    ),
    time_intervals=st.dictionaries(TEXTS, st.lists(SETTINGS, max_size=2), max_size=2),
    templates=some(TEXTS),
    external_url=TEXTS,
    delivery=st.sampled_from(["live", "dry-run"]),
    resolve_timeout=SPANS,
    stale_after=SPANS,
    on_stale=st.sampled_from(["tell", "resolve"]),
)
SMALL = Plan(route=Route(id="{}", key="{}", receiver="r"), receivers={"r": Receiver("r")}, catch_all="r")


@given(PLANS)
@settings(max_examples=200, deadline=None)
def test_json_brings_a_plan_back_exactly(plan: Plan) -> None:
    text = to_json(plan)
    assert from_json(text) == plan
    assert to_json(from_json(text)) == text


@given(PLANS)
@settings(max_examples=50, deadline=None)
def test_the_door_is_the_plans(plan: Plan) -> None:
    for text in (door_json(plan), to_json(plan)):
        door = door_from_json(text)
        assert (door.epoch, door.open_on_loopback, door.sources) == (plan.epoch, plan.open_on_loopback, plan.sources)


def test_a_tree_deeper_than_any_parser_recurses_comes_back() -> None:
    route = Route(id="leaf", key="", receiver="r")
    for depth in range(3_000):
        route = Route(id=str(depth), key="", receiver="r", routes=(route, Route(id=f"{depth}b", key="", receiver="s")))
    back = from_json(to_json(replace(SMALL, route=route))).route
    for depth in reversed(range(3_000)):
        assert (back.id, [child.receiver for child in back.routes]) == (str(depth), ["r", "s"])
        back = back.routes[0]
    assert back.id == "leaf"


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    newer = json.dumps({**json.loads(to_json(SMALL)), "schema": PLAN_SCHEMA + 1})
    with pytest.raises(
        ConfigError, match=f"has schema {PLAN_SCHEMA + 1}, this release reads up to {PLAN_SCHEMA}: deploy"
    ):
        from_json(newer)
    with pytest.raises(ConfigError, match="deploy the newer release again"):
        door_from_json(newer)


NO_ROUTES = '{"schema": 1, "routes": [], "receivers": [], "heartbeats": [], "inhibit_rules": []}'


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": 1}', '{"schema": "1"}', "[" * 100_000, NO_ROUTES])
def test_what_is_no_plan_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="push the config again"):
        from_json(text)


def test_keys_of_a_neighbouring_release_are_passed_over() -> None:
    document = json.loads(to_json(SMALL))
    document["drills"] = {"weekly": True}
    document["routes"][0]["lookups"] = ["x"]
    assert from_json(json.dumps(document)) == SMALL


def test_reading_a_plan_imports_neither_pydantic_nor_yaml() -> None:
    code = (
        "import sys; from tocsin.config import codec; import tocsin.routing, tocsin.intervals;"
        "print([name for name in ('pydantic', 'yaml', 'jinja2', 'boto3') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
