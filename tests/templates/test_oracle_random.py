"""Templates nobody wrote: random ones, rendered by amtool and by us. The seeds are fixed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tocsin.errors import TemplateError
from tocsin.templates import Data, TemplateSet

pytestmark = pytest.mark.oracle

ROUNDS = 40

STRINGS = ['"a"', '"foo bar"', '""', '"<b>&\\"\'"', "`raw\\n`", '"é☺"', '"1.5"', '"x/y?z=1"', '"alertname"', '"%d"']
NUMBERS = ["0", "1", "2", "-1", "42", "1.5", "1e3", "0x1f", "'a'", "3.0", "1e5"]
TEXTS = [".Status", ".Receiver", ".ExternalURL", ".CommonLabels.job", ".CommonLabels.missing", "$s"]
LISTS = [".Alerts", ".Alerts.Firing", ".CommonLabels.Values", ".CommonLabels.SortedPairs", '(stringSlice "a" "b")']
PLAIN_LISTS = LISTS[2:]
MAPS = [".CommonLabels", ".GroupLabels", ".CommonAnnotations", "(index .Alerts 0).Labels"]
TIMES = ["(index .Alerts 0).StartsAt", "(index .Alerts 1).StartsAt", "(index .Alerts 0).EndsAt"]
PATTERNS = ["a*", "[ao]", "(.)(o)", "^", ""]
PARTS = ["Unix", "Year", "Day", "Month", "Weekday", "YearDay", "Hour"]
VERBS = [
    "%v",
    "%s",
    "%d",
    "%q",
    "%5d",
    "%-6s|",
    "%05.1f",
    "%x",
    "%X",
    "%t",
    "%6v",
    "%+v",
    "%.2f",
    "%e",
    "%g",
    "%c",
    "%U",
]
LAYOUTS = ['"2006-01-02"', '"Jan _2 15:04:05.000"', '"Mon 3:04PM MST"', '"-07:00 Z0700"', '"002 __2 06"']
GAPS = ["", " ", "\n", " x ", "\t-"]


class Author:
    """Writes templates by chance; most are right, some are not."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def pick(self, *options: str | list[str]) -> str:
        chosen = self.chance.choice(options)
        return chosen if isinstance(chosen, str) else self.chance.choice(chosen)

    def text(self, depth: int = 2) -> str:
        if depth == 0:
            return self.pick(STRINGS, TEXTS)
        inner = self.text(depth - 1)
        return self.pick(
            STRINGS,
            TEXTS,
            f"(toUpper {inner})",
            f"(title {inner})",
            f"(print {inner} {self.any(depth - 1)} {self.any(depth - 1)})",
            f'(printf "{self.pick(VERBS)} {self.pick(VERBS)}" {self.plain(depth - 1)} {inner})',
            f"(slice {inner} {self.pick(['0', '1', '2', '3'])})",
            f"(index {self.pick(MAPS)} {inner})",
            f'(join "," {self.pick(LISTS)})',
            f'(reReplaceAll "{self.pick(PATTERNS)}" "{self.pick(["<$1>", "", "${2}x"])}" {inner})',
            f"(urlquery {inner})",
            f"(html {inner})",
            f"(js {inner})",
        )

    def number(self, depth: int = 2) -> str:
        options = [*NUMBERS, "$n"]
        if depth:
            options += [f"(len {self.pick(LISTS, MAPS)})", f"(len {self.text(depth - 1)})", f"(index {self.text(0)} 0)"]
            options += [f"{self.pick(TIMES)}.{self.pick(PARTS)}"]
        return self.pick(options)

    def plain(self, depth: int) -> str:
        """Anything but times: what Go prints of them by a verb for numbers is its own innards."""
        return self.pick(self.text(depth), self.number(depth), PLAIN_LISTS, MAPS, ["true", "nil"])

    def any(self, depth: int = 2) -> str:
        kind = self.chance.randrange(8)
        if kind <= 2:
            return self.text(depth)
        if kind <= 4:
            return self.number(depth)
        return self.pick(
            LISTS, self.pick(MAPS), TIMES, ["true", "false", "nil", "$s", "$n"], self.condition(max(depth - 1, 0))
        )

    def condition(self, depth: int = 2) -> str:
        compare = self.pick(["eq", "ne", "lt", "le", "gt", "ge"])
        inner = self.any if depth else (lambda _=0: self.pick(TEXTS))
        return self.pick(
            f"({compare} {self.number(depth)} {self.number(depth)})",
            f"({compare} {self.text(depth)} {self.text(depth)})",
            f"({compare} {inner(depth and depth - 1)} {inner(depth and depth - 1)})",
            f"(not {inner(depth and depth - 1)})",
            f"(and {inner(depth and depth - 1)} {inner(depth and depth - 1)})",
            f"(or {inner(depth and depth - 1)} {inner(depth and depth - 1)})",
            f'(match "{self.pick(["^f", "o+", "[a-c]$", "x|y"])}" {self.text(depth and depth - 1)})',
        )

    def pipeline(self) -> str:
        piped = self.pick(
            "toUpper", "len", "html", "urlquery", "print 1", 'printf "%q"', "not", "eq 1", "trimSpace", "or 0"
        )
        return self.pick(
            self.any(),
            self.any(),
            self.text(),
            f"{self.any(1)} | {piped}",
            f"{self.text(1)} | title | {piped}",
            f"date {self.pick(LAYOUTS)} {self.pick(TIMES)}",
            f'{self.pick(TIMES)} | tz "{self.pick(["Europe/London", "Asia/Tokyo", "America/New_York", "UTC"])}"',
            f"{self.pick(TIMES)}.Sub {self.pick(TIMES)}",
            f"humanizeDuration {self.any(1)}",
        )

    def action(self, body: str) -> str:
        left, right = self.pick(["{{", "{{", "{{- "]), self.pick(["}}", "}}", " -}}"])
        return f"{left}{body}{right}"

    def node(self, depth: int) -> str:
        kind = self.chance.randrange(12 if depth else 5)
        if kind < 4:
            return self.action(self.pipeline())
        if kind == 4:
            return self.action(
                self.pick(f"$s = {self.text()}", f"$n = {self.number()}", "/* c */" if depth else ".Status")
            )
        inner, other = self.nodes(depth - 1), self.nodes(depth - 1)
        end = self.action("end")
        if kind <= 6:
            middle = self.pick("", self.action("else") + other, self.action(f"else if {self.condition(1)}") + other)
            return self.action(f"if {self.condition()}") + inner + middle + end
        if kind <= 8:
            return (
                self.action(f"with {self.pick(self.any(1), '$w := ' + self.text())}")
                + inner
                + self.action("else")
                + other
                + end
            )
        variables = self.pick("", "$e := ", "$i, $e := ")
        leave = self.pick(
            "", "", f"{{{{ if {self.condition(1)} }}}}{self.pick('{{ break }}', '{{ continue }}')}{{{{ end }}}}"
        )
        shown = self.pick("{{ . }}", "{{ .Status }}", "{{ $s }}", "{{ len . }}") + ("{{ $e }}" if variables else "")
        return (
            self.action(f"range {variables}{self.pick(LISTS, MAPS, ['nil | print', '2'])}")
            + shown
            + leave
            + other
            + end
        )

    def nodes(self, depth: int) -> str:
        return "".join(self.pick(GAPS) + self.node(depth) for _ in range(self.chance.randrange(1, 3)))

    def template(self) -> str:
        return "{{ $s := .Status }}{{ $n := 3 }}" + self.nodes(2)


HTML = [
    "<p>@</p>",
    '<p title="@" class=@>',
    '<a href="@">',
    '<a href="/x?q=@&r=@#@">',
    "<script>var x = @; f('@', \"@\", /@/)</script>",
    '<p style="color: @; background: url(@)" onclick="f(@, \'@\')">',
    "<style>a { b: @ } /* @ */</style>",
    "<textarea>@</textarea><!-- @ -->",
    '<img srcset="@ 1x, @ 2x" src=@>',
    "<script>var t = `a@b ${@}`;</script>",
]


def page(author: Author) -> str:
    pieces = (author.pick(HTML) for _ in range(2))
    filled = []
    for piece in pieces:
        head, *rest = piece.split("@")
        filled.append(head + "".join(f"{{{{ {author.any(1)} }}}}" + part for part in rest))
    return "{{ $s := .Status }}{{ $n := 3 }}" + "".join(filled)


def rendered(kind: str, template: str, data: Data) -> str | None:
    templates = TemplateSet()
    try:
        return templates.text(template, data, 0) if kind == "text" else templates.html(template, data, 0)
    except TemplateError:
        return None


def is_newer(template: str, want: str | None, said: str) -> bool:
    """Whether 0.28 cannot say what 0.34 says: see docs/compatibility.md, "Names and Values are template.Strings"."""
    return "[]string" in f"{want}{said}" and ("Names" in template or "Values" in template)


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("kind", ["text", "html"])
def test_random_templates_read_as_amtool_reads_them(
    kind: str, seed: int, amtool: Callable[[str], Any], body: str, data: Data
) -> None:
    tool, author = amtool("amtool-next"), Author(seed)
    for _ in range(5):
        template = author.template() if kind == "text" else page(author)
        want, said = tool.render(template, body, kind)
        got = rendered(kind, template, data)
        assert got == want or is_newer(template, want, said), f"{template}\nsaid: {said}"
