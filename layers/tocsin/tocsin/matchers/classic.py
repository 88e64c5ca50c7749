"""The classic grammar of matchers: legacy label names, values in OpenMetrics escaping, quotes optional.

Source: Alertmanager ``pkg/labels/parse.go`` (behaviour, not code).
"""

from __future__ import annotations

import re

from tocsin.errors import MatcherError
from tocsin.matchers.matcher import Matcher
from tocsin.matchers.quoting import SPACES

_ASCII_SPACE = "\t\n\f\r "
_HEAD = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)")


def parse_classic_matchers(text: str) -> tuple[Matcher, ...]:
    """Read matchers between commas, braces around them optional; ``MatcherError`` when they are not."""
    return tuple(map(parse_classic_matcher, _split(text.removeprefix("{").removesuffix("}"))))


def parse_classic_matcher(text: str) -> Matcher:
    """Read one matcher; ``MatcherError`` says what is wrong."""
    head = _HEAD.match(text)
    if head is None:
        raise MatcherError(f"bad matcher format: {text}")
    return Matcher(head[1], head[2], _value(text[head.end() :].strip(_ASCII_SPACE))).check()


def _split(text: str) -> list[str]:
    """Split at commas outside of double quotes; a last part that is empty does not count."""
    parts, begin, inside, escaped = [], 0, False, False
    for at, character in enumerate(text):
        if character == ",":  # upstream lets a backslash before it reach the character behind it
            if not inside:
                parts.append(text[begin:at])
                begin = at + 1
        elif character == '"':
            inside, escaped = (inside, False) if escaped else (not inside, False)
        else:
            escaped = character == "\\" and not escaped
    last = text[begin:].strip("".join(SPACES))
    return [*parts, last] if last else parts


def _value(raw: str) -> str:
    quoted = raw.startswith('"')
    rest = raw[1:] if quoted else raw
    closed = not quoted
    value: list[str] = []
    at = 0
    while at < len(rest):
        character, last = rest[at], at == len(rest) - 1
        if character == "\\" and not last:
            following = rest[at + 1]
            value.append({"n": "\n", '"': '"', "\\": "\\"}.get(following, "\\" + following))
            at += 2
            continue
        if character == '"':
            if closed or not last:
                raise MatcherError(f'matcher value contains unescaped double quote: {raw}: write it as \\"')
            closed = True
        else:
            value.append(character)
        at += 1
    if not closed:
        raise MatcherError(f"matcher value lacks its closing double quote: {raw}")
    return "".join(value)
