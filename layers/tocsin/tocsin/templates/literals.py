"""Go's literals: quoted strings, characters and numbers.

Source: https://go.dev/ref/spec#Literals, as ``strconv.Unquote`` and text/template's number node read them.
"""

from __future__ import annotations

import re

from tocsin.templates.values import as_text

_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_BYTE = 0x100
_SURROGATES = range(0xD800, 0xE000)
_LAST_RUNE = 0x10FFFF

_INTEGER = re.compile(r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|[1-9](?:_?[0-9])*|0)")
_DECIMAL = re.compile(r"[+-]?(?:[0-9](?:_?[0-9])*)?\.?(?:[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:_?[0-9a-fA-F])*\.?(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?[pP][+-]?[0-9]+")
_INT64 = 1 << 63


def unquote(quoted: str) -> str:
    r"""Return what a quoted string or character means; ``\xff`` and ``\377`` are bytes, as in Go.

    Raises:
        ValueError: an escape is wrong.
    """
    quote, inner = quoted[0], quoted[1:-1]
    if quote == "`":
        return inner.replace("\r", "")
    if "\\" not in inner:
        if quote in inner:
            raise ValueError("a quote within must be escaped")
        return inner
    raw = bytearray()
    position = 0
    while position < len(inner):
        char = inner[position]
        if char == quote:
            raise ValueError("a quote within must be escaped")
        if char != "\\":
            raw += char.encode("utf-8", "surrogatepass")
            position += 1
            continue
        match = _ESCAPE.match(inner, position)
        if match is None or (match[1] in {"'", '"'} and match[1] != quote):
            raise ValueError(f"{inner[position : position + 2]!r} is no escape")
        raw += _escaped(match)
        position = match.end()
    return as_text(bytes(raw))


def _escaped(match: re.Match[str]) -> bytes:
    simple, two, four, eight, octal = match.groups()
    if simple:
        return bytes([_SIMPLE[simple]])
    if two or octal:
        byte = int(two, 16) if two else int(octal, 8)
        if byte >= _BYTE:
            raise ValueError(f"{match[0]} is no byte")
        return bytes([byte])
    rune = int(four or eight, 16)
    if rune in _SURROGATES or rune > _LAST_RUNE:
        raise ValueError(f"{match[0]} is no character")
    return chr(rune).encode()


def number(text: str) -> int | float | complex:
    """Return what a number means; integral floats without ``.`` or exponent sign are ints, as in text/template.

    Raises:
        ValueError: it is no number.
        OverflowError: an integer does not fit 64 bits.
    """
    if text.endswith("i"):
        return complex(0, float(number(text[:-1])))  # type: ignore[arg-type]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    plain = text.replace("_", "")
    if _HEX_FLOAT.fullmatch(text):
        return float.fromhex(plain)
    if _DECIMAL.fullmatch(text) and any(char.isdigit() for char in text):
        if not any(char in "eE." for char in text):
            raise OverflowError(f"{text} is no integer of Go's: a leading 0 begins an octal number")
        value = float(plain)
        if value in {float("inf"), float("-inf")}:
            raise OverflowError(f"{text} does not fit a float64")
        return value
    raise ValueError(f"bad number syntax: {text!r}")


def _integer(text: str) -> int:
    digits = text.lstrip("+-").replace("_", "")
    sign = -1 if text[0] == "-" else 1
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        value = sign * int(digits, 8)
    else:
        value = sign * int(digits, 0)
    if not -_INT64 <= value < _INT64:
        raise OverflowError(f"{text} overflows int")
    return value
