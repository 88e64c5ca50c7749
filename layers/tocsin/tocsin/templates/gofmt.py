"""Go's ``fmt``: what ``print``, ``println``, ``printf`` and the value of an action look like.

Source: https://pkg.go.dev/fmt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tocsin.templates.gonumbers import Flags, float_text, hex_text, integer_text, quote, rune, unicode_text
from tocsin.templates.timevalues import Time, go_syntax
from tocsin.templates.values import Failure, Number, Struct, Value, kind, stringer, type_name

OUTPUT_LIMIT = 16 << 20  # characters one execution may write; Slack, PagerDuty and mail take far less
PART_COST = 16  # what writing something costs beside its characters: a million brackets take their time
_WIDTH_LIMIT = 1_000_000  # fmt's own (tooLarge)
_DIRECTIVE = re.compile(
    r"%([#0+\- ]*)(\[[^\]]*\]?)?(\*|\d+)?(?:(\.)(\[[^\]]*\]?)?(\*|\d+)?)?(\[[^\]]*\]?)?(.)?", re.DOTALL
)
_TEXT_VERBS = frozenset("vsxXq")


def sprint(values: Sequence[Value]) -> str:
    """Print values as ``fmt.Sprint``: blanks only between two that are no strings."""
    printer = Printer()
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            printer.write(" ")
        printer.print_value(value, "v", Flags())
    return printer.text()


def sprintln(values: Iterable[Value]) -> str:
    """Print values as ``fmt.Sprintln``: blanks between all, a newline at the end."""
    printer = Printer()
    for number, value in enumerate(values):
        if number:
            printer.write(" ")
        printer.print_value(value, "v", Flags())
    printer.write("\n")
    return printer.text()


def sprintf(layout: str, values: Sequence[Value]) -> str:
    """Print values by a layout as ``fmt.Sprintf``, with its complaints: ``%!d(string=x)``, ``%!s(MISSING)``."""
    return _Directives(layout, values).run()


def show(value: Value) -> str:
    """Print the value of an action: as ``%v``, and nothing at all as ``<no value>``."""
    if type(value) is str:
        return value
    return "<no value>" if value is None else sprint([value])


class Printer:
    """Text in the making, bounded: a value can refer to itself so often that printing it would never end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._parts: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        """Add text.

        Raises:
            Failure: it has become too much.
        """
        self._parts.append(text)
        self._size += len(text) + PART_COST
        if self._size > OUTPUT_LIMIT:
            raise Failure(f"the text grows beyond {OUTPUT_LIMIT} characters")

    def text(self) -> str:
        """Return all that was written."""
        return "".join(self._parts)

    def print_value(self, value: Value, verb: str, flags: Flags, depth: int = 0, *, erroring: bool = False) -> None:
        """Print one value by a verb."""
        if verb == "T" and depth == 0:
            self.write(flags.pad(type_name(value)))
        elif value is None:
            self._nil(verb, flags, depth)
        elif not erroring and self._by_method(value, verb, flags):
            return
        else:
            self._by_kind(value, verb, flags, depth, erroring=erroring)

    def _nil(self, verb: str, flags: Flags, depth: int) -> None:
        if flags.sharp_v and depth:
            self.write("interface {}(nil)")
        elif verb == "v" or depth:
            self.write(flags.pad("<nil>"))
        else:
            self.write(f"%!{verb}(<nil>)")

    def _by_method(self, value: Value, verb: str, flags: Flags) -> bool:
        """Print by the value's own ``String``, where it has one and the verb can show text."""
        if flags.sharp_v:
            if isinstance(value, Time):
                self.write(flags.pad(go_syntax(value)))
                return True
            return False
        if verb not in _TEXT_VERBS:
            return False
        said = stringer(value)
        if said is None:
            return False
        self._string(said, said, verb, flags)
        return True

    def _by_kind(self, value: Value, verb: str, flags: Flags, depth: int, *, erroring: bool) -> None:
        shape = kind(value)
        if shape == "string":
            self._string(value, value, verb, flags)
        elif shape == "bool":
            self._plain(value, flags.pad("true" if value else "false") if verb in "tv" else None, verb, flags)
        elif shape in {"int", "uint"}:
            self._integer(value, verb, flags)
        elif shape == "float":
            self._plain(value, float_text(value, verb, flags) if verb in "vgGeEfFxXb" else None, verb, flags)
        elif shape == "complex":
            self._complex(value, verb, flags)
        elif shape in {"slice", "map", "struct"} and verb != "p":
            self._composite(value, shape, verb, flags, depth, erroring=erroring)
        else:
            self._bad(value, verb, flags)

    def _plain(self, value: Value, text: str | None, verb: str, flags: Flags) -> None:
        if text is None:
            self._bad(value, verb, flags)
        else:
            self.write(text)

    def _bad(self, value: Value, verb: str, flags: Flags) -> None:
        """Complain of a verb that does not fit the value."""
        self.write(f"%!{verb}({type_name(value)}=")
        self.print_value(value, "v", flags, erroring=True)
        self.write(")")

    def _string(self, value: Value, text: str, verb: str, flags: Flags) -> None:
        cut = text if flags.precision is None else text[: flags.precision]
        if verb == "v" and flags.sharp_v:
            self.write(flags.pad(quote(cut)))
        elif verb in {"v", "s"}:
            self.write(flags.pad(cut))
        elif verb == "q":
            raw = flags.sharp and "`" not in cut and all(c == "\t" or c.isprintable() for c in cut)
            self.write(flags.pad(f"`{cut}`" if raw else quote(cut, ascii_only=flags.plus)))
        elif verb in {"x", "X"}:
            self.write(hex_text(text, verb, flags))
        else:
            self._bad(value, verb, flags)

    def _integer(self, value: int, verb: str, flags: Flags) -> None:
        number = int(value)
        if flags.sharp_v and kind(value) == "uint":
            self.write(f"{number:#x}")
        elif verb in "vdboOxX":
            self.write(integer_text(number, verb, flags))
        elif verb == "c":
            self.write(flags.pad(rune(number)))
        elif verb == "q":
            self.write(flags.pad(quote(rune(number), ascii_only=flags.plus, mark="'")))
        elif verb == "U":
            self.write(unicode_text(number, flags))
        else:
            self._bad(value, verb, flags)

    def _complex(self, value: complex, verb: str, flags: Flags) -> None:
        if verb not in "vgGeEfF":
            self._bad(value, verb, flags)
            return
        real = float_text(value.real, verb, flags)
        plus, flags.plus = flags.plus, True
        self.write(f"({real}{float_text(value.imag, verb, flags)}i)")
        flags.plus = plus

    def _composite(self, value: Value, shape: str, verb: str, flags: Flags, depth: int, *, erroring: bool) -> None:
        """Print a slice, map or struct, each part by the same verb and flags."""
        named = flags.sharp_v
        opening, closing = ("{", "}") if named or shape == "struct" else ("[", "]")
        self.write((type_name(value) if named else "map" if shape == "map" else "") + opening)
        for number, (name, part) in enumerate(_parts(value, shape)):
            if number:
                self.write(", " if named else " ")
            if shape == "map":
                self.print_value(name, verb, flags, depth + 1, erroring=erroring)
                self.write(":")
            elif shape == "struct" and (named or flags.plus_v):
                self.write(f"{name}:")
            self.print_value(part, verb, flags, depth + 1, erroring=erroring)
        self.write(closing)


def _parts(value: Value, shape: str) -> list[tuple[str, Value]]:
    if shape == "map":
        return sorted(value.items())
    if isinstance(value, Struct):
        shown = [(name, getattr(value, attribute)) for name, attribute in value.go_fields.items()]
        return shown + [("routeLabelsRendered", hidden) for hidden in value.go_hidden]
    return [("", part) for part in value]


class _Directives:
    """One run of ``Sprintf``."""

    def __init__(self, layout: str, values: Sequence[Value]) -> None:
        self.layout = layout
        self.values = values
        self.printer = Printer()
        self.argument = 0
        self.reordered = False
        self.good = True

    def run(self) -> str:
        position = 0
        while (start := self.layout.find("%", position)) >= 0:
            self.printer.write(self.layout[position:start])
            match = _DIRECTIVE.match(self.layout, start)
            if match is None:  # pragma: no cover - "%" alone matches
                break
            position = match.end()
            # fmt looks at a number before it takes the last digit in.
            if any(int(digits[:-1] or 0) > _WIDTH_LIMIT for digits in match.group(3, 6) if digits and digits != "*"):
                self.printer.write("%!(NOVERB)")
                position = len(self.layout)
                break
            self._directive(match)
        self.printer.write(self.layout[position:])
        if not self.reordered and self.argument < len(self.values):
            self._extra()
        return self.printer.text()

    def _extra(self) -> None:
        self.printer.write("%!(EXTRA ")
        for number, value in enumerate(self.values[self.argument :]):
            self.printer.write(", " if number else "")
            self.printer.write("<nil>" if value is None else f"{type_name(value)}=")
            if value is not None:
                self.printer.print_value(value, "v", Flags())
        self.printer.write(")")

    def _directive(self, match: re.Match[str]) -> None:
        marks, index, width, dot, precision_index, precision, last_index, verb = match.groups()
        self.good = True
        flags = Flags(plus="+" in marks, minus="-" in marks, sharp="#" in marks, space=" " in marks, zero="0" in marks)
        self._index(index)
        if width == "*":
            self._star_width(flags)
        elif width:
            flags.width = int(width)
            self.good &= not index
        if dot:
            self.good &= not (index and not width)
            self._index(precision_index)
            if precision == "*":
                self._star_precision(flags)
            else:
                flags.precision = int(precision or 0)
        self._index(last_index)
        self._verb(verb, flags)

    def _verb(self, verb: str | None, flags: Flags) -> None:
        if verb is None:
            self.printer.write("%!(NOVERB)")
        elif verb == "%":
            self.printer.write("%")
        elif not self.good:
            self.printer.write(f"%!{verb}(BADINDEX)")
        elif self.argument >= len(self.values):
            self.printer.write(f"%!{verb}(MISSING)")
        else:
            if verb == "v":
                flags.sharp_v, flags.sharp = flags.sharp, False
                flags.plus_v, flags.plus = flags.plus, False
            self.printer.print_value(self.values[self.argument], verb, flags)
            self.argument += 1

    def _index(self, index: str | None) -> None:
        if index is None:
            return
        self.reordered = True
        digits = index[1:-1]
        if index[-1] == "]" and digits.isascii() and digits.isdigit() and 1 <= int(digits) <= len(self.values):
            self.argument = int(digits) - 1
        else:
            self.good = False

    def _star(self) -> int | None:
        """Take a width or precision from the arguments."""
        value = self.values[self.argument] if self.argument < len(self.values) else None
        self.argument += self.argument < len(self.values)
        if isinstance(value, (int, Number)) and not isinstance(value, bool) and abs(value) <= _WIDTH_LIMIT:
            return int(value)
        return None

    def _star_width(self, flags: Flags) -> None:
        flags.width = self._star()
        if flags.width is None:
            self.printer.write("%!(BADWIDTH)")
        elif flags.width < 0:
            flags.width, flags.minus, flags.zero = -flags.width, True, False

    def _star_precision(self, flags: Flags) -> None:
        flags.precision = self._star()
        if flags.precision is None:
            self.printer.write("%!(BADPREC)")
        elif flags.precision < 0:
            flags.precision = None
