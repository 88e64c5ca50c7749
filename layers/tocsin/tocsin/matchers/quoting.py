"""Go's quoted strings, which Alertmanager's keys are printed with.

Source: https://pkg.go.dev/strconv#Quote and https://go.dev/ref/spec#String_literals.
"""

from __future__ import annotations

import re

# Go's unicode.IsSpace; Python's str.isspace also takes U+001C..U+001F.
SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}
# What ends an unquoted word in the UTF-8 grammar (Alertmanager matcher/parse/lexer.go).
RESERVED = SPACES | frozenset("{}!=~,\\\"'`")

_ESCAPES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", "\\": "\\", '"': '"'}
_UNESCAPES = {escape: character for character, escape in _ESCAPES.items()}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_OCTAL_DIGITS = 3
_BASIC_PLANE_END = 0x10000
_SURROGATES = range(0xD800, 0xE000)
_LAST_CODE_POINT = 0x10FFFF
_BYTE_END = 0x100
_ASCII_END = 0x7F
_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # printable ASCII but the quote and the backslash


def quote(text: str) -> str:
    """Print text as Go's ``%q``. A lone surrogate, which Go cannot hold, prints as the replacement it would become."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return "\\" + _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < ord(" ") or code == _ASCII_END:
        return f"\\x{code:02x}"
    if code in _SURROGATES:
        return "\\ufffd"
    return f"\\u{code:04x}" if code < _BASIC_PLANE_END else f"\\U{code:08x}"


def unquote(literal: str) -> str:
    """Read a Go string literal in double quotes; ValueError names what is wrong with it."""
    inner = literal[1:-1]
    if "\n" in inner:
        raise ValueError("a line break must be written as \\n")
    if "\\" not in inner:
        return inner
    read, at = bytearray(), 0
    while at < len(inner):
        if inner[at] != "\\":
            read += inner[at].encode("utf-8", "surrogatepass")
            at += 1
            continue
        chunk, at = _escape(inner, at + 1)
        read += chunk
    try:
        return read.decode()
    except UnicodeDecodeError:
        raise ValueError("the escapes are not valid UTF-8") from None


def _escape(text: str, at: int) -> tuple[bytes, int]:
    """Read one escape after its backslash: what it stands for, and where it ends."""
    kind = text[at : at + 1]
    if kind in _UNESCAPES:
        return _UNESCAPES[kind].encode(), at + 1
    digits, base = text[at + 1 : at + 1 + _HEX_DIGITS.get(kind, 0)], 16
    end, wanted = at + 1 + _HEX_DIGITS.get(kind, 0), _HEX_DIGITS.get(kind, 0)
    if kind in set("01234567"):
        digits, base, end, wanted = text[at : at + _OCTAL_DIGITS], 8, at + _OCTAL_DIGITS, _OCTAL_DIGITS
    allowed = "01234567" if base == len("01234567") else "0123456789abcdefABCDEF"
    if not wanted or len(digits) != wanted or any(digit not in allowed for digit in digits):
        raise ValueError(f"unknown escape \\{kind}")
    code = int(digits, base)
    if kind in {"u", "U"}:
        if code > _LAST_CODE_POINT or code in _SURROGATES:
            raise ValueError(f"\\{kind}{digits} is no character")
        return chr(code).encode(), end
    if code >= _BYTE_END:
        raise ValueError(f"\\{digits} is no byte")
    return bytes([code]), end
