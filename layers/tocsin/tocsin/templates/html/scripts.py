"""Contexts within scripts and styles: strings, comments, regexps, ``url(…)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.templates.html import context as at
from tocsin.templates.html.context import Context


class ContextError(Exception):
    """A page whose parts cannot be told apart; the message says why."""


_JS_MARK = re.compile(r"[\"`'/{}<\-#]")
_JS_STRINGS = {'"': at.JS_DOUBLE, "'": at.JS_SINGLE, "`": at.JS_TEMPLATE}
_JS_BLANKS = "\t\n\f\r \u2028\u2029"
# Reserved words behind which a slash begins a regexp: https://tc39.es/ecma262/#sec-keywords-and-reserved-words
_BEFORE_REGEXP = frozenset(
    [
        "break",
        "case",
        "continue",
        "delete",
        "do",
        "else",
        "finally",
        "in",
        "instanceof",
        "return",
        "throw",
        "try",
        "typeof",
        "void",
    ]
)
_WORD = re.compile(r"[$A-Za-z0-9_]+\Z")
_ENDS = {
    at.JS_DOUBLE: re.compile(r'[\\"]'),
    at.JS_SINGLE: re.compile(r"[\\']"),
    at.JS_REGEXP: re.compile(r"[\\/\[\]]"),
    at.CSS_DOUBLE: re.compile(r'[\\"]'),
    at.CSS_DOUBLE_URL: re.compile(r'[\\"]'),
    at.CSS_SINGLE: re.compile(r"[\\']"),
    at.CSS_SINGLE_URL: re.compile(r"[\\']"),
    at.CSS_URL: re.compile(r"[\\\t\n\f\r )]"),
}
_TEMPLATE_MARK = re.compile(r"\\|`|\$\{")
_JS_LINE_END = re.compile("[\n\r\u2028\u2029]")
_CSS_LINE_END = re.compile("[\n\f\r]")
_CSS_MARK = re.compile(r"[(\"'/]")
_CSS_URL = re.compile(r"(?:\A|[^-\w])url[\t\n\f\r ]*\Z", re.IGNORECASE)
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\f\r])?|(.))", re.DOTALL)
_LAST_RUNE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def slash_behind(text: str, before: str) -> str:
    """Say what a slash behind ``text`` begins; ``before`` is what it would have begun in front of it."""
    text = text.rstrip(_JS_BLANKS)
    if not text:
        return before
    last = text[-1]
    if last in "+-":
        # ++ and -- end an operand, + and - do not.
        run = len(text) - len(text.rstrip(last))
        return at.SLASH_REGEXP if run % 2 else at.SLASH_DIVISION
    if last == ".":
        return at.SLASH_DIVISION if text[-2:-1].isdigit() else at.SLASH_REGEXP
    if last in ",<>=*%&|^?!~([:;{}":
        return at.SLASH_REGEXP
    word = _WORD.search(text)
    return at.SLASH_REGEXP if word and word[0] in _BEFORE_REGEXP else at.SLASH_DIVISION


def _js(context: Context, text: str) -> tuple[Context, int]:
    match = _JS_MARK.search(text)
    if match is None:
        return replace(context, slash=slash_behind(text, context.slash)), len(text)
    start, mark = match.start(), match[0]
    context = replace(context, slash=slash_behind(text[:start], context.slash))
    if mark in _JS_STRINGS:
        return replace(context, state=_JS_STRINGS[mark], slash=at.SLASH_REGEXP), start + 1
    if mark == "/":
        return _slash(context, text, start)
    if mark in "{}":
        return _brace(context, mark), start + 1
    for opening, state in (("<!--", at.JS_OPEN_COMMENT), ("-->", at.JS_CLOSE_COMMENT), ("#!", at.JS_LINE_COMMENT)):
        if text.startswith(opening, start):
            return replace(context, state=state), start + len(opening)
    # < - and # alone leave open what a slash means, as in Go: "x--/2" is a division.
    return context, start + 1


def _slash(context: Context, text: str, start: int) -> tuple[Context, int]:
    following = text[start + 1 : start + 2]
    if following == "/":
        return replace(context, state=at.JS_LINE_COMMENT), start + 2
    if following == "*":
        return replace(context, state=at.JS_BLOCK_COMMENT), start + 2
    if context.slash == at.SLASH_REGEXP:
        return replace(context, state=at.JS_REGEXP), start + 1
    if context.slash == at.SLASH_DIVISION:
        return replace(context, slash=at.SLASH_REGEXP), start + 1
    raise ContextError(f"'/' could start a division or regexp: {text[start : start + 32]!r}")


def _brace(context: Context, mark: str) -> Context:
    """Count braces within ``${…}``, so that its end is found."""
    context = replace(context, slash=at.SLASH_REGEXP)
    if not context.braces:
        return context
    *outer, depth = context.braces
    if mark == "{":
        return replace(context, braces=(*outer, depth + 1))
    if depth == 0:
        return replace(context, state=at.JS_TEMPLATE, braces=tuple(outer))
    return replace(context, braces=(*outer, depth - 1))


def _js_delimited(context: Context, text: str) -> tuple[Context, int]:
    position, charset = 0, False
    while match := _ENDS[context.state].search(text, position):
        position = match.end()
        if match[0] == "\\":
            if position == len(text):
                raise ContextError(f"unfinished escape sequence in JS string: {text[-32:]!r}")
            position += 1
        elif match[0] in "[]":
            charset = match[0] == "["
        elif not charset:
            return replace(context, state=at.JS, slash=at.SLASH_DIVISION), position
    if charset:
        raise ContextError(f"unfinished JS regexp charset: {text[-32:]!r}")
    return context, len(text)


def _js_template(context: Context, text: str) -> tuple[Context, int]:
    position = 0
    while match := _TEMPLATE_MARK.search(text, position):
        position = match.end()
        if match[0] == "\\":
            if position == len(text):
                raise ContextError(f"unfinished escape sequence in JS template literal: {text[-32:]!r}")
            position += 1
        elif match[0] == "`":
            return replace(context, state=at.JS, slash=at.SLASH_DIVISION), position
        else:
            return replace(context, state=at.JS, slash=at.SLASH_REGEXP, braces=(*context.braces, 0)), position
    return context, len(text)


def _block_comment(context: Context, text: str) -> tuple[Context, int]:
    end = text.find("*/")
    if end < 0:
        return context, len(text)
    return replace(context, state=at.JS if context.state == at.JS_BLOCK_COMMENT else at.CSS), end + 2


def _line_comment(context: Context, text: str) -> tuple[Context, int]:
    style = context.state == at.CSS_LINE_COMMENT
    match = (_CSS_LINE_END if style else _JS_LINE_END).search(text)
    if match is None:
        return context, len(text)
    return replace(context, state=at.CSS if style else at.JS), match.start()


def _css(context: Context, text: str) -> tuple[Context, int]:
    position = 0
    while match := _CSS_MARK.search(text, position):
        start, mark = match.start(), match[0]
        if mark in {'"', "'"}:
            return replace(context, state=at.CSS_DOUBLE if mark == '"' else at.CSS_SINGLE), start + 1
        if mark == "/" and text[start + 1 : start + 2] in {"/", "*"}:
            line = text[start + 1] == "/"
            return replace(context, state=at.CSS_LINE_COMMENT if line else at.CSS_BLOCK_COMMENT), start + 2
        if mark == "(" and _CSS_URL.search(text[:start]):
            return _css_url(context, text, start + 1)
        position = start + 1
    return context, len(text)


def _css_url(context: Context, text: str, start: int) -> tuple[Context, int]:
    start = len(text) - len(text[start:].lstrip("\t\n\f\r "))
    quote = text[start : start + 1]
    if quote == '"':
        return replace(context, state=at.CSS_DOUBLE_URL), start + 1
    if quote == "'":
        return replace(context, state=at.CSS_SINGLE_URL), start + 1
    return replace(context, state=at.CSS_URL), start


def decode_css(text: str) -> str:
    """Undo CSS escapes."""

    def character(match: re.Match[str]) -> str:
        if match[2]:
            return match[2]
        code = int(match[1], 16)
        return chr(code) if code <= _LAST_RUNE and code not in _SURROGATES else "\ufffd"

    return _CSS_ESCAPE.sub(character, text)


def _css_text(context: Context, text: str) -> tuple[Context, int]:
    position = 0
    while match := _ENDS[context.state].search(text, position):
        if match[0] != "\\":
            return replace(context, state=at.CSS), match.end()
        if match.end() == len(text):
            raise ContextError(f"unfinished escape sequence in CSS string: {text[-32:]!r}")
        position = match.end() + 1
        context = _url_part(context, decode_css(text[:position]))
    return _url_part(context, decode_css(text[position:])), len(text)


def _url_part(context: Context, text: str) -> Context:
    """Strings of a style are taken for URLs: notice where one has begun, or its query has."""
    if "#" in text or "?" in text:
        return replace(context, url_part=at.URL_QUERY)
    if text.strip(" \t\n\f\r") and context.url_part == at.URL_START:
        return replace(context, url_part=at.URL_PATH)
    return context


SCRIPT_TRANSITIONS: Mapping[str, Callable[[Context, str], tuple[Context, int]]] = {
    at.JS: _js,
    at.JS_DOUBLE: _js_delimited,
    at.JS_SINGLE: _js_delimited,
    at.JS_REGEXP: _js_delimited,
    at.JS_TEMPLATE: _js_template,
    at.JS_BLOCK_COMMENT: _block_comment,
    at.JS_LINE_COMMENT: _line_comment,
    at.JS_OPEN_COMMENT: _line_comment,
    at.JS_CLOSE_COMMENT: _line_comment,
    at.CSS: _css,
    at.CSS_DOUBLE: _css_text,
    at.CSS_SINGLE: _css_text,
    at.CSS_DOUBLE_URL: _css_text,
    at.CSS_SINGLE_URL: _css_text,
    at.CSS_URL: _css_text,
    at.CSS_BLOCK_COMMENT: _block_comment,
    at.CSS_LINE_COMMENT: _line_comment,
}
