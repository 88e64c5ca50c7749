"""What a template can hold: Go's values as Python objects, and what Go says of their types.

=====================  ==========================================================
Go                     here
=====================  ==========================================================
string                 str; a byte that is no UTF-8 is a lone surrogate (PEP 383)
bool, int, float64     bool, int, float
int64, uint8 …         `Number`, a subclass of int that knows its Go type
nil                    None
[]any, map[string]any  list, dict
other slices           `Slice`, a tuple that knows its Go type
other maps             `Map`, a dict that knows its Go type
structs                `Struct`
=====================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

Value: TypeAlias = Any  # a Go value; Python's type system cannot say more


class Failure(Exception):  # noqa: N818 - it never leaves this package: the executor names the place
    """A function or operation that cannot do what it was asked; the message is Go's where Go has one."""


@dataclass(frozen=True, slots=True)
class GoType:
    """A parameter's type: what it is called, and which values may be passed for it."""

    name: str
    accepts: Callable[[Value], bool]
    nilable: bool = False
    constant: str = ""  # the literal that may stand for it: string | bool | int | float


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method as templates call it: parameter types and what to call."""

    params: tuple[GoType, ...]
    call: Callable[..., Value]
    variadic: GoType | None = None


class Number(int):
    """An integer that is not a plain ``int`` in Go."""

    go_type: ClassVar[str] = "int64"
    go_methods: ClassVar[Mapping[str, Function]] = {}

    def go_string(self) -> str | None:
        """Return what Go's ``String`` method says, or None where the type has none."""
        return None


class Byte(Number):
    """An element of a string: ``index "abc" 0``."""

    go_type = "uint8"


class Unsigned(Number):
    """A ``uint64``."""

    go_type = "uint64"


class Slice(tuple[Value, ...]):
    """A slice that is not ``[]any``."""

    __slots__ = ()
    go_type: ClassVar[str] = "[]string"
    go_element: ClassVar[str] = "string"
    go_methods: ClassVar[Mapping[str, Function]] = {}

    def go_string(self) -> str | None:
        """Return what Go's ``String`` method says, or None where the type has none."""
        return None


class Map(dict[str, Value]):
    """A map from strings to strings with a name of its own."""

    go_type: ClassVar[str] = "map[string]string"
    go_methods: ClassVar[Mapping[str, Function]] = {}

    def go_string(self) -> str | None:
        """Return what Go's ``String`` method says, or None where the type has none."""
        return None


class Struct:
    """A struct: ``go_fields`` maps Go's field names to attributes, ``go_methods`` its methods."""

    __slots__ = ()
    go_type: ClassVar[str] = "struct"
    go_fields: ClassVar[Mapping[str, str]] = {}
    go_hidden: ClassVar[tuple[Value, ...]] = ()  # unexported fields: %v prints them all the same
    go_methods: ClassVar[Mapping[str, Function]] = {}

    def go_string(self) -> str | None:
        """Return what Go's ``String`` method says, or None where the type has none."""
        return None


class SafeString(str):
    """Text that says itself what it is, so that html/template leaves it alone in that context."""

    __slots__ = ()
    go_type: ClassVar[str] = "template.HTML"
    content: ClassVar[str] = "html"


class Html(SafeString):
    """``safeHtml``: an HTML fragment."""

    __slots__ = ()


class Url(SafeString):
    """``safeUrl``: a URL or a part of one."""

    __slots__ = ()
    go_type = "template.URL"
    content = "url"


_PLAIN = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "float64",
    complex: "complex128",
    type(None): "<nil>",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


def type_name(value: Value) -> str:
    """Name a value's type as Go's ``%T`` does."""
    plain = _PLAIN.get(type(value))
    return plain if plain is not None else str(getattr(value, "go_type", type(value).__name__))


def kind(value: Value) -> str:
    """Return the coarse kind of a value: invalid, bool, int, uint, float, complex, string, slice, map, struct, func."""
    if value is None:
        return "invalid"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "uint" if isinstance(value, (Byte, Unsigned)) else "int"
    for known, name in _KINDS:
        if isinstance(value, known):
            return name
    return "func"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "string"),
    (float, "float"),
    (dict, "map"),
    ((list, tuple), "slice"),
    (Struct, "struct"),
    (complex, "complex"),
)


def truth(value: Value) -> bool:
    """Whether ``if`` takes a value for true: not zero, not empty, not nil. Structs are always true."""
    return isinstance(value, Struct) or bool(value)


def methods_of(value: Value) -> Mapping[str, Function]:
    """Return the methods of a value by Go's names."""
    methods: Mapping[str, Function] = getattr(value, "go_methods", {})
    return methods


def stringer(value: Value) -> str | None:
    """Return what a value's ``String`` method says, or None where it has none."""
    return value.go_string() if isinstance(value, (Number, Slice, Map, Struct)) else None


def as_bytes(text: str) -> bytes:
    """Return the bytes Go would hold for a string."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "surrogatepass")


def _is_escaped(text: str) -> bool:
    return all("\udc80" <= char <= "\udcff" for char in text if "\ud800" <= char <= "\udfff")


def as_text(raw: bytes) -> str:
    """Return a string of bytes that may be no UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def is_string(value: Value) -> bool:
    """Whether a value is assignable to a parameter of type ``string``; `Html` and `Url` are not."""
    return type(value) is str


def _is_strings(value: Value) -> bool:
    return value is None or (isinstance(value, Slice) and value.go_element == "string")


ANY = GoType("interface {}", lambda _: True, nilable=True)
STRING = GoType("string", is_string, constant="string")
BOOL = GoType("bool", lambda value: type(value) is bool, constant="bool")
INT = GoType("int", lambda value: type(value) is int, constant="int")
INT64 = GoType("int64", lambda value: type(value) is Number, constant="int")
STRINGS = GoType("[]string", _is_strings, nilable=True)
ANYS = GoType("[]interface {}", lambda value: value is None or type(value) is list, nilable=True)
