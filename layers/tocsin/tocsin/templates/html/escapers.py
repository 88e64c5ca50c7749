"""What is done to a value in each context.

Source: the tables of https://pkg.go.dev/html/template; their effect was compared with ``amtool template render``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tocsin.templates import gofmt, gojson
from tocsin.templates.builtins import html as html_function
from tocsin.templates.builtins import joined, query
from tocsin.templates.html.attributes import PLAIN, attribute_kind
from tocsin.templates.html.scripts import decode_css
from tocsin.templates.html.transitions import strip_tags
from tocsin.templates.timevalues import Time
from tocsin.templates.values import Failure, Html, SafeString, Url, Value, as_bytes, stringer

FAILSAFE = "ZgotmplZ"  # Go's word for a value that was unsafe: people search for it

_HTML = {0: "\ufffd", **{ord(char): f"&#{ord(char)};" for char in "\"'+"}, ord("<"): "&lt;", ord(">"): "&gt;"}
_HTML_AND = {**_HTML, ord("&"): "&amp;"}
_UNQUOTED = {**_HTML, 0: "&#xfffd;", **{ord(char): f"&#{ord(char)};" for char in "\t\n\v\f\r =`"}}
_UNQUOTED_AND = {**_UNQUOTED, ord("&"): "&amp;"}
_UNQUOTED_BAD = re.compile("[\ufdd0-\ufdef\ufff0-\uffff]")  # not allowed there by old browsers

_JS_COMMON = {
    0: "\\u0000", 9: "\\t", 10: "\\n", 11: "\\u000b", 12: "\\f", 13: "\\r", ord("/"): "\\/", 0x2028: "\\u2028",
    0x2029: "\\u2029", **{ord(char): f"\\u{ord(char):04x}" for char in "\"&'+<>"},
}  # fmt: skip
_JS_STRING = {**_JS_COMMON, ord("\\"): "\\\\", ord("`"): "\\u0060"}
_JS_TEMPLATE = {**_JS_STRING, **{ord(char): f"\\u{ord(char):04x}" for char in "${}"}}
_JS_REGEXP = {**_JS_COMMON, **{ord(char): "\\" + char for char in "$()*-.?[\\]^{|}"}}
_IDENTIFIER = re.compile(r"[$A-Za-z0-9_]")

_URL_KEPT = frozenset(b"-._~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_URL_RESERVED = frozenset(b"!#$&*+,/:;=?@[]")
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")
_SAFE_SCHEMES = frozenset({"http", "https", "mailto"})
_SOURCE = re.compile(r"([ \t\n\f\r]*)([^ \t\n\f\r]*)(.*)", re.DOTALL)
_SOURCE_SIZE = re.compile(r"[ \t\n\f\rA-Za-z0-9]*")

_CSS = {
    0: "\\0", 9: "\\9", 10: "\\a", 12: "\\c", 13: "\\d", ord("\\"): "\\\\",
    **{ord(char): f"\\{ord(char):x}" for char in "\"&'()+/:;<>{}"},
}  # fmt: skip
_CSS_DANGEROUS = re.compile(r"[\0\"'()/;@\[\\\]`{}<>]|--")
_CSS_SCRIPT = ("expression", "mozbinding")


def content(value: Value) -> tuple[str, str]:
    """Return a value as text and what it says it is: ``html``, ``url`` or nothing. Nil is empty here."""
    if isinstance(value, SafeString):
        return str(value), value.content
    if type(value) is str:
        return value, ""
    return ("" if value is None else gofmt.sprint([value])), ""


def _html(value: Value) -> str:
    text, kind = content(value)
    return text if kind == Html.content else text.translate(_HTML_AND)


def _rcdata(value: Value) -> str:
    text, kind = content(value)
    return text.translate(_HTML if kind == Html.content else _HTML_AND)


def _attribute(value: Value) -> str:
    text, kind = content(value)
    return strip_tags(text).translate(_HTML) if kind == Html.content else text.translate(_HTML_AND)


def _unquoted(value: Value) -> str:
    text, kind = content(value)
    text = strip_tags(text).translate(_UNQUOTED) if kind == Html.content else text.translate(_UNQUOTED_AND)
    # Nothing at all would make the next attribute the value of this one.
    return _UNQUOTED_BAD.sub(lambda match: f"&#x{ord(match[0]):x};", text) or FAILSAFE


def _name(value: Value) -> str:
    text, _ = content(value)
    text = text.lower()
    harmless = text.isascii() and text.isalnum() and attribute_kind(text) == PLAIN
    return text if harmless else FAILSAFE


def _is_safe_url(text: str) -> bool:
    scheme, colon, _ = text.partition(":")
    return not colon or "/" in scheme or scheme.lower() in _SAFE_SCHEMES


def _url_filter(value: Value) -> str:
    text, kind = content(value)
    return text if kind == Url.content or _is_safe_url(text) else "#" + FAILSAFE


def _percent_encode(text: str, *, normalize: bool) -> str:
    raw = as_bytes(text)
    kept = _URL_KEPT | _URL_RESERVED if normalize else _URL_KEPT
    parts = []
    for position, byte in enumerate(raw):
        whole = byte in kept or (normalize and byte == ord("%") and _PERCENT.match(raw, position))
        parts.append(chr(byte) if whole else f"%{byte:02x}")
    return "".join(parts)


def _url_escape(value: Value) -> str:
    text, kind = content(value)
    return _percent_encode(text, normalize=kind == Url.content)


def _url_normalize(value: Value) -> str:
    return _percent_encode(content(value)[0], normalize=True)


def _srcset(value: Value) -> str:
    text, kind = content(value)
    if kind == Url.content:
        return _percent_encode(text, normalize=True).replace(",", "%2c")
    return ",".join(_source(part) for part in text.split(","))


def _source(part: str) -> str:
    match = _SOURCE.fullmatch(part)
    if match is None or not _is_safe_url(match[2]) or not _SOURCE_SIZE.fullmatch(match[3]):
        return "#" + FAILSAFE
    return match[1] + _percent_encode(match[2], normalize=True) + match[3]


def _js_value(value: Value) -> str:
    if not isinstance(value, Time):
        said = stringer(value)
        value = str(value) if isinstance(value, SafeString) else value if said is None else said
    try:
        written = gojson.dumps(value)
    except Failure as failure:
        return f" /* {str(failure).replace('*/', '* /')} */null "
    pad = " " if _IDENTIFIER.match(written[0]) or _IDENTIFIER.match(written[-1]) else ""
    return f"{pad}{written}{pad}"


def _js_string(value: Value) -> str:
    return content(value)[0].translate(_JS_STRING)


def _js_template(value: Value) -> str:
    return content(value)[0].translate(_JS_TEMPLATE)


def _js_regexp(value: Value) -> str:
    return content(value)[0].translate(_JS_REGEXP) or "(?:)"


def _css_string(value: Value) -> str:
    text, _ = content(value)
    parts = []
    for position, char in enumerate(text):
        escaped = _CSS.get(ord(char))
        parts.append(char if escaped is None else escaped)
        following = text[position + 1 : position + 2]
        if escaped not in {None, "\\\\"} and (not following or following in "0123456789abcdefABCDEF\t\n\f\r "):
            parts.append(" ")
    return "".join(parts)


def _css_value(value: Value) -> str:
    text = decode_css(content(value)[0])
    identifier = re.sub(r"[^_a-z0-9]", "", text.lower())
    if _CSS_DANGEROUS.search(text) or any(word in identifier for word in _CSS_SCRIPT):
        return FAILSAFE
    return text


def _comment(_: Value) -> str:
    return ""


ESCAPERS: Mapping[str, Callable[[Value], str]] = {
    "attribute": _attribute,
    "comment": _comment,
    "css string": _css_string,
    "css value": _css_value,
    "html text": _html,
    "js regexp": _js_regexp,
    "js string": _js_string,
    "js template": _js_template,
    "js value": _js_value,
    "name": _name,
    "rcdata": _rcdata,
    "srcset": _srcset,
    "unquoted": _unquoted,
    "url escape": _url_escape,
    "url filter": _url_filter,
    "url normalize": _url_normalize,
    # The functions of the same name, where a template's author wrote them at the end of a pipeline.
    "html": lambda value: html_function(joined((value,))),
    "urlquery": lambda value: query(joined((value,))),
}
