"""How text moves from one context to the next: tags, attributes, URLs, comments.

Every transition takes a context and text and returns the context reached and how many characters led there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.templates.html import context as at
from tocsin.templates.html.attributes import attribute_kind
from tocsin.templates.html.context import Context
from tocsin.templates.html.scripts import SCRIPT_TRANSITIONS, ContextError

Transition = Callable[[Context, str], tuple[Context, int]]

_SPACES = " \t\n\f\r"
_TAG_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|[:-](?=[A-Za-z0-9]))*")
_ATTRIBUTE_NAME = re.compile(r"[^ \t\n\f\r=>'\"<]*")
_TEXT_STEP = re.compile(r"<(?:(?P<comment>!--)|(?P<end>/?)(?P<name>[A-Za-z](?:[A-Za-z0-9]|[:-](?=[A-Za-z0-9]))*))")
_CONTENTS = {"script": at.JS, "style": at.CSS, "textarea": at.RCDATA, "title": at.RCDATA}
_DELIMITER_ENDS = {
    at.DOUBLE_QUOTE: re.compile('"'),
    at.SINGLE_QUOTE: re.compile("'"),
    at.SPACE: re.compile("[ \t\n\f\r>]"),
}
_UNQUOTED_TROUBLE = re.compile("[\"'<=`]")
# https://html.spec.whatwg.org/multipage/scripting.html#attr-script-type
_SCRIPT_TYPES = frozenset(
    [
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/x-ecmascript",
        "application/x-javascript",
        "module",
        "text/ecmascript",
        "text/javascript",
        "text/javascript1.0",
        "text/javascript1.1",
        "text/javascript1.2",
        "text/javascript1.3",
        "text/javascript1.4",
        "text/javascript1.5",
        "text/jscript",
        "text/livescript",
        "text/x-ecmascript",
        "text/x-javascript",
    ]
)


def advance(context: Context, text: str) -> tuple[Context, int]:
    """Move over the beginning of ``text``; call again with what is left.

    Raises:
        ContextError: the text is no HTML that could be escaped safely.
    """
    if context.delimiter == at.NO_DELIMITER:
        end = special_end(context, text)
        if end == 0:
            return Context(), 0
        return TRANSITIONS[context.state](context, text[:end])
    return _attribute_value(context, text)


def special_end(context: Context, text: str) -> int:
    """Return where ``</script`` and the like end the element we are in, or the length of the text."""
    if not context.element:
        return len(text)
    if context.element == "script" and (context.state in at.SCRIPT_LITERALS or context.state in at.COMMENTS):
        return len(text)
    match = re.compile(rf"</{context.element}(?=[> \t\n\f/])", re.IGNORECASE).search(text)
    return match.start() if match else len(text)


def _attribute_value(context: Context, text: str) -> tuple[Context, int]:
    match = _DELIMITER_ENDS[context.delimiter].search(text)
    value = text[: match.start()] if match else text
    if context.delimiter == at.SPACE and _UNQUOTED_TROUBLE.search(value):
        raise ContextError(f"a quote, < or = stands in an attribute without quotes: {value[:32]!r}")
    if match is None:
        rest = html.unescape(value)
        while rest:
            context, count = TRANSITIONS[context.state](context, rest)
            rest = rest[count:]
        return context, len(text)
    element = context.element
    if (
        context.attribute == "script type"
        and context.state == at.ATTR
        and element == "script"
        and not _is_script(value)
    ):
        element = ""
    end = match.start() + (context.delimiter != at.SPACE)
    return Context(state=at.TAG, element=element), end


def _is_script(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() in _SCRIPT_TYPES


def _text(context: Context, text: str) -> tuple[Context, int]:
    match = _TEXT_STEP.search(text)
    if match is None:
        return context, len(text)
    if match["comment"]:
        return Context(state=at.HTML_COMMENT), match.end()
    name = match["name"].lower()
    return Context(state=at.TAG, element=name if name in _CONTENTS and not match["end"] else ""), match.end()


def _tag(context: Context, text: str) -> tuple[Context, int]:
    start = len(text) - len(text.lstrip(_SPACES))
    if start == len(text):
        return context, start
    if text[start] == ">":
        return Context(state=_CONTENTS.get(context.element, at.TEXT), element=context.element), start + 1
    end = _attribute_name(text, start)
    if end == start:
        raise ContextError(f"expected space, attr name, or end of tag, but got {text[start : start + 32]!r}")
    name = text[start:end].lower()
    kind = "script type" if context.element == "script" and name == "type" else attribute_kind(name)
    state = at.ATTR_NAME if end == len(text) else at.AFTER_NAME
    known = kind if kind in at.START_STATES else ""
    return Context(state=state, element=context.element, attribute=known), end


def _attribute_name(text: str, start: int) -> int:
    match = _ATTRIBUTE_NAME.match(text, start)
    end = match.end() if match else start
    if text[end : end + 1] in {"'", '"', "<"}:
        raise ContextError(f"{text[end]!r} in attribute name: {text[start : start + 32]!r}")
    return end


def _name(context: Context, text: str) -> tuple[Context, int]:
    end = _attribute_name(text, 0)
    return (context if end == len(text) else replace(context, state=at.AFTER_NAME)), end


def _after_name(context: Context, text: str) -> tuple[Context, int]:
    start = len(text) - len(text.lstrip(_SPACES))
    if start == len(text):
        return context, start
    if text[start] != "=":
        return replace(context, state=at.TAG), start
    return replace(context, state=at.BEFORE_VALUE), start + 1


def _before_value(context: Context, text: str) -> tuple[Context, int]:
    start = len(text) - len(text.lstrip(_SPACES))
    if start == len(text):
        return context, start
    delimiter = text[start] if text[start] in {at.DOUBLE_QUOTE, at.SINGLE_QUOTE} else at.SPACE
    return replace(context, state=at.START_STATES[context.attribute], delimiter=delimiter), start + (
        delimiter != at.SPACE
    )


def _html_comment(context: Context, text: str) -> tuple[Context, int]:
    end = text.find("-->")
    return (context, len(text)) if end < 0 else (Context(), end + 3)


def _rest(context: Context, text: str) -> tuple[Context, int]:
    return context, len(text)


def _rcdata(context: Context, text: str) -> tuple[Context, int]:
    end = special_end(context, text)
    return (context, len(text)) if end == len(text) else (Context(), end)


def in_url(context: Context, text: str) -> tuple[Context, int]:
    """Notice that a URL has begun, or that its query has."""
    if "#" in text or "?" in text:
        context = replace(context, url_part=at.URL_QUERY)
    elif text.strip(_SPACES) and context.url_part == at.URL_START:
        context = replace(context, url_part=at.URL_PATH)
    return context, len(text)


TRANSITIONS: Mapping[str, Transition] = {
    at.TEXT: _text,
    at.TAG: _tag,
    at.ATTR_NAME: _name,
    at.AFTER_NAME: _after_name,
    at.BEFORE_VALUE: _before_value,
    at.HTML_COMMENT: _html_comment,
    at.RCDATA: _rcdata,
    at.ATTR: _rest,
    at.URL: in_url,
    at.SRCSET: in_url,
    **SCRIPT_TRANSITIONS,
}


def strip_tags(fragment: str) -> str:
    """Return the text of an HTML fragment: what is left of ``safeHtml`` within an attribute."""
    context, position, parts, only_text = Context(), 0, [], True
    while position < len(fragment):
        rest = fragment[position:]
        if context.delimiter == at.NO_DELIMITER:
            raw = context.element and context.state not in {
                at.TAG,
                at.ATTR_NAME,
                at.AFTER_NAME,
                at.BEFORE_VALUE,
                at.ATTR,
            }
            state = at.RCDATA if raw else context.state
            reached, count = TRANSITIONS[state](context, rest)
            if context.state in {at.TEXT, at.RCDATA}:
                end = rest.rfind("<", 0, count) if reached.state != context.state else count
                parts.append(rest[: end if end >= 0 else count])
            else:
                only_text = False
            context, position = reached, position + count
            continue
        match = _DELIMITER_ENDS[context.delimiter].search(rest)
        if match is None:
            break
        position += match.start() + (context.delimiter != at.SPACE)
        context = Context(state=at.TAG, element=context.element)
    return fragment if only_text else "".join(parts)
