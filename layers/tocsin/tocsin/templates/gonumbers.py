"""How Go's ``fmt`` writes numbers and quotes strings.

Source: https://pkg.go.dev/fmt and https://pkg.go.dev/strconv.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from tocsin.templates.values import as_bytes

_SHORTEST_EXPONENT = 6  # %g without a precision turns to exponents here (strconv's eprec)
_SIMPLE = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}
_BASES = {"d": 10, "v": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FORMATS = {2: "b", 8: "o", 10: "d", 16: "x"}
_MANTISSA = 53  # bits of a float64
_LAST_RUNE = 0x10FFFF


@dataclass(slots=True)
class Flags:
    """The flags, width and precision of one verb."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None

    def pad(self, text: str) -> str:
        """Fill to the width, counted in characters."""
        if self.width is None or len(text) >= self.width:
            return text
        if self.minus:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if self.zero else " ")


def quote(text: str, *, ascii_only: bool = False, mark: str = '"') -> str:
    r"""Quote as ``strconv.Quote``: what does not print is escaped, a byte that is no UTF-8 as ``\xff``."""
    return mark + "".join(_quoted(char, mark, ascii_only=ascii_only) for char in text) + mark


def _quoted(char: str, mark: str, *, ascii_only: bool) -> str:
    if char == mark:
        return "\\" + char
    if char in _SIMPLE:
        return _SIMPLE[char]
    code = ord(char)
    if " " <= char <= "~" or (not ascii_only and char.isprintable()):
        return char
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - a byte that is no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    if char < " " or char == "\x7f":
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the basic plane


def shortest(value: float, *, upper: bool = False) -> str:
    """Write a float with the fewest digits that read back the same (``%g`` without precision)."""
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
        return "NaN" if value != value else ("+Inf" if value > 0 else "-Inf")  # noqa: PLR0124 - NaN
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    written = "".join(str(digit) for digit in digits).lstrip("0").rstrip("0") or "0"
    zeros = len("".join(str(digit) for digit in digits)) - len("".join(str(digit) for digit in digits).rstrip("0"))
    power = len(written) + int(exponent) + zeros - 1 if value else 0
    minus = "-" if sign else ""
    if power < -4 or power >= _SHORTEST_EXPONENT:  # noqa: PLR2004 - as strconv
        mantissa = written[0] + ("." + written[1:] if len(written) > 1 else "")
        return f"{minus}{mantissa}{'E' if upper else 'e'}{'-' if power < 0 else '+'}{abs(power):02}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{written}"
    whole, rest = written[: power + 1].ljust(power + 1, "0"), written[power + 1 :]
    return f"{minus}{whole}.{rest}" if rest else f"{minus}{whole}"


def float_text(value: float, verb: str, flags: Flags) -> str:
    """Write a float by a verb of ``%e %E %f %F %g %G %x``; ``v`` is ``g``."""
    precision = flags.precision
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
        return _not_finite(value, flags)
    if verb in "vgG":
        text = (
            shortest(value, upper=verb == "G")
            if precision is None
            else f"{value:.{precision}{'G' if verb == 'G' else 'g'}}"
        )
    elif verb == "b":
        fraction, exponent = math.frexp(value)
        text = f"{int(fraction * 2**_MANTISSA)}p{exponent - _MANTISSA:+}"
    elif verb in "xX":
        text = _hex_float(value, precision)
        text = text.upper() if verb == "X" else text
    else:
        text = f"{value:.{6 if precision is None else precision}{verb.replace('F', 'f')}}"
    if text[0] != "-":
        text = ("+" if flags.plus else " ") + text if flags.plus or flags.space else text
    if flags.zero and not flags.minus and flags.width is not None and text[0] in "+- ":
        return text[0] + text[1:].rjust(flags.width - 1, "0")
    return flags.pad(text)


def _not_finite(value: float, flags: Flags) -> str:
    text = shortest(value)
    if text == "+Inf" and not flags.plus:
        text = " Inf" if flags.space else "+Inf"
    elif text == "NaN":
        text = ("+" if flags.plus else " ") + text if flags.plus or flags.space else text
    zero, flags.zero = flags.zero, False
    padded = flags.pad(text)
    flags.zero = zero
    return padded


def _hex_float(value: float, precision: int | None) -> str:
    mantissa, _, exponent = value.hex().partition("p")
    sign, mantissa = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, rest = mantissa[2:].partition(".")
    rest = rest.rstrip("0") if precision is None else rest
    if precision is not None:
        bits = 4 * len(rest)
        scaled = int(whole + rest, 16) if rest else int(whole, 16)
        drop = bits - 4 * precision
        if drop > 0:
            half = 1 << (drop - 1)
            low = scaled & ((1 << drop) - 1)
            scaled >>= drop
            scaled += low > half or (low == half and scaled & 1)
            written = f"{scaled:x}"
            whole, rest = written[: len(written) - precision], written[len(written) - precision :]
        else:
            rest = rest.ljust(precision, "0")
    power = int(exponent)
    return f"{sign}0x{whole}{'.' + rest if rest else ''}p{'-' if power < 0 else '+'}{abs(power):02}"


def integer_text(value: int, verb: str, flags: Flags) -> str:
    """Write an integer by a verb of ``%d %b %o %O %x %X``; ``v`` is ``d``."""
    base = _BASES[verb]
    digits = format(abs(value), _FORMATS[base])
    if verb == "X":
        digits = digits.upper()
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    least = flags.precision
    if least is not None:
        if least == 0 and value == 0:
            return " " * (flags.width or 0)
    elif flags.zero and not flags.minus and flags.width is not None:
        least = flags.width - len(sign)
    digits = digits.rjust(least or 0, "0")
    if flags.sharp:
        prefix = {2: "0b", 8: "" if digits[0] == "0" else "0", 16: "0" + verb}.get(base, "")
        digits = prefix + digits
    if verb == "O":
        digits = "0o" + digits
    zero, flags.zero = flags.zero, False
    padded = flags.pad(sign + digits)
    flags.zero = zero
    return padded


def rune(code: int) -> str:
    """Return the character of a code, U+FFFD for what is none."""
    if 0 <= code <= _LAST_RUNE and not 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - surrogates
        return chr(code)
    return "\ufffd"


def unicode_text(code: int, flags: Flags) -> str:
    """Write ``U+0041``, with ``#`` the character too."""
    text = f"U+{code & 0xFFFFFFFFFFFFFFFF:0{max(flags.precision or 4, 4)}X}"
    if flags.sharp and code <= _LAST_RUNE and rune(code).isprintable():
        text += f" '{rune(code)}'"
    zero, flags.zero = flags.zero, False
    padded = flags.pad(text)
    flags.zero = zero
    return padded


def hex_text(text: str, verb: str, flags: Flags) -> str:
    """Write the bytes of a string in hexadecimal."""
    raw = as_bytes(text)
    raw = raw if flags.precision is None else raw[: flags.precision]
    pairs = [f"{byte:02{verb}}" for byte in raw]
    prefix = f"0{verb}" if flags.sharp and raw else ""
    joined = (" " + prefix).join(pairs) if flags.space else "".join(pairs)
    return flags.pad(prefix + joined)
