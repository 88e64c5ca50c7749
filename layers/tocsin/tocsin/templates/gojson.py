"""``toJson``: Go's ``encoding/json`` over the values of a template.

Source: https://pkg.go.dev/encoding/json#Marshal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from tocsin.templates.gonumbers import shortest
from tocsin.templates.gotime import rfc3339nano
from tocsin.templates.timevalues import Time, Zone
from tocsin.templates.values import Failure, Struct, Value, kind

_HTML_SAFE = {
    "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029", "\x7f": "\x7f",
}  # fmt: skip
_LARGE = 1e21  # from here on, and below 1e-6, floats have an exponent (ES6)
_SMALL = 1e-6
_LIMIT = 8 << 20
# Go's names where they are not the field's with a small first letter (template.Data's json tags).
_NAMES = {
    "ExternalURL": "externalURL",
    "GeneratorURL": "generatorURL",
    "NotificationReason": "notification_reason",
}
_PLAIN_NAMES = frozenset({"template.Pair"})  # a struct without tags


def dumps(value: Value) -> str:
    """Write a value as JSON, without blanks, keys of maps sorted, HTML's characters escaped.

    Raises:
        Failure: the value has no JSON form, or is too large.
    """
    parts: list[str] = []
    size = 0
    for part in _encode(value):
        parts.append(part)
        size += len(part)
        if size > _LIMIT:
            raise Failure(f"the JSON grows beyond {_LIMIT} characters")
    return "".join(parts)


def string(text: str) -> str:
    """Write a JSON string as Go does."""
    text = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(_HTML_SAFE.get(char, char) for char in quoted)


def _encode(value: Value) -> Iterator[str]:
    shape = kind(value)
    if shape == "invalid":
        yield "null"
    elif shape == "bool":
        yield "true" if value else "false"
    elif shape in {"int", "uint"}:
        yield str(int(value))
    elif shape == "float":
        yield _float(value)
    elif shape == "string":
        yield string(value)
    elif isinstance(value, Time):
        yield string(rfc3339nano(value.instant, value.location))
    elif isinstance(value, Zone):
        yield "{}"
    elif shape in {"map", "struct"}:
        yield from _object(value)
    elif shape == "slice":
        yield "["
        for number, part in enumerate(value):
            if number:
                yield ","
            yield from _encode(part)
        yield "]"
    else:
        raise Failure("json: unsupported type")


def _object(value: Value) -> Iterator[str]:
    fields = _fields(value) if isinstance(value, Struct) else sorted(value.items())
    yield "{"
    for number, (name, part) in enumerate(fields):
        yield f"{',' if number else ''}{string(name)}:"
        yield from _encode(part)
    yield "}"


def _fields(value: Struct) -> list[tuple[str, Value]]:
    return [(_field_name(value, name), getattr(value, attribute)) for name, attribute in value.go_fields.items()]


def _field_name(value: Struct, name: str) -> str:
    return name if value.go_type in _PLAIN_NAMES else _NAMES.get(name, name[0].lower() + name[1:])


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise Failure(f"json: unsupported value: {shortest(value)}")
    if value and not _SMALL <= abs(value) < _LARGE:
        mantissa, _, exponent = shortest(value).partition("e")
        return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"
    written = repr(value)
    if "e" in written:
        written = f"{value:f}" if abs(value) >= 1 else f"{value:.30f}".rstrip("0")
    return written.removesuffix(".0").rstrip(".")
