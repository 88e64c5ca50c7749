"""One matcher: a label's name, an operator and a value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import re2

from tocsin.errors import MatcherError
from tocsin.matchers.quoting import RESERVED, quote
from tocsin.model import Labels

OPERATORS = ("=", "!=", "=~", "!~")  # in the order Alertmanager sorts them
_ORDER = {operator: place for place, operator in enumerate(OPERATORS)}
_OPEN_METRICS = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
# Alternatives of characters that mean themselves; ``match_re`` wraps them in anchors of its own.
_LITERALS = re.compile(r"[\w \-:/@,%=~;!<>\"'&#|]*")
_ANCHORED = re.compile(r"\^\(\?:(.*)\)\$", re.DOTALL)
_PATTERNS = 4_096  # compiled ones kept: many routes share a pattern
_QUIET = re2.Options()
_QUIET.log_errors = False


@dataclass(frozen=True)
class Matcher:
    """``name op value``; the regexp of ``=~`` and ``!~`` is RE2, anchored at both ends.

    The regexp is compiled on first use and kept; ``check`` compiles it now.
    """

    name: str
    op: str
    value: str

    def matches(self, labels: Labels) -> bool:
        """Say whether a label set fulfils this matcher; an absent label is the empty string."""
        value = labels.get(self.name, "")
        if self.op == "=":
            return value == self.value
        if self.op == "!=":
            return value != self.value
        if self.literals is not None:
            return (value in self.literals) is (self.op == "=~")
        found = self._regexp.search(value.encode("utf-8", "surrogatepass")) is not None  # bytes: a third of the time
        return found if self.op == "=~" else not found

    def check(self) -> Matcher:
        """Give the matcher back, or raise ``MatcherError`` if its regexp does not compile."""
        if self.op in {"=~", "!~"} and self.literals is None:
            _ = self._regexp
        return self

    @cached_property
    def literals(self) -> frozenset[str] | None:
        """The values that a plain comparison or a regexp like ``page|critical`` names; None for any other regexp."""
        if self.op in {"=", "!="}:
            return frozenset((self.value,))
        inner = _ANCHORED.fullmatch(self.value)
        pattern = inner[1] if inner else self.value
        return frozenset(pattern.split("|")) if _LITERALS.fullmatch(pattern) else None

    @cached_property
    def _regexp(self) -> Any:  # noqa: ANN401 (re2 has no types)
        return compile_anchored(self.value)

    @property
    def sort_key(self) -> tuple[str, str, int]:
        """Order matchers as Alertmanager does: by name, value, operator."""
        return self.name, self.value, _ORDER[self.op]

    def __str__(self) -> str:
        """Print as in group keys: ``name="value"``; a name with reserved characters makes both sides quoted as in Go.

        Source: Alertmanager ``pkg/labels/matcher.go`` (``Matcher.String``).
        """
        if any(character in RESERVED for character in self.name):
            return f"{quote(self.name)}{self.op}{quote(self.value)}"
        return f'{self.name}{self.op}"{self.value.translate(_OPEN_METRICS)}"'


@lru_cache(maxsize=_PATTERNS)
def compile_anchored(pattern: str) -> Any:  # noqa: ANN401 (re2 has no types)
    """Compile ``^(?:pattern)$``; ``MatcherError`` says why it does not compile."""
    try:
        return re2.compile(f"^(?:{pattern})$", _QUIET)
    except re2.error as anchored:
        error = _own_error(pattern) or anchored
        why = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise MatcherError(f'"{pattern}" is not a regular expression of RE2: {why}') from None


def _own_error(pattern: str) -> re2.error | None:
    """Say what is wrong with the pattern as the person wrote it, without our anchors."""
    try:
        re2.compile(pattern, _QUIET)
    except re2.error as error:
        return error
    return None


def sort_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Sort as in route keys."""
    return tuple(sorted(matchers, key=lambda matcher: matcher.sort_key))


def print_matchers(matchers: Iterable[Matcher]) -> str:
    """Print a conjunction as in route keys: ``{a="b",c=~"d"}``, in the order given."""
    return "{" + ",".join(map(str, matchers)) + "}"
