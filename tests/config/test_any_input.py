"""Whatever stands in the files, the answer is a plan or sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tocsin import sources
from tocsin.config.beside import KEYS
from tocsin.config.codec import from_json, to_json
from tocsin.config.global_section import GlobalSection
from tocsin.config.loader import load
from tocsin.config.receivers import ChannelSchema
from tocsin.errors import ConfigError

WORDS = (
    "route", "routes", "receiver", "receivers", "global", "matchers", "match", "match_re", "continue", "group_by",
    "group_wait", "inhibit_rules", "source_matchers", "target_match", "equal", "time_intervals", "name", "times",
    "weekdays", "start_time", "location", "templates", "labels", "slack_configs", "email_configs", "webhook_configs",
    "pagerduty_configs", "opsgenie_configs", "zendesk_configs", "http_config", "basic_auth", "tls_config", "headers",
    "details", "payload", "url", "url_file", "to", "fields", "actions", "send_resolved", "authorization", "oauth2",
    "proxy_connect_header", "http_headers", "secrets", "files", *KEYS, "auth", "bearer", "hmac", "path", "token",
    "token_file", "type", "interval", "fallback", *GlobalSection.model_fields,
)  # fmt: skip
TEXTS = ("a", "b", "", "x=y", 'a=~"("', "1h", "0", "http://example.org", "{{ .x }}", "{{", "...", "none", "<<")
SCALARS = st.sampled_from(TEXTS) | st.none() | st.booleans() | st.integers() | st.text(max_size=5)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)
WEIRD = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def plan_or_sentences(path: Path, channels: Mapping[str, ChannelSchema]) -> None:
    try:
        loaded = load(path, channels, sources.STRANGERS)
    except ConfigError as refused:
        problems = refused.problems
    else:
        assert from_json(to_json(loaded.plan)) == loaded.plan
        return
    assert problems
    assert all(problem.message and problem.file for problem in problems)


def fixed(tree: Any, **parts: Any) -> Any:
    """Puts what is needed to get further than the first error."""
    return {**tree, **parts} if isinstance(tree, dict) else tree


@WEIRD
@given(TREES, TREES, TREES)
def test_any_alertmanager_yml(
    tmp_path: Path, channels: Mapping[str, ChannelSchema], tree: Any, route: Any, receiver: Any
) -> None:
    tree = fixed(tree, route=fixed(route, receiver="a"), receivers=[{"name": "a"}, fixed(receiver, name="b")])
    (tmp_path / "alertmanager.yml").write_text(json.dumps(tree, ensure_ascii=False), errors="surrogatepass")
    plan_or_sentences(tmp_path / "alertmanager.yml", channels)


@WEIRD
@given(TREES, TREES)
def test_any_tocsin_yml(tmp_path: Path, channels: Mapping[str, ChannelSchema], tree: Any, receiver: Any) -> None:
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: a}\nreceivers: [{name: a}]\n")
    (tmp_path / "tocsin.yml").write_text(json.dumps(fixed(tree, receivers=[fixed(receiver, name="a")])))
    plan_or_sentences(tmp_path / "alertmanager.yml", channels)


@WEIRD
@given(st.data())
def test_any_settings_of_a_channel(tmp_path: Path, channels: Mapping[str, ChannelSchema], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(set(channels) - {"zendesk_configs"})))
    names = [info.alias or name for name, info in channels[key].model.model_fields.items()]
    names += [f"{name}_file" for name in names]
    entry = data.draw(st.dictionaries(st.sampled_from(names), TREES, max_size=6))
    receivers = [{"name": "a", key: [entry]}]
    (tmp_path / "alertmanager.yml").write_text(json.dumps({"route": {"receiver": "a"}, "receivers": receivers}))
    plan_or_sentences(tmp_path / "alertmanager.yml", channels)


@WEIRD
@given(st.binary(max_size=200) | st.text("{}[]:,-&*!|>'\"%@`#? \n\tab<", max_size=60).map(str.encode))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "alertmanager.yml").write_bytes(content)
    plan_or_sentences(tmp_path / "alertmanager.yml", {})


@pytest.mark.parametrize("name", ["a\ud800", "a\x00b"])
def test_what_utf8_cannot_hold(tmp_path: Path, name: str) -> None:
    text = json.dumps({"route": {"receiver": name}, "receivers": [{"name": name}]})  # escapes, as JSON does
    (tmp_path / "alertmanager.yml").write_text(text)
    plan_or_sentences(tmp_path / "alertmanager.yml", {})
