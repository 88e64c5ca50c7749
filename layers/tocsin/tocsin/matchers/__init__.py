"""Matchers: what a label set must fulfil, and the two grammars they are written in.

Both grammars are tried, as Alertmanager does by default ("fallback mode"): what only the classic one reads, or what
both read differently, is classic; everything else is UTF-8. Source: Alertmanager ``matcher/compat/parse.go``.
"""

from __future__ import annotations

from collections.abc import Callable

from tocsin.errors import MatcherError
from tocsin.matchers.classic import parse_classic_matcher, parse_classic_matchers
from tocsin.matchers.matcher import OPERATORS, Matcher, compile_anchored, print_matchers, sort_matchers
from tocsin.matchers.quoting import quote
from tocsin.matchers.utf8 import parse_utf8_matcher, parse_utf8_matchers

__all__ = [
    "OPERATORS",
    "Matcher",
    "compile_anchored",
    "parse_classic_matcher",
    "parse_classic_matchers",
    "parse_matcher",
    "parse_matchers",
    "parse_utf8_matcher",
    "parse_utf8_matchers",
    "print_matchers",
    "quote",
    "sort_matchers",
]


def parse_matcher(text: str, warn: Callable[[str], object] | None = None) -> Matcher:
    """Read exactly one matcher, such as ``severity=~"page|critical"``.

    Args:
        text: without braces around it.
        warn: is told a sentence when only the classic grammar reads it, or both read it differently.

    Raises:
        MatcherError: with a sentence that quotes the text.
    """
    if text.startswith("{") or text.endswith("}"):
        raise MatcherError(f"unexpected open or close brace: {text}: write a single matcher without braces")
    (matcher,) = _fallback(text, lambda: (parse_classic_matcher(text),), lambda: (parse_utf8_matcher(text),), warn)
    return matcher


def parse_matchers(text: str, warn: Callable[[str], object] | None = None) -> tuple[Matcher, ...]:
    """Read any number of matchers between commas, such as ``{team="a", severity!="info"}``; braces are optional.

    Args:
        text: what stands in the file or on the command line.
        warn: is told a sentence when only the classic grammar reads it, or both read it differently.

    Raises:
        MatcherError: with a sentence that quotes the text.
    """
    return _fallback(text, lambda: parse_classic_matchers(text), lambda: parse_utf8_matchers(text), warn)


def _fallback(
    text: str,
    classic: Callable[[], tuple[Matcher, ...]],
    utf8: Callable[[], tuple[Matcher, ...]],
    warn: Callable[[str], object] | None,
) -> tuple[Matcher, ...]:
    classic_error: MatcherError | None = None
    found: tuple[Matcher, ...] = ()
    try:
        found = classic()
    except MatcherError as error:
        classic_error = error
    try:
        utf8_found = utf8()
    except MatcherError as error:
        if classic_error is not None:
            raise _neither(text, classic_error, error) from None
        if warn is not None:
            advice = ",".join(map(str, found))
            warn(f"{text} is read by the classic grammar only, which Alertmanager will drop ({error}): write {advice}")
        return found
    if classic_error is not None:
        return utf8_found
    if utf8_found != found and warn is not None:
        warn(f"{text} means different things in the classic and the UTF-8 grammar; the classic one is used: "
             f"write {','.join(map(str, found))}")  # fmt: skip
    return found


def _neither(text: str, classic: MatcherError, utf8: MatcherError) -> MatcherError:
    """Say why no grammar reads it: the classic reason, and where the UTF-8 grammar stopped."""
    if str(classic) == str(utf8):
        return classic
    if str(classic).startswith("bad matcher format: "):  # which says little: add where the other one stopped
        return MatcherError(f"bad matcher format: {text}: {utf8}")
    return classic
