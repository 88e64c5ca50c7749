"""The route tree: whom an alert goes to, in which group, and why.

Source: Alertmanager ``dispatch/route.go`` and ``dispatch/dispatch.go`` (behaviour, not code). Trees may be as deep as
they like: nothing here recurses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.matchers import Matcher, quote
from tocsin.routing.index import index_of

if TYPE_CHECKING:
    from tocsin.config.plan import Route
    from tocsin.model import Labels


@dataclass(frozen=True, slots=True)
class Tried:
    """One node that was asked about a label set, and its named answer.

    ``verdict`` is ``chosen`` (the node receives the alert), ``descended`` (it matched, and children of it receive the
    alert) or ``refused`` (a matcher did not hold: the first such one is ``refusal``).
    """

    route: Route
    depth: int
    verdict: str
    refusal: Matcher | None = None
    seen: str = ""  # the value that the refusing matcher met

    @property
    def line(self) -> int:
        """Where the node stands in ``alertmanager.yml``."""
        return self.route.line

    @property
    def reason(self) -> str:
        """Say it in a sentence."""
        if self.refusal is not None:
            met = f"{self.refusal.name} is {quote(self.seen)}" if self.seen else f"there is no {self.refusal.name}"
            return f"does not match: {self.refusal} does not hold, {met}"
        why = "matches " + (",".join(map(str, self.route.matchers)) or "everything")
        if self.verdict == "chosen":
            why += ", and no route below it does" if self.route.routes else ""
            why += f": goes to {self.route.receiver}"
        return why + (", continues with the next sibling" if self.route.continue_ else "")


def match(route: Route, labels: Labels) -> tuple[Route, ...]:
    """Find the nodes that receive an alert: depth first, the first matching child wins unless it continues.

    A node receives the alert itself only if no child does. Empty only if the given node does not match.
    """
    if not _fulfils(route, labels):
        return ()
    found: list[Route] = []
    index = index_of(route)
    open_nodes: list[tuple[Route, Iterator[Route], int]] = [(route, iter(index.children(route, labels)), 0)]
    while open_nodes:
        node, children, before = open_nodes[-1]
        for child in children:
            if _fulfils(child, labels):
                open_nodes.append((child, iter(index.children(child, labels)), len(found)))
                break
        else:
            open_nodes.pop()
            if len(found) == before:
                found.append(node)
            if open_nodes and not node.continue_:
                parent, _, parent_before = open_nodes[-1]
                open_nodes[-1] = (parent, iter(()), parent_before)
    return tuple(found)


def explain_match(route: Route, labels: Labels) -> list[Tried]:
    """Tell which nodes were asked, in the order of the file, and what each answered; agrees with ``match``."""
    chosen = {node.id for node in match(route, labels)}
    told: list[Tried] = []
    waiting: list[tuple[Iterator[Route], int]] = [(iter((route,)), 0)]
    while waiting:
        siblings, depth = waiting[-1]
        node = next(siblings, None)
        if node is None:
            waiting.pop()
            continue
        refusal = next((matcher for matcher in node.matchers if not matcher.matches(labels)), None)
        if refusal is not None:
            told.append(Tried(node, depth, "refused", refusal, labels.get(refusal.name, "")))
            continue
        told.append(Tried(node, depth, "chosen" if node.id in chosen else "descended"))
        if not node.continue_:
            waiting[-1] = (iter(()), depth)
        waiting.append((iter(node.routes), depth + 1))
    return told


def walk(route: Route) -> Iterator[tuple[Route, int]]:
    """Give every node with its depth, parents before children, in the order of the file."""
    waiting = [(route, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed(node.routes))


def group_labels(route: Route, labels: Labels) -> dict[str, str]:
    """Pick the labels that make the alert's group: those in ``group_by`` that it has, or all with ``...``."""
    if route.group_by_all:
        return dict(labels)
    return {name: labels[name] for name in route.group_by if name in labels}


def group_key(route: Route, labels: Labels) -> str:
    """Name a group byte for byte as Alertmanager does: the route's key, a colon, the group labels.

    Args:
        route: the node; siblings with equal matchers share a key, so a group is known by this and ``route.id``.
        labels: what ``group_labels`` gave.
    """
    return f"{route.key}:{print_labels(labels)}"


def print_labels(labels: Labels) -> str:
    """Print a label set as Go does: ``{alertname="High<CPU>", cluster="eu-1"}``, sorted by name."""
    return "{" + ", ".join(f"{name}={quote(labels[name])}" for name in sorted(labels)) + "}"


def dedup_key(key: str) -> str:
    """Make PagerDuty's ``dedup_key`` (and any other vendor's) of a group key: lowercase hex SHA-256."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _fulfils(route: Route, labels: Labels) -> bool:
    for matcher in route.matchers:  # noqa: SIM110 (the innermost loop: a generator costs twice as much)
        if not matcher.matches(labels):
            return False
    return True
