"""``tocsin routes show|test``: the route tree, and where an alert would go; words and output as amtool's."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from tocsin.cli.loading import add_config_flag, load_or_complain
from tocsin.config.plan import Route
from tocsin.errors import MatcherError
from tocsin.matchers import parse_matcher, print_matchers
from tocsin.model import Labels
from tocsin.routing import explain_match, group_key, group_labels, match, walk

FINE, FINDINGS, USAGE = 0, 1, 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the command and its two verbs."""
    parser = subparsers.add_parser("routes", help="show the route tree, or test where labels go")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="show|test")
    show = verbs.add_parser("show", help="print the route tree")
    add_config_flag(show)
    test = verbs.add_parser(
        "test",
        help="print the receivers that an alert with these labels reaches",
        description="Prints the receivers in the order of the route tree. "
        "Exits 1 when --verify.receivers says otherwise.",
    )
    add_config_flag(test)
    test.add_argument("--verify.receivers", dest="expected", default="", metavar="A,B", help="the receivers expected")
    test.add_argument("--tree", action="store_true", help="print the routes that match, as a tree")
    test.add_argument(
        "--explain", action="store_true", help="print every route that was asked, its line and its answer"
    )
    test.add_argument("-o", "--output", choices=("simple", "json"), default="simple", help="how to print")
    test.add_argument("labels", nargs="*", metavar="k=v", help="the labels of the alert")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the verb; gives the exit code."""
    loaded = load_or_complain(args.config)
    if loaded is None:
        return FINDINGS
    if args.verb == "show":
        print("Routing tree:")
        print(show_tree(loaded.plan.route))
        return FINE
    try:
        labels = dict(parse_label(text) for text in args.labels)
    except MatcherError as error:
        print(f"tocsin routes test: failed to parse labels: {error}", file=sys.stderr)
        return USAGE
    return _test(args, loaded.plan.route, labels)


def parse_label(text: str) -> tuple[str, str]:
    """Read ``key=value`` as amtool does; raises ``MatcherError``."""
    matcher = parse_matcher(text)
    if matcher.op != "=":
        raise MatcherError(f"{text}: labels must be specified as key=value pairs")
    return matcher.name, matcher.value


def _test(args: argparse.Namespace, root: Route, labels: Labels) -> int:
    found = match(root, labels)
    receivers = ",".join(route.receiver for route in found)
    if args.output == "json":
        print(json.dumps(_as_json(root, found, labels), indent=2, ensure_ascii=False))
    else:
        if args.tree:
            print("Matching routes:")
            print(matching_tree(root, labels))
            print()
        if args.explain:
            for tried in explain_match(root, labels):
                print(f"{'  ' * tried.depth}line {tried.line}: {tried.reason}")
        print(receivers)
    if args.expected and args.expected != receivers:
        print("WARNING: Expected receivers did not match resolved receivers.")
        return FINDINGS
    return FINE


def _as_json(root: Route, found: tuple[Route, ...], labels: Labels) -> dict[str, object]:
    return {
        "receivers": [route.receiver for route in found],
        "routes": [
            {"id": route.id, "line": route.line, "receiver": route.receiver,
             "groupKey": group_key(route, group_labels(route, labels))}
            for route in found
        ],
        "tried": [
            {"id": tried.route.id, "line": tried.line, "verdict": tried.verdict, "reason": tried.reason}
            for tried in explain_match(root, labels)
        ],
    }  # fmt: skip


def show_tree(root: Route) -> str:
    """Draw the whole tree."""
    return _draw((_slug(route, with_continue=True, with_receiver=True), depth) for route, depth in walk(root))


def matching_tree(root: Route, labels: Labels) -> str:
    """Draw the nodes that match; those that receive the alert say who their receiver is."""
    return _draw(
        (_slug(tried.route, with_receiver=tried.verdict == "chosen"), tried.depth)
        for tried in explain_match(root, labels)
        if tried.refusal is None
    )


def _slug(route: Route, *, with_continue: bool = False, with_receiver: bool = False) -> str:
    slug = print_matchers(route.matchers) if route.matchers else "default-route"
    if route.continue_ and with_continue:
        slug += "  continue: true"
    return slug + (f"  receiver: {route.receiver}" if with_receiver else "")


def _draw(nodes: Iterator[tuple[str, int]]) -> str:
    """Draw nodes, given with their depth, parents first, as amtool's tree printer does."""
    listed = list(nodes)
    last: list[bool] = [False] * len(listed)
    seen: set[int] = set()  # depths at which a later sibling was met, reading backwards
    for place in range(len(listed) - 1, -1, -1):
        depth = listed[place][1]
        last[place] = depth not in seen
        seen = {other for other in seen if other <= depth} | {depth}
    lines: list[str] = ["."]
    ended: list[bool] = []
    for (slug, depth), is_last in zip(listed, last, strict=True):
        ended = [*ended[:depth], is_last]
        bars = "".join("    " if end else "│   " for end in ended[:depth])
        lines.append(f"{bars}{'└── ' if is_last else '├── '}{slug}")
    return "\n".join(lines) + "\n"
