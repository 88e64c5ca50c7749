"""What the value of an attribute means: plain text, a URL, a script, a style, or something not to be filled in.

Source: the attributes of https://html.spec.whatwg.org/multipage/indices.html#attributes-3; which of them
html/template takes for what was seen in its behaviour.
"""

from __future__ import annotations

PLAIN = ""
UNSAFE = "unsafe"

_URLS = frozenset(
    [
        "action",
        "archive",
        "background",
        "cite",
        "classid",
        "codebase",
        "data",
        "formaction",
        "href",
        "icon",
        "longdesc",
        "manifest",
        "poster",
        "profile",
        "src",
        "usemap",
        "xmlns",
    ]
)
_UNSAFE = frozenset(
    [
        "accept-charset",
        "async",
        "challenge",
        "charset",
        "content",
        "crossorigin",
        "defer",
        "enctype",
        "form",
        "formenctype",
        "formmethod",
        "formnovalidate",
        "http-equiv",
        "keytype",
        "language",
        "method",
        "novalidate",
        "pattern",
        "rel",
        "sandbox",
        "type",
        "value",
    ]
)
_KNOWN_PLAIN = frozenset({"srclang", "open", "optimum"})  # they would be taken for URLs or handlers otherwise


def attribute_kind(name: str) -> str:
    """Return ``url``, ``style``, ``script``, ``srcset``, ``html``, ``unsafe`` or, for plain text, an empty string."""
    name = name.lower()
    if name.startswith("data-"):
        name = name.removeprefix("data-")
    elif ":" in name:
        prefix, _, name = name.partition(":")
        if prefix == "xmlns":
            return "url"
    if name in _URLS:
        return "url"
    if name in _UNSAFE:
        return UNSAFE
    special = {"style": "style", "srcset": "srcset", "srcdoc": "html"}
    if name in special or name in _KNOWN_PLAIN:
        return special.get(name, PLAIN)
    if name.startswith("on"):
        return "script"
    return "url" if any(part in name for part in ("src", "uri", "url")) else PLAIN
