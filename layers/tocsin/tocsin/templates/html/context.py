"""Where in an HTML page a text ends: within a tag, a URL, a script.

Source: https://pkg.go.dev/html/template#hdr-Contexts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

# States
TEXT: Final = "text"
TAG: Final = "tag"
ATTR_NAME: Final = "attribute name"
AFTER_NAME: Final = "after an attribute's name"
BEFORE_VALUE: Final = "before an attribute's value"
HTML_COMMENT: Final = "HTML comment"
RCDATA: Final = "title or textarea"
ATTR: Final = "attribute value"
URL: Final = "URL"
SRCSET: Final = "srcset"
JS: Final = "script"
JS_DOUBLE: Final = 'script "text"'
JS_SINGLE: Final = "script 'text'"
JS_TEMPLATE: Final = "script `template`"
JS_REGEXP: Final = "script /regexp/"
JS_BLOCK_COMMENT: Final = "script block comment"
JS_LINE_COMMENT: Final = "script line comment"
JS_OPEN_COMMENT: Final = "script comment <!--"
JS_CLOSE_COMMENT: Final = "script comment -->"
CSS: Final = "style"
CSS_DOUBLE: Final = 'style "text"'
CSS_SINGLE: Final = "style 'text'"
CSS_DOUBLE_URL: Final = 'style url("")'
CSS_SINGLE_URL: Final = "style url('')"
CSS_URL: Final = "style url()"
CSS_BLOCK_COMMENT: Final = "style block comment"
CSS_LINE_COMMENT: Final = "style line comment"
DEAD: Final = "unreachable"  # behind break and continue

COMMENTS = frozenset(
    {
        HTML_COMMENT,
        JS_BLOCK_COMMENT,
        JS_LINE_COMMENT,
        JS_OPEN_COMMENT,
        JS_CLOSE_COMMENT,
        CSS_BLOCK_COMMENT,
        CSS_LINE_COMMENT,
    }
)
SCRIPT_LITERALS = frozenset({JS_DOUBLE, JS_SINGLE, JS_TEMPLATE, JS_REGEXP})

# Delimiters of an attribute's value
NO_DELIMITER: Final = ""
DOUBLE_QUOTE: Final = '"'
SINGLE_QUOTE: Final = "'"
SPACE: Final = " "  # unquoted: up to white space or the tag's end

# Parts of a URL
URL_START: Final = "start"
URL_PATH: Final = "before the query"
URL_QUERY: Final = "query"
URL_UNKNOWN: Final = "unknown part"

# What a slash begins in a script
SLASH_REGEXP: Final = "regexp"
SLASH_DIVISION: Final = "division"
SLASH_UNKNOWN: Final = "unknown"

# The state an attribute's value begins in, by the kind of the attribute.
START_STATES = {"": ATTR, "script": JS, "script type": ATTR, "style": CSS, "url": URL, "srcset": SRCSET}


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that decides how the next value must be escaped."""

    state: str = TEXT
    delimiter: str = NO_DELIMITER
    url_part: str = URL_START
    slash: str = SLASH_REGEXP
    braces: tuple[int, ...] = ()  # open braces of each ${…} we are within
    attribute: str = ""  # kind of the attribute
    element: str = ""  # script, style, textarea, title

    def __str__(self) -> str:
        """Say it for a message."""
        return self.state if self.url_part == URL_START else f"{self.state}, {self.url_part}"


def nudge(context: Context) -> Context:
    """Take the steps that need no character: behind ``href=`` a value begins without quotes."""
    if context.state == TAG:
        return replace(context, state=ATTR_NAME)
    if context.state == BEFORE_VALUE:
        return replace(context, state=START_STATES[context.attribute], delimiter=SPACE, attribute="")
    if context.state == AFTER_NAME:
        return replace(context, state=ATTR_NAME, attribute="")
    return context


def join(one: Context, other: Context) -> Context | None:
    """Return what holds behind two branches, or None where they end in places that must not be mixed."""
    if one.state == DEAD or one == other:
        return other
    if other.state == DEAD:
        return one
    if replace(one, url_part=other.url_part) == other:
        return replace(one, url_part=URL_UNKNOWN)
    if replace(one, slash=other.slash) == other:
        return replace(one, slash=SLASH_UNKNOWN)
    nudged = nudge(one), nudge(other)
    return None if nudged == (one, other) else join(*nudged)
