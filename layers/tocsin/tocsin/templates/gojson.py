"""``toJson``: Go's ``encoding/json`` over the values of a template.

Source: https://pkg.go.dev/encoding/json#Marshal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal

from tocsin.templates.gofmt import OUTPUT_LIMIT, PART_COST
from tocsin.templates.gonumbers import shortest
from tocsin.templates.gotime import rfc3339nano
from tocsin.templates.timevalues import Time, Zone
from tocsin.templates.values import Failure, Struct, Value, kind

_HTML_SAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_INVALID = re.compile("[\ud800-\udfff]")  # a byte that is no UTF-8
_LARGE = 1e21  # from here on, and below 1e-6, floats have an exponent (ES6)
_SMALL = 1e-6
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
    encoder = _Encoder()
    encoder.encode(value)
    return "".join(encoder.parts)


def string(text: str) -> str:
    """Write a JSON string as Go does."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _INVALID.sub(r"\\ufffd", quoted).translate(_HTML_SAFE)


class _Encoder:
    """JSON in the making, bounded: a value can hold itself so often that writing it would never end."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._size = 0

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self._size += len(text) + PART_COST
        if self._size > OUTPUT_LIMIT:
            raise Failure(f"the JSON grows beyond {OUTPUT_LIMIT} characters")

    def encode(self, value: Value) -> None:
        shape = kind(value)
        if isinstance(value, Time):
            self._write(string(rfc3339nano(value.instant, value.location)))
        elif isinstance(value, Zone):
            self._write("{}")
        elif shape in {"map", "struct"}:
            self._object(_fields(value) if isinstance(value, Struct) else sorted(value.items()))
        elif shape == "slice":
            self._array(value)
        else:
            self._write(_scalar(value, shape))

    def _object(self, fields: list[tuple[str, Value]]) -> None:
        for number, (name, part) in enumerate(fields):
            self._write(f"{',' if number else '{'}{string(name)}:")
            self.encode(part)
        self._write("}" if fields else "{}")

    def _array(self, values: Sequence[Value]) -> None:
        for number, part in enumerate(values):
            self._write("," if number else "[")
            self.encode(part)
        self._write("]" if values else "[]")


def _scalar(value: Value, shape: str) -> str:
    if shape == "invalid":
        return "null"
    if shape == "bool":
        return "true" if value else "false"
    if shape in {"int", "uint"}:
        return str(int(value))
    if shape == "float":
        return _float(value)
    if shape == "string":
        return string(value)
    raise Failure("json: unsupported type")


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
    written = format(Decimal(repr(value)), "f")
    return written.removesuffix(".0")
