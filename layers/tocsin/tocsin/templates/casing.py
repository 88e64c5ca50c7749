"""``title``, ``toUpper`` and ``toLower`` as Go and golang.org/x/text/cases have them.

Source: https://pkg.go.dev/golang.org/x/text/cases#Title; which characters end a word was seen with ``amtool``.
"""

from __future__ import annotations

import unicodedata

# They do not end a word, except two in a row: https://unicode.org/reports/tr29/ (MidLetter, MidNumLet, Single_Quote)
_MID = frozenset("'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a")
_WITHIN = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Pc", "Cf"})
# Scripts written without blanks between words: each character is a word of its own.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D),
    (0x20000, 0x3FFFF),
)


def title(text: str) -> str:
    """Write each word with a capital and the rest small; an apostrophe or a dot within does not end a word."""
    parts, within = [], False
    for position, char in enumerate(text):
        if _is_cased(char):
            parts.append(_lower(text, position) if within else char.title())
            within = True
            continue
        parts.append(char)
        following = text[position + 1 : position + 2]
        if (char in _MID and following in _MID and following) or _ends_word(char):
            within = False
    return "".join(parts)


def upper(text: str) -> str:
    """Write text in capitals; Go knows no capital of more than one character."""
    return "".join(_upper(char) for char in text)


def lower(text: str) -> str:
    """Write text in small letters."""
    return text.lower() if text.isascii() else "".join(char.lower()[0] for char in text)


def _upper(char: str) -> str:
    return next((capital for capital in (char.upper(), char.title()) if len(capital) == 1), char)


def _is_cased(char: str) -> bool:
    return char.lower() != char or char.upper() != char or char.title() != char


def _lower(text: str, position: int) -> str:
    """Return a small letter; Greek has another s at the end of a word."""
    char = text[position]
    if char != "\u03a3":
        return char.lower()
    following = next((later for later in text[position + 1 :] if later not in _MID), "")
    return "\u03c3" if following and _is_cased(following) else "\u03c2"


def _ends_word(char: str) -> bool:
    if char in _MID:
        return False
    code = ord(char)
    if any(first <= code <= last for first, last in _UNSPACED):
        return unicodedata.category(char) not in {"Mn", "Mc", "Nd"}
    return unicodedata.category(char) not in _WITHIN or char == "\u200b"
