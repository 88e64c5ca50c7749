"""YAML as Go's gopkg.in/yaml.v2 reads it into typed structs: scalars stay text, every node knows its place.

PyYAML's own constructors would retype plain scalars (``country: NO``, ``version: 1.10``) and stop at the first fault;
here the parser's events (libyaml, which Go's package is a port of) become ``Node`` trees, without recursion.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tocsin.config.fields import Quoted
from tocsin.errors import ConfigError, Problem

LARGEST_FILE = 16 * 1024 * 1024  # bytes; a config of 10,000 routes has about 2 MB
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_NEAR = 0.7  # how alike two keys must be for one to be taken for the other's misspelling
_DEEPEST_DOCUMENT = 5_000  # levels; libyaml takes quadratic time beyond
_DEEPEST = 50  # levels of a receiver's settings
_ALIASED_NODES = 1_000_000  # what anchors may multiply a document to

_SCALAR, _SEQUENCE, _MAPPING = "scalar", "sequence", "mapping"


@dataclass(slots=True, eq=False)
class Node:
    """A place in a document. Lines and columns count from 1.

    ``text`` belongs to scalars, ``children`` to sequences, ``pairs`` to mappings (keys in order, duplicates kept).
    """

    kind: str
    line: int
    column: int
    text: str = ""
    plain: bool = False
    children: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)

    @property
    def is_null(self) -> bool:
        """Whether Go would leave the field at its default: an empty value, ``~`` or ``null``."""
        return self.kind == _SCALAR and self.plain and self.text in _NULLS

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return self.kind == _MAPPING

    @property
    def is_sequence(self) -> bool:
        """Whether it is a list."""
        return self.kind == _SEQUENCE

    @property
    def is_scalar(self) -> bool:
        """Whether it is one value."""
        return self.kind == _SCALAR

    def describe(self) -> str:
        """Name the kind for a sentence."""
        return {_SCALAR: "a single value", _SEQUENCE: "a list", _MAPPING: "a mapping"}[self.kind]


class Findings:
    """Every problem of one file, collected rather than raised one by one."""

    def __init__(self, file: str) -> None:
        """Begin with none."""
        self.file = file
        self.problems: list[Problem] = []

    def error(self, node: Node | None, message: str) -> None:
        """Note an error at a node (None: the whole file)."""
        self._add(node, message, "error")

    def warning(self, node: Node | None, message: str) -> None:
        """Note a warning at a node."""
        self._add(node, message, "warning")

    @property
    def errors(self) -> list[Problem]:
        """Those that forbid the config."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def _add(self, node: Node | None, message: str, severity: str) -> None:
        line, column = (node.line, node.column) if node else (0, 0)
        problem = Problem(message, self.file, line, column, severity)
        if problem not in self.problems:  # an alias is read once for each place that uses it
            self.problems.append(problem)


def compose(text: str, findings: Findings) -> Node | None:
    """Make the tree of the first document; None for an empty one. Raises ``ConfigError`` where YAML itself ends."""
    composer = _Composer(findings)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        context = f" ({error.context})" if error.context else ""
        raise ConfigError(Problem(f"not YAML: {error.problem}{context}", findings.file, line, column)) from None
    except yaml.YAMLError as error:
        raise ConfigError(Problem(f"not YAML: {' '.join(str(error).split())}", findings.file)) from None
    if composer.root is not None:
        _forbid_explosion(composer.root, findings)
    return composer.root


class _Composer:
    """Turns parser events into a tree; only the first document counts, as for Alertmanager."""

    def __init__(self, findings: Findings) -> None:
        self.root: Node | None = None
        self._findings = findings
        self._open: list[Node] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0

    def take(self, event: Any) -> None:  # noqa: ANN401 (one of yaml's event classes)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:  # noqa: PLR2004 (the second document)
                self._findings.warning(_at(event, _SCALAR), "only the first YAML document is read: remove this one")
        if self._documents != 1:
            return
        if isinstance(event, yaml.AliasEvent):
            self._place(self._alias(event))
        elif isinstance(event, yaml.ScalarEvent):
            node = _at(event, _SCALAR)
            node.text, node.plain = event.value, event.implicit[0]
            self._anchor(event, node)
            self._place(node)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            node = _at(event, _SEQUENCE if isinstance(event, yaml.SequenceStartEvent) else _MAPPING)
            self._anchor(event, node)
            self._place(node)
            if len(self._open) >= _DEEPEST_DOCUMENT:
                place = self._findings.file, node.line, node.column
                raise ConfigError(Problem(f"nested more than {_DEEPEST_DOCUMENT} levels deep: no config is", *place))
            self._open.append(node)
            self._keys.append(None)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._open.pop()
            self._keys.pop()

    def _anchor(self, event: Any, node: Node) -> None:  # noqa: ANN401
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _alias(self, event: Any) -> Node:  # noqa: ANN401
        node = self._anchors.get(event.anchor)
        place = _at(event, _SCALAR)
        if node is None:
            problem = f"unknown anchor '{event.anchor}' referenced: define it with &{event.anchor} before"
            raise ConfigError(Problem(problem, self._findings.file, place.line, place.column))
        if node in self._open:
            problem = f"anchor '{event.anchor}' value contains itself"
            raise ConfigError(Problem(problem, self._findings.file, place.line, place.column))
        return node

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1], self._keys[-1]
        if parent.kind == _SEQUENCE:
            parent.children.append(node)
        elif key is None:
            self._keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self._keys[-1] = None


def _at(event: Any, kind: str) -> Node:  # noqa: ANN401
    return Node(kind, event.start_mark.line + 1, event.start_mark.column + 1)


def _forbid_explosion(root: Node, findings: Findings) -> None:
    """Refuse a document that anchors blow up ("billion laughs"): count it as if every alias were written out."""
    sizes: dict[int, int] = {}
    waiting = [(root, False)]
    while waiting:
        node, counted = waiting.pop()
        if id(node) in sizes:
            continue
        below = [*node.children, *(part for pair in node.pairs for part in pair)]
        if counted:
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in below)
        else:
            waiting.append((node, True))
            waiting.extend((child, False) for child in below if id(child) not in sizes)
    if sizes[id(root)] > max(_ALIASED_NODES, 10 * len(sizes)):
        raise ConfigError(Problem("document contains excessive aliasing: write it out instead", findings.file))


def entries(node: Node, findings: Findings, depth: int = 0) -> dict[str, tuple[Node, Node]]:
    """Read a mapping's keys in order, merge keys resolved; notes duplicate keys and keys that are no text.

    As in Go's package ``<<`` acts where it stands: it overrides what was said before it, and what follows overrides it;
    where both sides are mappings, they are merged in turn.
    """
    found: dict[str, tuple[Node, Node]] = {}
    said: dict[str, Node] = {}
    for key, value in node.pairs:
        if not key.is_scalar:
            findings.error(key, "a key must be text")
        elif key.plain and key.text == "<<":
            if depth > _DEEPEST:
                findings.error(key, "merge keys are nested too deeply: write the keys out")
                return found
            for merged in _merged(value, findings):
                for name, (merged_key, merged_value) in entries(merged, findings, depth + 1).items():
                    found[name] = merged_key, _joined(name, found, merged_value)
        elif key.text in said:
            first = said[key.text].line
            findings.error(key, f'duplicate key "{key.text}": it is already set in line {first}; remove one of them')
        else:
            said[key.text] = key
            found[key.text] = key, _joined(key.text, found, value)
    return found


def _joined(name: str, found: Mapping[str, tuple[Node, Node]], value: Node) -> Node:
    """Merge a mapping into what a merge key gave before; Go's ``http_config`` alone starts afresh each time."""
    before = found[name][1] if name in found else value
    if before is value or not (before.is_mapping and value.is_mapping) or name == "http_config":
        return value
    later = {key.text for key, _ in value.pairs}
    pairs = [pair for pair in before.pairs if pair[0].text not in later] + value.pairs
    return Node(_MAPPING, value.line, value.column, pairs=pairs)


def _merged(value: Node, findings: Findings) -> Iterable[Node]:
    """Give the mappings of a merge key, the weakest first."""
    sources = list(reversed(value.children)) if value.is_sequence else [value]
    if not all(source.is_mapping for source in sources):
        findings.error(value, "map merge requires map or sequence of maps as the value")
        return []
    return sources


def known_entries(node: Node, keys: Iterable[str], findings: Findings, where: str) -> dict[str, Node]:
    """Read a mapping that may have only these keys; unknown ones are noted with the nearest known one.

    Args:
        node: anything; what is no mapping is noted and read as an empty one. Null values are left out, as in Go.
        keys: the known keys.
        findings: where problems go.
        where: names the mapping in sentences: "route", "receiver".
    """
    if node.is_null:
        return {}
    if not node.is_mapping:
        findings.error(node, f"{where} must be a mapping of keys to values, not {node.describe()}")
        return {}
    known = set(keys)
    found = {}
    for name, (key, value) in entries(node, findings).items():
        if name not in known:
            findings.error(key, unknown_key(name, known, where))
        elif not value.is_null:
            found[name] = value
    return found


def unknown_key(name: str, known: Iterable[str], where: str) -> str:
    """Make the sentence about a key that does not belong here."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=_NEAR)
    advice = f'did you mean "{near[0]}"?' if near else f"known keys are {', '.join(names)}"
    return f'unknown key "{name}" in {where}: {advice}'


def to_plain(node: Node, findings: Findings, depth: int = 0) -> Any:  # noqa: ANN401 (text, list or mapping)
    """Give a node as text (``Quoted`` where it was), lists and dicts; null values are left out of mappings."""
    if node.is_scalar:
        return node.text if node.plain else Quoted(node.text)
    if depth > _DEEPEST:
        findings.error(node, "nested too deeply: no setting has so many levels")
        return ""
    if node.is_sequence:
        return ["" if child.is_null else to_plain(child, findings, depth + 1) for child in node.children]
    found = entries(node, findings)
    return {name: to_plain(value, findings, depth + 1) for name, (_, value) in found.items() if not value.is_null}


def locate(node: Node, path: Iterable[str | int], findings: Findings) -> Node:
    """Find the deepest node on a path of keys and indices; for an unknown key, the key itself."""
    for step in path:
        if isinstance(step, int) and node.is_sequence and step < len(node.children):
            node = node.children[step]
        elif node.is_mapping:
            found: Mapping[str, tuple[Node, Node]] = entries(node, Findings(findings.file))
            if str(step) not in found:
                continue
            key, value = found[str(step)]
            node = key if value.is_scalar else value
    return node
