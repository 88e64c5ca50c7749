"""The functions every Go template has: comparison, indexing, printing, escaping.

Source: https://pkg.go.dev/text/template#hdr-Functions. ``and`` and ``or`` only evaluate what they need and are the
executor's.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from itertools import pairwise

from tocsin.templates import gofmt
from tocsin.templates.datavalues import Pair
from tocsin.templates.timevalues import Time, Zone
from tocsin.templates.values import (
    ANY,
    STRING,
    Byte,
    Failure,
    Function,
    GoType,
    Slice,
    Value,
    as_bytes,
    as_text,
    kind,
    truth,
    type_name,
)

VALUE = GoType("reflect.Value", lambda _: True, nilable=True)
_BASIC = frozenset({"bool", "int", "uint", "float", "complex", "string"})
_ORDERED = frozenset({"int", "uint", "float", "string"})
_INTEGERS = frozenset({"int", "uint"})
_BAD_TYPE = "invalid type for comparison"
_INCOMPATIBLE = "incompatible types for comparison"

_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _equal(one: Value, other: Value) -> bool:
    first, second = kind(one), kind(other)
    if first in _BASIC or second in _BASIC:
        if first == second or {first, second} == _INTEGERS:
            return bool(one == other)
        if one is None or other is None:
            return False
        raise Failure(_INCOMPATIBLE)
    if one is None or other is None:
        return one is other
    if first != second:
        raise Failure(f"non-comparable types {type_name(one)}, {type_name(other)}")
    if not isinstance(other, (Time, Pair, Zone)):
        raise Failure(f"non-comparable type {type_name(other)}")
    return type(one) is type(other) and bool(one == other)


def equal(first: Value, *others: Value) -> bool:
    """Whether ``first`` equals any of ``others``."""
    if not others:
        raise Failure("missing argument for comparison")
    return any(_equal(first, other) for other in others)


def less(one: Value, other: Value) -> bool:
    """Whether ``one`` is less than ``other``; both must be numbers of one kind, or strings."""
    first, second = kind(one), kind(other)
    if first not in _BASIC or second not in _BASIC:
        raise Failure(_BAD_TYPE)
    if first != second and {first, second} != _INTEGERS:
        raise Failure(_INCOMPATIBLE)
    if first not in _ORDERED:
        raise Failure(_BAD_TYPE)
    return as_bytes(one) < as_bytes(other) if first == "string" else bool(one < other)


def _less_or_equal(one: Value, other: Value) -> bool:
    return less(one, other) or _equal(one, other)


def _position(index: Value, size: int) -> int:
    if kind(index) not in _INTEGERS:
        what = "nil" if index is None else f"type {type_name(index)}"
        raise Failure(f"cannot index slice/array with {what}")
    if not 0 <= index < size:
        raise Failure(f"index out of range: {int(index)}")
    return int(index)


def element(holder: Value, *indexes: Value) -> Value:
    """Return ``holder[i][j]…``; a map gives its zero value for a key it does not have."""
    if holder is None:
        raise Failure("index of untyped nil")
    for index in indexes:
        shape = kind(holder)
        if shape == "map":
            if type(index) is not str:
                raise Failure(f"value has type {type_name(index)}; should be string" if index is not None else
                              "value is nil; should be of type string")  # fmt: skip
            holder = holder.get(index, missing(holder))
        elif shape == "string":
            raw = as_bytes(holder)
            holder = Byte(raw[_position(index, len(raw))])
        elif shape == "slice":
            holder = holder[_position(index, len(holder))]
        elif holder is None:
            raise Failure("index of nil pointer")
        else:
            raise Failure(f"can't index item of type {type_name(holder)}")
    return holder


def missing(mapping: Mapping[str, Value]) -> Value:
    """Return what a map gives for a key it has not (``missingkey=zero``)."""
    return None if type(mapping) is dict else ""


def cut(holder: Value, *bounds: Value) -> Value:
    """Return ``holder[i:j]``; strings are counted in bytes."""
    if holder is None:
        raise Failure("slice of untyped nil")
    if len(bounds) > 3:  # noqa: PLR2004 - low, high, capacity
        raise Failure(f"too many slice indexes: {len(bounds)}")
    shape = kind(holder)
    if shape not in {"string", "slice"}:
        raise Failure(f"can't slice item of type {type_name(holder)}")
    if shape == "string" and len(bounds) == 3:  # noqa: PLR2004 - low, high, capacity
        raise Failure("cannot 3-index slice a string")
    whole = as_bytes(holder) if shape == "string" else holder
    ends = [_position(bound, len(whole) + 1) for bound in bounds]
    low, high = (*ends, *(0, len(whole))[len(ends) :])[:2]
    if any(earlier > later for earlier, later in pairwise(ends)):
        raise Failure(f"invalid slice index: {low} > {high}")
    part = whole[low:high]
    if shape == "string":
        return as_text(part)
    return type(holder)(part) if isinstance(holder, Slice) else part


def length(holder: Value) -> int:
    """Count a string's bytes, a slice's or a map's entries."""
    shape = kind(holder)
    if shape not in {"string", "slice", "map"}:
        raise Failure("len of nil pointer" if holder is None else f"len of type {type_name(holder)}")
    return len(as_bytes(holder)) if shape == "string" else len(holder)


def joined(values: tuple[Value, ...]) -> str:
    """Print arguments as one text, as the escapers take them."""
    if len(values) == 1 and type(values[0]) is str:
        return values[0]
    return gofmt.sprint(["<no value>" if value is None else value for value in values])


def html(text: str) -> str:
    """Escape text for HTML."""
    return text.translate(_HTML)


def js(text: str) -> str:
    """Escape text for a JavaScript string."""
    return "".join(_js_char(char) for char in text)


def _js_char(char: str) -> str:
    if char in _JS:
        return _JS[char]
    if char < " ":
        return f"\\u{ord(char):04X}"
    if char < "\x7f" or char.isprintable():
        return char
    return "\\ufffd" if "\ud800" <= char <= "\udfff" else f"\\u{ord(char):04X}"


def query(text: str) -> str:
    """Escape text for a URL's query."""
    return urllib.parse.quote_plus(as_bytes(text), safe="-_.~")


def _call(function: Value, *_: Value) -> Value:
    if function is None:
        raise Failure("call of nil")
    raise Failure(f"non-function of type {type_name(function)}")


def _lazy(*_: Value) -> Value:  # pragma: no cover - the executor evaluates these itself
    raise Failure("and/or are evaluated by the executor")


BUILTINS: Mapping[str, Function] = {
    "and": Function((VALUE,), _lazy, VALUE),
    "or": Function((VALUE,), _lazy, VALUE),
    "not": Function((VALUE,), lambda value: not truth(value)),
    "eq": Function((VALUE,), equal, VALUE),
    "ne": Function((VALUE, VALUE), lambda one, other: not _equal(one, other)),
    "lt": Function((VALUE, VALUE), less),
    "le": Function((VALUE, VALUE), _less_or_equal),
    "gt": Function((VALUE, VALUE), lambda one, other: not _less_or_equal(one, other)),
    "ge": Function((VALUE, VALUE), lambda one, other: not less(one, other)),
    "index": Function((VALUE,), element, VALUE),
    "slice": Function((VALUE,), cut, VALUE),
    "len": Function((VALUE,), length),
    "call": Function((VALUE,), _call, VALUE),
    "print": Function((), lambda *values: gofmt.sprint(values), ANY),
    "println": Function((), lambda *values: gofmt.sprintln(values), ANY),
    "printf": Function((STRING,), lambda layout, *values: gofmt.sprintf(layout, values), ANY),
    "html": Function((), lambda *values: html(joined(values)), ANY),
    "js": Function((), lambda *values: js(joined(values)), ANY),
    "urlquery": Function((), lambda *values: query(joined(values)), ANY),
}
