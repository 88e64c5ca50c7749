"""The route tree of ``alertmanager.yml``: read, checked, everything inherited filled in. Nothing recurses.

Source: Alertmanager ``config/config.go`` (``Route``) and ``dispatch/route.go`` (``newRoute``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from tocsin.config.document import Findings, Node, known_entries, unknown_key
from tocsin.config.plan import Route
from tocsin.config.reading import bool_of, children_of, labels_of, matchers_of, span_of, text_of
from tocsin.matchers import print_matchers

_KEYS = (
    "receiver", "group_by", "match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals", "continue",
    "routes", "group_wait", "group_interval", "repeat_interval", "labels",
)  # fmt: skip
_ALL = "..."


@dataclass(frozen=True, slots=True)
class Names:
    """What a route may refer to, and how its label templates are checked."""

    receivers: Collection[str]
    intervals: Collection[str]
    check_template: Callable[[Node, str], None]


@dataclass(slots=True)
class _Growing:
    """A node whose children are still being read."""

    route: Route
    children: list[_Growing] = field(default_factory=list)
    siblings: dict[str, int] = field(default_factory=dict)


def read_routes(root: Node, names: Names, findings: Findings) -> Route:
    """Read the tree below ``route:``; problems are noted, and what they touch is left at its default."""
    grown: list[_Growing] = []
    waiting: list[tuple[Node, _Growing | None]] = [(root, None)]
    while waiting:
        node, parent = waiting.pop()
        if node.is_null and parent is not None:
            findings.error(node, "empty route: write its settings or remove the dash")
        known = known_entries(node, _KEYS, findings, "route")
        growing = _Growing(_read(node, known, parent, names, findings))
        if parent is None:
            _check_root(node, known, growing.route, findings)
        else:
            parent.children.append(growing)
        grown.append(growing)
        below = children_of(known.get("routes"), "routes", findings)
        waiting.extend((child, growing) for child in reversed(below))
    for growing in reversed(grown):
        growing.route = replace(growing.route, routes=tuple(child.route for child in growing.children))
    return grown[0].route


def _read(node: Node, known: dict[str, Node], parent: _Growing | None, names: Names, findings: Findings) -> Route:
    above = parent.route if parent else Route(id="", key="", receiver="")
    matchers = matchers_of(known, "", findings)
    printed = print_matchers(matchers)
    group_by, group_by_all = _group_by(known.get("group_by"), above, findings)
    return Route(
        id=_identity(printed, parent),
        key=f"{above.key}/{printed}" if parent else printed,
        receiver=_receiver(known.get("receiver"), names, findings) or above.receiver,
        matchers=matchers,
        group_by=group_by,
        group_by_all=group_by_all,
        group_wait=span_of(known.get("group_wait"), "group_wait", findings, above.group_wait),
        group_interval=_interval(known, "group_interval", above.group_interval, findings),
        repeat_interval=_interval(known, "repeat_interval", above.repeat_interval, findings),
        continue_=bool_of(known.get("continue"), "continue", findings, default=False),
        mute_time_intervals=_intervals(known.get("mute_time_intervals"), names, findings),
        active_time_intervals=_intervals(known.get("active_time_intervals"), names, findings),
        labels={**above.labels, **_labels(known.get("labels"), names, findings)},
        line=node.line,
    )


def _identity(printed: str, parent: _Growing | None) -> str:
    """Name a node by its ancestors' matchers, and by its place among siblings with equal ones alone."""
    if parent is None:
        return printed
    place = parent.siblings[printed] = parent.siblings.get(printed, 0) + 1
    return f"{parent.route.id}/{printed}" + (f"#{place}" if place > 1 else "")


def _check_root(node: Node, known: dict[str, Node], route: Route, findings: Findings) -> None:
    if not route.receiver and "receiver" not in known:
        findings.error(node, "root route must specify a default receiver: set receiver")
    for key in ("match", "match_re", "matchers"):
        if key in known and (known[key].pairs or known[key].children):
            findings.error(known[key], "root route must not have any matchers: move them to a route below it")
    if route.continue_:
        findings.error(known["continue"], "cannot have continue in root route: remove it")
    for kind in ("mute", "active"):
        key = f"{kind}_time_intervals"
        if key in known and known[key].children:
            findings.error(known[key], f"root route must not have any {kind} time intervals: move them below it")


def _group_by(node: Node | None, above: Route, findings: Findings) -> tuple[tuple[str, ...], bool]:
    if node is None:
        return above.group_by, above.group_by_all
    named: list[str] = []
    group_by_all = False
    for child in children_of(node, "group_by", findings):
        name = text_of(child, "each of group_by", findings)
        if name == _ALL:
            group_by_all = True
        elif not name:
            findings.error(child, 'invalid label name "" in group_by list: remove it')
        elif name in named:
            findings.error(child, f'duplicated label "{name}" in group_by: remove one of them')
        else:
            named.append(name)
    if named and group_by_all:
        findings.error(
            node, "cannot have wildcard group_by (`...`) and other labels at the same time: keep one of them"
        )
    return (above.group_by, True) if group_by_all else (tuple(named), False)


def _interval(known: dict[str, Node], key: str, default: int, findings: Findings) -> int:
    span = span_of(known.get(key), key, findings, default)
    if span == 0:
        findings.error(known[key], f"{key} cannot be zero: remove it or set a duration such as 5m")
        return default
    return span


def _receiver(node: Node | None, names: Names, findings: Findings) -> str:
    name = text_of(node, "receiver", findings)
    if name and name not in names.receivers:
        findings.error(node, undefined("receiver", name, names.receivers, "used in route"))
    return name


def _intervals(node: Node | None, names: Names, findings: Findings) -> tuple[str, ...]:
    used = []
    for child in children_of(node, "a list of time intervals", findings):
        name = text_of(child, "the name of a time interval", findings)
        if name not in names.intervals:
            findings.error(child, undefined("time interval", name, names.intervals, "used in route"))
        used.append(name)
    return tuple(used)


def _labels(node: Node | None, names: Names, findings: Findings) -> dict[str, str]:
    labels = labels_of(node, "route labels", findings)
    for text in labels.values():
        if node is not None:
            names.check_template(node, text)
    return labels


def undefined(kind: str, name: str, known: Collection[str], where: str) -> str:
    """Make the sentence about a name that leads nowhere."""
    _, _, advice = unknown_key(name, known, where).partition(": ")
    advice = advice.replace("known keys are", f"known {kind}s are") if known else f"there is no {kind} at all"
    return f'undefined {kind} "{name}" {where}: {advice}'
