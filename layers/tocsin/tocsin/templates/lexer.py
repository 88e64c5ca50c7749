"""From the text of a template to its tokens. The grammar is that of https://pkg.go.dev/text/template."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from tocsin.templates.nodes import Source

BLANKS = " \t\r\n"
KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"})

_LEFT = re.compile(r"\{\{(-(?=[ \t\r\n]))?")
_COMMENT = re.compile(r"[ \t\r\n]?/\*(?s:.*?)\*/")
_COMMENT_CLOSE = re.compile(r"([ \t\r\n]-)?\}\}")
_ACTION = re.compile(
    r"""(?P<right>[ \t\r\n]-\}\}|\}\})
      | (?P<space>(?:[ \t\r\n](?!-\}\}))+)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<raw>`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)*')
      | (?P<variable>\$\w*)
      | (?P<field>\.[^\W\d]\w*)
      | (?P<number>[+-]?(?:\.?[0-9])\w*(?:(?<=[eE])[+-]\w+|(?<=[pP])[+-]\w+)?(?:\.\w*(?:(?<=[eEpP])[+-]\w+)?)?)
      | (?P<dot>\.)
      | (?P<word>[^\W\d]\w*)
      | (?P<declare>:=)
      | (?P<mark>[=|,()])""",
    re.VERBOSE,
)
_TERMINATORS = frozenset(" \t\r\n.,|:)(}")


class TemplateSyntaxError(Exception):
    """What is wrong with a template, and where; the set turns it into a `TemplateError`."""

    def __init__(self, message: str, source: Source, position: int) -> None:
        """Take a sentence and the offset it is about."""
        super().__init__(message)
        self.message = message
        self.source = source
        self.position = position


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source: ``kind`` is text, left, right, end or the name of a group of the action's grammar."""

    kind: str
    text: str
    pos: int


def tokens(source: Source) -> Iterator[Token]:
    """Split a template.

    Raises:
        TemplateSyntaxError: an action is not closed, or holds a character that has no meaning there.
    """
    text, position, trim = source.text, 0, False
    while True:
        match = _LEFT.search(text, position)
        end = match.start() if match else len(text)
        plain, start = text[position:end], position
        if trim:
            start += len(plain) - len(plain.lstrip(BLANKS))
            plain = plain.lstrip(BLANKS)
        if match and match[1]:
            plain = plain.rstrip(BLANKS)
        if plain:
            yield Token("text", plain, start)
        if match is None:
            yield Token("end", "", len(text))
            return
        comment = _COMMENT.match(text, match.end())
        # A comment stands right behind the delimiter, or behind "{{- ".
        if comment and (match[1] or text.startswith("/*", match.end())):
            position, trim = _close_comment(source, comment, match.start())
        else:
            position = yield from _action(source, match)
            trim = text[position - 3 : position] == "-}}" and text[position - 4] in BLANKS


def _close_comment(source: Source, comment: re.Match[str], start: int) -> tuple[int, bool]:
    close = _COMMENT_CLOSE.match(source.text, comment.end())
    if close is None:
        raise TemplateSyntaxError("a comment must be an action of its own: {{/* … */}}", source, start)
    return close.end(), bool(close[1])


def _action(source: Source, left: re.Match[str]) -> Generator[Token, None, int]:
    """Yield the tokens between the delimiters and return the position behind them."""
    text, position, depth = source.text, left.end(), 0
    yield Token("left", left[0], left.start())
    while True:
        match = _ACTION.match(text, position)
        if match is None:
            raise _strange(source, position, left.start())
        kind = match.lastgroup or ""
        if kind in {"word", "field", "variable"} and match.end() < len(text) and text[match.end()] not in _TERMINATORS:
            raise TemplateSyntaxError(f"bad character {text[match.end()]!r}", source, match.end())
        if kind == "word" and match[0] in KEYWORDS:
            kind = "keyword"
        depth += (match[0] == "(") - (match[0] == ")")
        if depth < 0:
            raise TemplateSyntaxError('unexpected ")"', source, position)
        if kind == "right" and depth:
            raise TemplateSyntaxError('"(" without its ")"', source, left.start())
        yield Token(kind, match[0], position)
        position = match.end()
        if kind == "right":
            return position


def _strange(source: Source, position: int, start: int) -> TemplateSyntaxError:
    rest = source.text[position : position + 1]
    if not rest:
        return TemplateSyntaxError('"{{" without its "}}"', source, start)
    if rest in {'"', "'"}:
        return TemplateSyntaxError(f"a quoted text is not closed: {rest}", source, position)
    if rest == "`":
        return TemplateSyntaxError("a raw text is not closed: `", source, position)
    if source.text.startswith("/*", position):
        return TemplateSyntaxError("a comment must be an action of its own: {{/* … */}}", source, position)
    return TemplateSyntaxError(f"unexpected {rest!r} in an action", source, position)
