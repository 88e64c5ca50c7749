from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tocsin.config.loader import Loaded, load
from tocsin.config.plan import Plan, Route
from tocsin.config.receivers import ChannelSchema
from tocsin.errors import ConfigError
from tocsin.matchers import Matcher
from tocsin.model import DAY, HOUR, MINUTE, SECOND
from tocsin.routing import walk

RECEIVERS = "receivers:\n- name: a\n- name: b\n"
PlanOf = Callable[..., Plan]
Load = Callable[..., Loaded]
ProblemsOf = Callable[..., list[str]]


def route_named(plan: Plan, receiver: str) -> Route:
    return next(route for route, _ in walk(plan.route) if route.receiver == receiver)


def test_an_alertmanager_yml_alone_is_a_complete_config(plan_of: PlanOf) -> None:
    plan = plan_of("route: {receiver: a}\n" + RECEIVERS)
    assert plan.open_on_loopback
    assert plan.catch_all == "a"
    assert plan.route == Route(id="{}", key="{}", receiver="a", line=1)
    assert list(plan.receivers) == ["a", "b"]
    assert (plan.delivery, plan.resolve_timeout, plan.stale_after) == ("live", 5 * MINUTE, 25 * HOUR)


def test_what_a_route_inherits_and_what_not(plan_of: PlanOf) -> None:
    plan = plan_of(
        """
route:
  receiver: a
  group_by: [x, y]
  group_wait: 1s
  group_interval: 2m
  repeat_interval: 3h
  labels: {team: t, tier: "1"}
  routes:
  - matchers: [a=b]
    continue: true
    active_time_intervals: [n]
    mute_time_intervals: [n]
    labels: {tier: "2"}
    routes:
    - receiver: b
time_intervals: [{name: n}]
"""
        + RECEIVERS
    )
    child = route_named(plan, "b")
    assert (child.group_by, child.group_wait, child.group_interval, child.repeat_interval) == (
        ("x", "y"), SECOND, 2 * MINUTE, 3 * HOUR
    )  # fmt: skip
    assert child.labels == {"team": "t", "tier": "2"}
    assert child.matchers == child.active_time_intervals == child.mute_time_intervals == ()
    assert not child.continue_
    parent = plan.route.routes[0]
    assert (parent.receiver, parent.continue_, parent.active_time_intervals) == ("a", True, ("n",))


@pytest.mark.parametrize(
    ("group_by", "named", "every"),
    [
        pytest.param("", ("x",), False, id="unset is inherited"),
        pytest.param("group_by: []", (), False, id="empty resets it"),
        pytest.param("group_by: ['...']", ("x",), True, id="three dots group by every label"),
        pytest.param("group_by: [z]", ("z",), False, id="named ones replace it"),
    ],
)
def test_grouping_of_a_child(plan_of: PlanOf, group_by: str, named: tuple[str, ...], every: bool) -> None:
    plan = plan_of(f"route:\n  receiver: a\n  group_by: [x]\n  routes:\n  - receiver: b\n    {group_by}\n" + RECEIVERS)
    child = route_named(plan, "b")
    assert (child.group_by, child.group_by_all) == (named, every)


def test_a_grandchild_of_three_dots_can_group_by_names_again(plan_of: PlanOf) -> None:
    plan = plan_of("route: {receiver: a, group_by: ['...'], routes: [{receiver: b, group_by: [z]}]}\n" + RECEIVERS)
    assert plan.route.group_by_all
    assert not route_named(plan, "b").group_by_all


def test_route_keys_are_alertmanagers_and_ids_unique(plan_of: PlanOf) -> None:
    plan = plan_of(
        """
route:
  receiver: a
  routes:
  - matchers: ['b="2"', 'a=~"x|y"']
    match: {env: dev}
    match_re: {job: no.*}
    routes: [{receiver: b}]
  - matchers: [c=d]
  - matchers: [c=d]
  - {}
  - {}
"""
        + RECEIVERS
    )
    keys = [route.key for route, _ in walk(plan.route)]
    first = '{}/{a=~"x|y",b="2",env="dev",job=~"^(?:no.*)$"}'
    assert keys == ["{}", first, f"{first}/{{}}", '{}/{c="d"}', '{}/{c="d"}', "{}/{}", "{}/{}"]
    ids = [route.id for route, _ in walk(plan.route)]
    assert ids == ["{}", first, f"{first}/{{}}", '{}/{c="d"}', '{}/{c="d"}#2', "{}/{}", "{}/{}#2"]


def test_reordering_unequal_siblings_keeps_their_ids(plan_of: PlanOf) -> None:
    children = ["{matchers: [a=b]}", "{matchers: [a=b, c=d]}", "{matchers: [e!=f], routes: [{matchers: [g=h]}]}"]
    ids = [
        {
            route.id
            for route, _ in walk(plan_of(f"route: {{receiver: a, routes: [{','.join(order)}]}}\n{RECEIVERS}").route)
        }
        for order in (children, children[::-1], children[1:] + children[:1])
    ]
    assert ids[0] == ids[1] == ids[2]
    assert len(ids[0]) == 5


def test_a_tree_deeper_than_pythons_stack_loads(tmp_path: Path) -> None:
    lines = ["route:", " receiver: a"]
    for depth in range(1, 1_200):
        indent = " " * (2 * depth - 1)
        lines += [f"{indent}routes:", f"{indent}- group_wait: {depth}s"]
    (tmp_path / "am.yml").write_text("\n".join([*lines, RECEIVERS]))
    plan = load(tmp_path / "am.yml", {}).plan
    assert sum(1 for _ in walk(plan.route)) == 1_200


@pytest.mark.parametrize("name", ["NO", "1.10", "0x1F", "08", "=", "2026-01-01", "1_000", "null_", "off", "~x", "<<x"])
def test_plain_scalars_stay_text(plan_of: PlanOf, name: str) -> None:
    plan = plan_of(f"route: {{receiver: {name}}}\nreceivers:\n- name: {name}\n")
    assert list(plan.receivers) == [name]


@pytest.mark.parametrize(("word", "value"), [("yes", True), ("y", True), ("On", True), ("n", False), ("off", False)])
def test_booleans_are_those_of_yaml_1_1(plan_of: PlanOf, word: str, value: bool) -> None:
    plan = plan_of(f"route: {{receiver: a, routes: [{{receiver: b, continue: {word}}}]}}\n{RECEIVERS}")
    assert route_named(plan, "b").continue_ is value


def test_anchors_and_merge_keys_read_as_gos_yaml_reads_them(plan_of: PlanOf) -> None:
    plan = plan_of(
        """
route:
  receiver: a
  routes:
  - &one {receiver: b, match: {a: b}, group_wait: 1s}
  - <<: *one
    match: {c: d}
    group_wait: 2s
  - {group_wait: 3s, match: {a: z, e: f}, <<: *one}
  - <<: [*one, {group_wait: 4s, group_interval: 5s}]
"""
        + RECEIVERS
    )
    read = [(route.key, route.group_wait // SECOND, route.group_interval // SECOND) for route in plan.route.routes]
    assert read == [
        ('{}/{a="b"}', 1, 300),
        ('{}/{a="b",c="d"}', 2, 300),
        ('{}/{a="b",e="f"}', 1, 300),
        ('{}/{a="b"}', 1, 5),
    ]


def test_a_null_value_leaves_the_default(plan_of: PlanOf) -> None:
    plan = plan_of("global:\nroute: {receiver: a, group_wait: ~, group_by: null, routes: , matchers: }\n" + RECEIVERS)
    assert plan.route.group_wait == 30 * SECOND


def test_only_the_first_document_counts_and_says_so(load_text: Load) -> None:
    loaded = load_text("route: {receiver: a}\n" + RECEIVERS + "---\nroute: {receiver: b}\n")
    assert loaded.plan.route.receiver == "a"
    assert any("only the first YAML document is read" in str(warning) for warning in loaded.warnings)


def test_anchors_cannot_blow_a_document_up(problems_of: ProblemsOf) -> None:
    bombs = "\n".join(f"- &b{n + 1} [{','.join([f'*b{n}'] * 10)}]" for n in range(9))
    assert problems_of(f"x:\n- &b0 [x]\n{bombs}\n") == [
        "alertmanager.yml: document contains excessive aliasing: write it out instead"
    ]


def test_brackets_without_end_are_a_sentence(problems_of: ProblemsOf) -> None:
    assert problems_of("route: " + "[" * 100_000) == [
        "alertmanager.yml:1:5007: nested more than 5000 levels deep: no config is"
    ]


def test_settings_nested_too_deeply_are_a_sentence(problems_of: ProblemsOf) -> None:
    text = "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs:\n  - url: http://example.org\n    payload: "
    assert any("nested too deeply" in problem for problem in problems_of(text + "[" * 200 + "]" * 200 + "\n"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(
            b"route: {receiver: \xff}\n", "not UTF-8 (byte 0xff): save it as UTF-8", id="bytes that are no UTF-8"
        ),
        pytest.param(b"", "no route provided in config", id="an empty file"),
        pytest.param(b"\x00\x00", "not YAML", id="zero bytes"),
        pytest.param(b" " * (16 * 1024 * 1024 + 1), "larger than 16 MB", id="a huge file"),
    ],
)
def test_a_file_that_is_no_config(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "am.yml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "am.yml", {})
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "am.yml"))


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "am.yml").write_bytes(("route: {receiver: a}\n" + RECEIVERS).encode(encoding))
        assert load(tmp_path / "am.yml", {}).plan.route.receiver == "a"


def test_a_directory_and_a_missing_file_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is a directory: name the file in it"):
        load(tmp_path, {})
    with pytest.raises(ConfigError, match="no such file: check the path"):
        load(tmp_path / "none.yml", {})


SECRETS = """
global:
  slack_api_url: https://hooks.example.org/global
  smtp_smarthost: mail:25
  smtp_from: from@example.org
  smtp_auth_password: hunter2
  http_config:
    proxy_url: http://user:secret@proxy:3128
route: {receiver: team/one}
receivers:
- name: team/one
  pagerduty_configs:
  - routing_key: key-one
  - routing_key_file: keys/two
    http_config: {basic_auth: {username: u, password_file: keys/three}}
  slack_configs:
  - channel: '#x'
  - api_url: https://hooks.example.org/own
  email_configs:
  - to: a@example.org
  webhook_configs:
  - url: http://example.org/token
    http_config:
      http_headers: {X-Key: {secrets: [sesame], values: [plain], files: [keys/four]}}
"""


def test_secrets_stay_out_of_the_plan_and_go_by_the_channels_name(load_text: Load, tmp_path: Path) -> None:
    loaded = load_text(SECRETS)
    assert loaded.secrets == {
        "pagerduty/team-one/0/routing_key": "key-one",
        "pagerduty/global/http_config/proxy_url": "http://user:secret@proxy:3128",
        "slack/global/slack_api_url": "https://hooks.example.org/global",
        "slack/global/http_config/proxy_url": "http://user:secret@proxy:3128",
        "slack/team-one/1/api_url": "https://hooks.example.org/own",
        "email/global/smtp_auth_password": "hunter2",
        "webhook/team-one/0/url": "http://example.org/token",
        "webhook/team-one/0/http_config/http_headers/X-Key/secrets/0": "sesame",
    }
    first, second, slack, *_, mail, hook = (each.settings for each in loaded.plan.receivers["team/one"].integrations)
    assert first["routing_key"] == {"$secret": "pagerduty/team-one/0/routing_key"}
    assert second["routing_key"] == {"$file": "keys/two"}
    assert second["http_config"]["basic_auth"]["password"] == {"$file": str(tmp_path / "keys/three")}
    assert slack["api_url"] == {"$secret": "slack/global/slack_api_url"}
    assert (mail["smarthost"], mail["from"]) == ("mail:25", "from@example.org")
    header = hook["http_config"]["http_headers"]["X-Key"]
    assert header["values"] == ["plain"]
    assert header["files"] == [{"$file": str(tmp_path / "keys/four")}]
    printed = repr(loaded.plan)
    assert not any(value in printed for value in loaded.secrets.values())


def test_equal_names_of_secrets_stay_apart(load_text: Load) -> None:
    loaded = load_text(
        "route: {receiver: a b}\nreceivers:\n"
        "- {name: a b, pagerduty_configs: [{routing_key: one}]}\n"
        "- {name: a-b, pagerduty_configs: [{routing_key: two}]}\n"
    )
    assert loaded.secrets == {"pagerduty/a-b/0/routing_key": "one", "pagerduty/a-b/0/routing_key-2": "two"}


def test_a_problem_never_repeats_a_secret(problems_of: ProblemsOf) -> None:
    told = problems_of(
        "route: {receiver: a}\nreceivers:\n- name: a\n  slack_configs: [{api_url: 'xoxb-hunter2'}]\n"
        "  pagerduty_configs: [{routing_key: [hunter2]}]\n  webhook_configs: [{url: 'ftp://hunter2'}]\n"
    )
    assert len(told) >= 3
    assert not any("hunter2" in problem for problem in told)


def test_integrations_have_ids_defaults_and_lines(plan_of: PlanOf) -> None:
    plan = plan_of("""route: {receiver: a}
receivers:
- name: a
  webhook_configs:
  - url: http://example.org
  - url: http://example.org
    send_resolved: false
  slack_configs: [{api_url: 'http://example.org'}]
  opsgenie_configs:
  - api_key: x
""")
    found = [(each.id, each.channel, each.send_resolved, each.line) for each in plan.receivers["a"].integrations]
    assert found == [
        ("webhook/0", "webhook", True, 5),
        ("webhook/1", "webhook", False, 6),
        ("slack/0", "slack", False, 8),
        ("opsgenie/0", "", True, 10),
    ]
    assert plan.receivers["a"].integrations[-1].settings == {}


FOREIGN = """route: {receiver: a}
receivers:
- name: a
  discord_configs: [{webhook_url: 'http://example.org'}]
  incidentio_configs: [{url: 'http://example.org', alert_source_token: x}]
  jira_configs: [{project: x, issue_type: y}]
  mattermost_configs: [{webhook_url: 'http://example.org'}]
  msteams_configs: [{webhook_url: 'http://example.org'}]
  msteamsv2_configs: [{webhook_url: 'http://example.org'}]
  opsgenie_configs: [{api_key: x}]
  pushover_configs: [{user_key: x, token: y}]
  rocketchat_configs: [{token: x, token_id: y}]
  sns_configs: [{topic_arn: x, sigv4: {region: eu-west-1}}]
  telegram_configs: [{bot_token: x, chat_id: 1}]
  victorops_configs: [{api_key: x, routing_key: y}]
  webex_configs: [{room_id: x, http_config: {authorization: {credentials: y}}}]
  wechat_configs: [{api_secret: x, corp_id: y}]
"""


def test_kinds_that_tocsin_does_not_speak_load_and_say_so(load_text: Load) -> None:
    loaded = load_text(FOREIGN)
    integrations = loaded.plan.receivers["a"].integrations
    assert len(integrations) == 14
    assert {each.channel for each in integrations} == {""}
    assert not loaded.secrets
    told = [str(warning) for warning in loaded.warnings]
    assert sum("Tocsin does not speak" in warning for warning in told) == 14
    assert 'the catch-all, receiver "a", has no integration that Tocsin speaks' in told[0]


def test_a_channel_that_is_not_registered_is_foreign_too(tmp_path: Path) -> None:
    (tmp_path / "am.yml").write_text(
        "route: {receiver: a}\nreceivers:\n- name: a\n  slack_configs: [{api_url: x, channel: y}]\n"
    )
    (integration,) = load(tmp_path / "am.yml", {}).plan.receivers["a"].integrations
    assert (integration.kind, integration.channel) == ("slack", "")


def test_inhibit_rules_intervals_and_timeout(plan_of: PlanOf) -> None:
    plan = plan_of(
        """
global: {resolve_timeout: 1d}
route: {receiver: a}
inhibit_rules:
- source_match: {a: b}
  source_match_re: {c: d|e}
  target_matchers: [f!=g]
  equal: [x, y, x]
- {name: named, source_matchers: [a=b], target_matchers: [a=c]}
- {name: named, source_matchers: [a=b], target_matchers: [a=c]}
mute_time_intervals:
- name: old
  time_intervals: [{weekdays: ['monday:friday']}]
time_intervals:
- name: new
  time_intervals: [{times: [{start_time: '09:00', end_time: '24:00'}], location: Europe/London}]
- name: never
"""
        + RECEIVERS
    )
    first, second, third = plan.inhibit_rules
    assert first.source_matchers == (Matcher("a", "=", "b"), Matcher("c", "=~", "^(?:d|e)$"))
    assert first.target_matchers == (Matcher("f", "!=", "g"),)
    assert (first.equal, first.line) == (("x", "y"), 5)
    assert (second.id, third.id) == ("named", "named#2")
    assert plan.time_intervals == {
        "old": [{"weekdays": [[1, 5]], "location": "UTC"}],
        "new": [{"times": [[540, 1440]], "location": "Europe/London"}],
        "never": [],
    }
    assert plan.resolve_timeout == DAY


def test_templates_are_found_checked_and_inlined(load_text: Load, tmp_path: Path) -> None:
    config = "templates: ['*.tmpl']\nroute: {receiver: a}\nreceivers:\n- name: a\n  pagerduty_configs:\n"
    config += "  - {routing_key: x, description: '{{ template \"mine\" . }}'}\n"
    loaded = load_text(config, **{"b.tmpl": "second", "a.tmpl": '{{ define "mine" }}first{{ end }}'})
    assert loaded.plan.templates == ('{{ define "mine" }}first{{ end }}', "second")
    assert [path.name for path in loaded.files] == ["alertmanager.yml", "a.tmpl", "b.tmpl"]
    assert all(path.parent == tmp_path for path in loaded.files)


def test_a_template_file_that_does_not_parse_is_named(problems_of: ProblemsOf) -> None:
    told = problems_of("templates: ['*.tmpl']\nroute: {receiver: a}\n" + RECEIVERS, **{"bad.tmpl": "x\n{{ end }}\n"})
    assert len(told) == 1
    assert told[0].startswith("bad.tmpl:2:")


def test_a_pattern_that_matches_nothing_is_a_warning(load_text: Load) -> None:
    loaded = load_text("templates: ['none/*.tmpl']\nroute: {receiver: a}\n" + RECEIVERS)
    assert any("no template file matches" in str(warning) for warning in loaded.warnings)


def test_sections_of_alertmanagers_own_process_are_passed_over(plan_of: PlanOf) -> None:
    assert plan_of("tracing: {endpoint: x}\nevent_recorder: {file_outputs: []}\nroute: {receiver: a}\n" + RECEIVERS)


def test_globals_stand_in_for_what_is_unset(plan_of: PlanOf) -> None:
    plan = plan_of("""
global: {pagerduty_url: 'https://eu.example.org/v2/enqueue', slack_app_token: xoxb}
route: {receiver: a}
receivers:
- name: a
  pagerduty_configs: [{routing_key: x}, {routing_key: y, url: 'https://own.example.org/'}]
  slack_configs: [{channel: '#x'}, {channel: '#y', api_url: 'https://hooks.example.org'}]
""")
    settings: list[Mapping[str, Any]] = [each.settings for each in plan.receivers["a"].integrations]
    assert [each["url"] for each in settings[:2]] == ["https://eu.example.org/v2/enqueue", "https://own.example.org/"]
    assert settings[2]["app_token"] == {"$secret": "slack/global/slack_app_token"}
    assert settings[3]["app_token"] is None


BESIDE = """
external_url: https://tocsin.example.org/
sources:
  alertmanager: {auth: {bearer: {token_file: secrets/am}}}
  pingdom: {auth: {path: {token: hunter2}}}
  ours: {type: alertmanager, auth: {basic: {username: u, password: p}}}
  signed: {kind: alertmanager, auth: {hmac: {secret: s, header: X-Sig, prefix: v0=, timestamp_header: X-Time}}}
  eventbridge: {auth: none}
receivers:
- name: a
  fallback: spare
  fallback_after: 1m
  give_up_after: 2h
  resolve_when_muted: true
  webhook_configs: [{url: 'http://example.org/second'}]
- name: spare
  webhook_configs: [{url: 'http://example.org/spare'}]
heartbeats:
- {name: watchdog, matchers: [alertname=Watchdog, 'cluster=~".+"'], interval: 2m, grace: 30s, labels: {severity: page}}
catch_all: b
delivery: dry-run
stale_after: 1d
on_stale: resolve
"""


def test_a_tocsin_yml_beside_it_is_read_too(load_text: Load, tmp_path: Path) -> None:
    loaded = load_text("route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs: [{url: 'http://x.org'}]\n"
                       "- name: b\n", BESIDE)  # fmt: skip
    plan = loaded.plan
    assert not plan.open_on_loopback
    assert (plan.catch_all, plan.delivery, plan.external_url) == ("b", "dry-run", "https://tocsin.example.org")
    assert (plan.stale_after, plan.on_stale) == (DAY, "resolve")
    assert plan.sources["alertmanager"].auth == {"type": "bearer", "token": {"$file": str(tmp_path / "secrets/am")}}
    assert plan.sources["pingdom"].auth == {"type": "path", "token": {"$secret": "sources/pingdom/token"}}
    assert plan.sources["ours"].kind == plan.sources["signed"].kind == "alertmanager"
    assert plan.sources["signed"].auth["timestamp_header"] == "X-Time"
    assert plan.sources["eventbridge"].auth == {"type": "none"}
    receiver = plan.receivers["a"]
    assert (receiver.fallback, receiver.fallback_after, receiver.give_up_after) == ("spare", MINUTE, 2 * HOUR)
    assert [(each.id, each.resolve_when_muted) for each in receiver.integrations] == [
        ("webhook/0", True), ("webhook/1", True)
    ]  # fmt: skip
    (heartbeat,) = plan.heartbeats
    assert heartbeat.matchers == (Matcher("alertname", "=", "Watchdog"), Matcher("cluster", "=~", ".+"))
    assert (heartbeat.interval, heartbeat.grace, heartbeat.labels) == (2 * MINUTE, 30 * SECOND, {"severity": "page"})
    assert [path.name for path in loaded.files] == ["alertmanager.yml", "tocsin.yml"]
    assert loaded.secrets["sources/pingdom/token"] == "hunter2"


def test_either_file_gives_the_same_plan(
    load_text: Load, tmp_path: Path, channels: Mapping[str, ChannelSchema]
) -> None:
    loaded = load_text("route: {receiver: a}\n" + RECEIVERS, BESIDE)
    other = load(tmp_path / "tocsin.yml", channels)
    assert other.plan == loaded.plan
    assert other.files == loaded.files


def test_a_tocsin_yml_names_its_alertmanager_config(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "routes.yml").write_text("route: {receiver: a}\n" + RECEIVERS)
    (tmp_path / "sub" / "mine.yml").write_text("alertmanager_config: ../routes.yml\ncatch_all: b\n")
    plan = load(tmp_path / "sub" / "mine.yml", {}).plan
    assert (plan.catch_all, plan.open_on_loopback) == ("b", False)


def test_an_empty_tocsin_yml_names_no_source_and_opens_nothing(plan_of: PlanOf) -> None:
    plan = plan_of("route: {receiver: a}\n" + RECEIVERS, "")
    assert not plan.open_on_loopback
    assert plan.sources == {}


def test_problems_of_both_files_are_told_together(problems_of: ProblemsOf) -> None:
    told = problems_of("route: {receiver: x}\n" + RECEIVERS, "sources: {pingdom: {}}\n")
    assert [problem.partition(":")[0] for problem in told] == ["alertmanager.yml", "tocsin.yml"]


def test_loading_twice_gives_equal_plans(load_text: Load) -> None:
    assert load_text(SECRETS) == load_text(SECRETS)
