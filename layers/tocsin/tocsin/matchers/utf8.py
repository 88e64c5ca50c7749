"""The UTF-8 grammar of matchers: any label name, quoted as in Go where it holds reserved characters.

Source: Alertmanager ``matcher/parse`` (behaviour, not code). Columns in messages count characters from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.errors import MatcherError
from tocsin.matchers.matcher import OPERATORS, Matcher
from tocsin.matchers.quoting import RESERVED, SPACES, unquote

_WORD, _QUOTED, _END = "word", "quoted", "end of input"


@dataclass(frozen=True, slots=True)
class _Token:
    """``kind`` is the token itself for punctuation and operators."""

    kind: str
    text: str
    column: int

    def wrong(self, expected: str) -> MatcherError:
        seen = _END if self.kind == _END else self.text
        return MatcherError(f"column {self.column}: unexpected {seen}: expected {expected}")


def parse_utf8_matcher(text: str) -> Matcher:
    """Read exactly one matcher; ``MatcherError`` says what is wrong and in which column."""
    matchers = parse_utf8_matchers(text)
    if len(matchers) != 1:
        raise MatcherError(f"expected 1 matcher, found {len(matchers)}: {text}")
    return matchers[0]


def parse_utf8_matchers(text: str) -> tuple[Matcher, ...]:
    """Read matchers between commas, braces around them optional; ``MatcherError`` when they are not."""
    tokens = _tokens(text)
    token = next(tokens)
    braced = token.kind == "{"
    if braced:
        token = next(tokens)
    matchers: list[Matcher] = []
    while token.kind not in {"}", _END}:
        matcher, token = _matcher(token, tokens)
        matchers.append(matcher)
        if token.kind == ",":
            token = next(tokens)
            if token.kind not in {_WORD, _QUOTED, "}", _END}:
                raise token.wrong("a matcher or close brace after comma")
        elif token.kind not in {"}", _END}:
            raise token.wrong("a comma or close brace")
    if braced != (token.kind == "}"):
        raise token.wrong("a close brace" if braced else "no close brace, for none was opened")
    if braced and (token := next(tokens)).kind != _END:
        raise token.wrong("the end of the input")
    return tuple(matchers)


def _matcher(token: _Token, tokens: Iterator[_Token]) -> tuple[Matcher, _Token]:
    """Read one matcher that begins with this token; gives the token after it."""
    if token.kind not in {_WORD, _QUOTED}:
        raise token.wrong("a label name")
    name = _text(token)
    operator = next(tokens)
    if operator.kind not in OPERATORS:
        raise operator.wrong("an operator such as '=', '!=', '=~' or '!~'")
    value = next(tokens)
    if value.kind not in {_WORD, _QUOTED}:
        raise value.wrong("a label value; quote it where it is empty or has other than plain characters")
    return Matcher(name, operator.kind, _text(value)).check(), next(tokens)


def _text(token: _Token) -> str:
    if token.kind == _WORD:
        return token.text
    try:
        return unquote(token.text)
    except ValueError as error:
        raise MatcherError(f"column {token.column}: {token.text}: invalid input: {error}") from None


def _tokens(text: str) -> Iterator[_Token]:
    """Cut the text into tokens, lazily: an error behind the first one is never reached."""
    at = 0
    while at < len(text):
        character = text[at]
        if character in SPACES:
            at += 1
            continue
        end = _token_end(text, at)
        kind = _WORD if character not in RESERVED else _QUOTED if character == '"' else text[at:end]
        yield _Token(kind, text[at:end], at + 1)
        at = end
    while True:
        yield _Token(_END, "", len(text) + 1)


def _token_end(text: str, at: int) -> int:
    """Find the end of the token that begins here."""
    character = text[at]
    if character in "{},":
        return at + 1
    if character in "=!":
        if text[at : at + 2] in OPERATORS:
            return at + 2
        if character == "=":
            return at + 1
        raise MatcherError(f"column {at + 1}: {character}: expected '!=' or '!~'")
    if character == '"':
        end = at + 1
        while end < len(text) and text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        if end >= len(text):
            raise MatcherError(f'column {at + 1}: {text[at:]}: missing end "')
        return end + 1
    if character in RESERVED:
        raise MatcherError(f"column {at + 1}: {character}: invalid input: put it into double quotes")
    end = at
    while end < len(text) and text[end] not in RESERVED:
        end += 1
    return end
