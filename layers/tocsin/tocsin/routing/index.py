"""Which children of a wide route can match at all: found by a look-up instead of asking each of thousands.

Most matchers of a config are ``team="a"`` or ``severity=~"page|critical"``. Such a child is filed under each value that
it takes; only those filed under the values an alert has are asked, and those that cannot be filed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.config.plan import Route
    from tocsin.model import Labels

WIDE = 16  # children; below this asking each is as fast
_TREES = 16  # of the last plans in use: the current one, one on its way out, tests


class _Shelf:
    """The children of one node by label name and value."""

    __slots__ = ("_children", "_filed", "_unfiled")

    def __init__(self, children: Sequence[Route]) -> None:
        self._children = children
        self._filed: dict[str, dict[str, list[int]]] = {}
        self._unfiled: list[int] = []
        for place, child in enumerate(children):
            # A child is filed once, by whatever says most about it: the matcher with the fewest values.
            takes = [(matcher.name, matcher.literals) for matcher in child.matchers if matcher.op in {"=", "=~"}]
            files = [(len(values), name, values) for name, values in takes if values and "" not in values]
            if not files:
                self._unfiled.append(place)
                continue
            _, name, values = min(files, key=lambda file: file[0])
            for value in values:
                self._filed.setdefault(name, {}).setdefault(value, []).append(place)

    def candidates(self, labels: Labels) -> Sequence[Route]:
        """Give the children that may match, in their order."""
        places = list(self._unfiled)
        for name, by_value in self._filed.items():
            places += by_value.get(labels.get(name, ""), ())
        places.sort()
        return [self._children[place] for place in places]


class Index:
    """The shelves of a whole tree."""

    def __init__(self, root: Route) -> None:
        """File the children of every wide node."""
        self._root = root  # keeps every node alive, and so its id its own
        self._shelves: dict[int, _Shelf] = {}
        waiting = [root]
        while waiting:
            node = waiting.pop()
            waiting.extend(node.routes)
            if len(node.routes) >= WIDE:
                self._shelves[id(node)] = _Shelf(node.routes)

    def children(self, node: Route, labels: Labels) -> Sequence[Route]:
        """Give the children of a node of this tree that may match, in their order."""
        shelf = self._shelves.get(id(node))
        return node.routes if shelf is None else shelf.candidates(labels)


class _Same:
    """A tree by identity: comparing or hashing a route by its contents would walk the whole tree."""

    __slots__ = ("root",)

    def __init__(self, root: Route) -> None:
        self.root = root

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.root is self.root

    def __hash__(self) -> int:
        return id(self.root)


@lru_cache(maxsize=_TREES)
def _index(same: _Same) -> Index:
    return Index(same.root)


def index_of(root: Route) -> Index:
    """Give the index of a tree, made on first use and kept for the last few trees."""
    return _index(_Same(root))
