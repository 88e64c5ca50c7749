"""Typed values from nodes; what cannot be read is noted and replaced by a default, so that reading goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from tocsin.config.document import Findings, Node, entries
from tocsin.config.fields import Quoted, read_bool
from tocsin.durations import parse_duration
from tocsin.errors import ConfigError, DurationError, MatcherError
from tocsin.matchers import Matcher, compile_anchored, parse_matchers, sort_matchers
from tocsin.model import Span

# prometheus/common model/labels.go (LabelNameRE)
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def text_of(node: Node | None, what: str, findings: Findings, default: str = "") -> str:
    """Read text; ``what`` names the value in the sentence."""
    if node is None or node.is_null:
        return default
    if not node.is_scalar:
        findings.error(node, f"{what} must be text, not {node.describe()}")
        return default
    return node.text


def bool_of(node: Node | None, what: str, findings: Findings, *, default: bool) -> bool:
    """Read true or false."""
    if node is None or node.is_null:
        return default
    try:
        return read_bool(node.text if node.plain else Quoted(node.text))
    except ValueError as error:
        findings.error(node, f"{what}: {error}" if node.is_scalar else f"{what} must be true or false")
        return default


def span_of(node: Node | None, what: str, findings: Findings, default: Span) -> Span:
    """Read a Prometheus duration."""
    if node is None or node.is_null:
        return default
    try:
        return parse_duration(text_of(node, what, findings))
    except DurationError as error:
        findings.error(node, f"{what}: {error}")
        return default


def children_of(node: Node | None, what: str, findings: Findings) -> list[Node]:
    """Read a list's members."""
    if node is None or node.is_null:
        return []
    if not node.is_sequence:
        findings.error(node, f"{what} must be a list, not {node.describe()}")
        return []
    return node.children


def texts_of(node: Node | None, what: str, findings: Findings) -> list[str]:
    """Read a list of texts."""
    return [text_of(child, f"each of {what}", findings) for child in children_of(node, what, findings)]


def pairs_of(node: Node | None, what: str, findings: Findings) -> dict[str, tuple[Node, str]]:
    """Read a mapping of names to texts, each with the place of its value."""
    if node is None or node.is_null:
        return {}
    if not node.is_mapping:
        findings.error(node, f"{what} must be a mapping of names to values, not {node.describe()}")
        return {}
    found = entries(node, findings)
    return {name: (value, text_of(value, f"{what}.{name}", findings)) for name, (_, value) in found.items()}


def labels_of(node: Node | None, what: str, findings: Findings) -> dict[str, str]:
    """Read a label set."""
    pairs = pairs_of(node, what, findings)
    for name, (place, _) in pairs.items():
        if not name:
            findings.error(place, f'invalid label name "" in {what}')
    return {name: value for name, (_, value) in pairs.items()}


def matchers_of(known: dict[str, Node], prefix: str, findings: Findings) -> tuple[Matcher, ...]:
    """Read ``match``, ``match_re`` and ``matchers`` (with a prefix: ``source_`` …), sorted as in route keys."""
    found: list[Matcher] = []
    for name, (place, value) in pairs_of(known.get(f"{prefix}match"), f"{prefix}match", findings).items():
        if _is_classic(name, place, findings):
            found.append(Matcher(name, "=", value))
    for name, (place, value) in pairs_of(known.get(f"{prefix}match_re"), f"{prefix}match_re", findings).items():
        if _is_classic(name, place, findings) and _compiles(value, place, findings):
            found.append(Matcher(name, "=~", f"^(?:{value})$"))
    for line in children_of(known.get(f"{prefix}matchers"), f"{prefix}matchers", findings):
        found += matchers_from(line, findings)
    return sort_matchers(found)


def matchers_from(node: Node, findings: Findings) -> Iterable[Matcher]:
    """Read the matchers of one text."""
    try:
        return parse_matchers(text_of(node, "a matcher", findings), lambda sentence: findings.warning(node, sentence))
    except MatcherError as error:
        findings.error(node, str(error))
        return ()


def note(findings: Findings, node: Node | None, parse: Callable[[], Any]) -> Any:  # noqa: ANN401 (what parse gives)
    """Call a parser that raises; its sentence is noted at the node, and None given."""
    try:
        return parse()
    except ConfigError as error:
        findings.error(node, str(error))
        return None


def _is_classic(name: str, place: Node, findings: Findings) -> bool:
    if _CLASSIC_NAME.fullmatch(name):
        return True
    findings.error(place, f'invalid label name "{name}": use matchers for names beyond letters, digits and underscores')
    return False


def _compiles(pattern: str, place: Node, findings: Findings) -> bool:
    return note(findings, place, lambda: compile_anchored(pattern)) is not None
