from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.config.plan import Route
from tocsin.matchers import Matcher, parse_matchers, print_matchers
from tocsin.model import Labels
from tocsin.routing import dedup_key, explain_match, group_key, group_labels, match, walk


def node(receiver: str, matchers: str = "", *routes: Route, **settings: object) -> Route:
    read = parse_matchers(matchers)
    return Route(
        id=f"{receiver}:{matchers}",
        key=print_matchers(read),
        receiver=receiver,
        matchers=read,
        routes=routes,
        **settings,
    )  # type: ignore[arg-type]


TREE = node(
    "default",
    "",
    node("audit", "severity=~page|critical", continue_=True),
    node("team-a", "team=a", node("team-a-page", "severity=page"), node("team-a-any", "env!=dev")),
    node("team-b", "team=b", node("first", "x=1", continue_=True), node("second", "y=1")),
    node("nobody", 'team=""'),
)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        pytest.param({"team": "z"}, ["default"], id="no child matches: the root itself"),
        pytest.param({"team": "a", "severity": "page"}, ["audit", "team-a-page"], id="continue goes on to siblings"),
        pytest.param({"team": "a"}, ["team-a-any"], id="the first matching child wins"),
        pytest.param({"team": "a", "env": "dev"}, ["team-a"], id="a node matches itself only if no child did"),
        pytest.param({"team": "b", "x": "1", "y": "1"}, ["first", "second"], id="several children of one node"),
        pytest.param({"team": "b", "x": "1"}, ["first"], id="a continuing child that matched alone is enough"),
        pytest.param({}, ["nobody"], id="an absent label equals the empty string"),
        pytest.param({"severity": "page", "team": "z"}, ["audit"], id="a continuing match keeps the parent out"),
    ],
)
def test_an_alert_reaches_the_receivers_in_the_order_of_the_tree(labels: dict[str, str], receivers: list[str]) -> None:
    assert [route.receiver for route in match(TREE, labels)] == receivers


def test_a_node_that_does_not_match_gives_nothing() -> None:
    assert match(TREE.routes[1], {"team": "b"}) == ()


def test_a_tree_deeper_than_pythons_stack_matches() -> None:
    deepest = node("bottom", "a=1")
    for _ in range(5_000):
        deepest = Route(id="x", key="", receiver="middle", matchers=deepest.matchers, routes=(deepest,))
    assert [route.receiver for route in match(deepest, {"a": "1"})] == ["bottom"]
    assert sum(1 for _ in walk(deepest)) == 5_001


def test_an_explanation_names_every_node_asked_and_why() -> None:
    told = explain_match(TREE, {"team": "a", "severity": "page"})
    assert [(tried.depth, tried.route.receiver, tried.verdict) for tried in told] == [
        (0, "default", "descended"),
        (1, "audit", "chosen"),
        (1, "team-a", "descended"),
        (2, "team-a-page", "chosen"),
    ]
    assert told[1].reason == 'matches severity=~"page|critical": goes to audit, continues with the next sibling'


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"team": "z"}, 'does not match: team="a" does not hold, team is "z"'),
        ({"severity": "page"}, 'does not match: team="a" does not hold, there is no team'),
    ],
)
def test_a_refusal_names_the_matcher_and_what_it_met(labels: dict[str, str], reason: str) -> None:
    refused = next(tried for tried in explain_match(TREE, labels) if tried.route.receiver == "team-a")
    assert (refused.verdict, refused.reason) == ("refused", reason)


def test_a_node_chosen_for_want_of_a_child_says_so() -> None:
    told = explain_match(TREE, {"team": "a", "env": "dev"})
    chosen = next(tried for tried in told if tried.verdict == "chosen")
    assert chosen.reason == 'matches team="a", and no route below it does: goes to team-a'


@pytest.mark.parametrize("labels", [{}, {"team": "a"}, {"team": "b", "x": "1", "y": "1"}, {"severity": "page"}])
def test_explanations_agree_with_matching(labels: dict[str, str]) -> None:
    chosen = [tried.route for tried in explain_match(TREE, labels) if tried.verdict == "chosen"]
    assert chosen == list(match(TREE, labels))


def test_a_group_has_only_the_labels_that_the_alert_has() -> None:
    route = node("r", group_by=("alertname", "cluster"))
    assert group_labels(route, {"alertname": "Up", "job": "x"}) == {"alertname": "Up"}


def test_three_dots_group_by_every_label() -> None:
    assert group_labels(node("r", group_by_all=True), {"b": "1", "a": "2"}) == {"a": "2", "b": "1"}


@pytest.mark.parametrize(
    ("key", "labels", "printed"),
    [
        pytest.param("{}", {}, "{}:{}", id="the root without grouping"),
        pytest.param(
            '{}/{env!="dev",job=~"^(?:no.*)$",severity=~"crit.*|page"}',
            {"cluster": "eu-1", "alertname": "High<CPU>"},
            '{}/{env!="dev",job=~"^(?:no.*)$",severity=~"crit.*|page"}:{alertname="High<CPU>", cluster="eu-1"}',
            id="labels sorted by name, a comma and a space between them",
        ),
        pytest.param(
            "{}", {"a": 'x"y\\z\n\t\u00e9\u200b'}, '{}:{a="x\\"y\\\\z\\n\\t\u00e9\\u200b"}', id="values as Go"
        ),
    ],
)
def test_a_group_key_is_alertmanagers_byte_for_byte(key: str, labels: dict[str, str], printed: str) -> None:
    assert group_key(Route(id="r", key=key, receiver="r"), labels) == printed


def test_a_dedup_key_is_the_lowercase_sha256_of_the_group_key() -> None:
    key = '{}/{a="\u00e9"}:{b="c"}'
    assert dedup_key(key) == hashlib.sha256(key.encode()).hexdigest()
    assert len(dedup_key("")) == 64


def naive(route: Route, labels: dict[str, str]) -> list[str]:
    """The rule as the documentation words it: recursive, asking every child."""
    if not all(matcher.matches(labels) for matcher in route.matchers):
        return []
    found: list[str] = []
    for child in route.routes:
        below = naive(child, labels)
        found += below
        if below and not child.continue_:
            break
    return found or [route.receiver]


PARTS = (
    "a=x",
    "a=y",
    'a=""',
    "a!=x",
    "a=~x|y",
    'a=~"x|"',
    "a=~x.*",
    "b=x",
    "b=~x|z",
    "b!~x|z",
    "b=~.+",
    'b=~"^(?:x|y)$"',
)
WIDE_TREES = st.lists(
    st.tuples(st.lists(st.sampled_from(PARTS), max_size=3), st.booleans()), min_size=16, max_size=30
).map(
    lambda children: node(
        "root", "", *(node(f"{place}", ",".join(parts), continue_=on) for place, (parts, on) in enumerate(children))
    )
)
VALUES = st.sampled_from(["x", "y", "z", "xx", ""])


@settings(deadline=None)
@given(WIDE_TREES, st.dictionaries(st.sampled_from("ab"), VALUES))
def test_wide_trees_match_as_if_every_child_were_asked(tree: Route, labels: dict[str, str]) -> None:
    assert [route.receiver for route in match(tree, labels)] == naive(tree, labels)


def test_only_children_that_can_match_are_asked() -> None:
    asked: list[str] = []

    class Counted(Matcher):
        def matches(self, labels: Labels) -> bool:
            asked.append(self.value)
            return super().matches(labels)

    children = [Route(id=f"{n}", key="", receiver=f"{n}", matchers=(Counted("a", "=", f"{n}"),)) for n in range(1_000)]
    tree = Route(id="root", key="", receiver="root", routes=tuple(children))
    assert [route.receiver for route in match(tree, {"a": "700"})] == ["700"]
    assert asked == ["700"]
