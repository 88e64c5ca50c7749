"""Our templates beside Alertmanager's own amtool, line by line of ``expressions.txt`` and ``html.txt``.

Where the two differ there must be a named exception, and docs/compatibility.md must name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tocsin.errors import TemplateError
from tocsin.templates import Data, TemplateSet, load_data

HERE = Path(__file__).parent
COMPATIBILITY = HERE.parents[1] / "docs" / "compatibility.md"
DEFAULT_TEMPLATES = Path("/usr/share/prometheus/alertmanager/default.tmpl")  # of Debian's package

pytestmark = pytest.mark.oracle

# The differences there may be, by the name that docs/compatibility.md gives them: what amtool must have said or
# written for the exception to apply. All but the last two are amtool's age.
EXCEPTIONS = {
    "Newer functions": r'function "(safeUrl|urlUnescape|trimSpace|date|tz|humanizeDuration)" not defined',
    "Label sets print as a=1, b=2": (
        r"map\[\w+:|\[\{\w+ [^}]*\}|field String in type template\.(Pairs|KV)|= \{\"alertname\":"
    ),
    "Names and Values are template.Strings": r"\[\]string",
    "The data has newer fields": r"^\{team-X firing ",
    "Range over a number": r"range can't iterate over \d",
    "Else with": r"unexpected <with> in else",
    "Newer methods of times": r"can't evaluate field Compare in type time\.Time",
    "JavaScript template literals": r"appears in a JS template literal",
    "Ends of scripts within scripts": r"</script>",
    "Empty values of unquoted attributes": r"=>| >|= ",
}
ONLY_OLD = {
    "Label sets print as a=1, b=2",
    "Range over a number",
    "Else with",
    "Newer methods of times",
    "JavaScript template literals",
    "Ends of scripts within scripts",
    "Empty values of unquoted attributes",
}


def lines(name: str) -> Iterator[str]:
    for line in (HERE / name).read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            yield line


def rendered(kind: str, template: str, data: Data) -> tuple[str | None, str]:
    templates = TemplateSet()
    try:
        return (templates.text if kind == "text" else templates.html)(template, data, 0), ""
    except TemplateError as error:
        return None, str(error)


def excuse(command: str, want: str | None, said: str) -> str:
    for name, pattern in EXCEPTIONS.items():
        if name in ONLY_OLD and command != "amtool":
            continue
        if re.search(pattern, said if want is None else want):
            return name
    return ""


@pytest.mark.parametrize("command", ["amtool", "amtool-next"])
@pytest.mark.parametrize(("kind", "table"), [("text", "expressions.txt"), ("html", "html.txt")])
def test_every_line_of_the_table_reads_as_amtool_reads_it(
    command: str, kind: str, table: str, amtool: Callable[[str], Any], body: str, data: Data
) -> None:
    tool = amtool(command)
    differences, compared = [], 0
    for template in lines(table):
        want, said = tool.render(template, body, kind)
        got, complaint = rendered(kind, template, data)
        compared += 1
        if got != want and not excuse(command, want, said):
            differences.append(f"{template}\n  amtool: {want!r} {said.strip()}\n  tocsin: {got!r} {complaint}")
    assert not differences, "\n".join(differences)
    assert compared > 80, "the table must not shrink unseen"


def test_the_newer_amtool_needs_few_excuses(amtool: Callable[[str], Any], body: str, data: Data) -> None:
    tool = amtool("amtool-next")
    excused = [
        template
        for template in lines("expressions.txt")
        if rendered("text", template, data)[0] != tool.render(template, body)[0]
    ]
    assert len(excused) <= 6, excused


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_is_documented(name: str) -> None:
    assert f"**{name}.**" in COMPATIBILITY.read_text(encoding="utf-8")


STATES = {
    "all of them": [0, 1, 2],
    "only firing ones": [0, 2],
    "only resolved ones": [1],
    "none at all": [],
}


@pytest.mark.parametrize("dot", [".", ".Alerts", ".Alerts.Firing"])
@pytest.mark.parametrize("chosen", STATES)
def test_default_templates_write_what_alertmanagers_write(
    chosen: str, dot: str, amtool: Callable[[str], Any], body: str
) -> None:
    if not DEFAULT_TEMPLATES.exists():
        pytest.skip("Debian's prometheus-alertmanager, which has the default templates as a file, is not installed")

    told = json.loads(body)
    told["alerts"] = [told["alerts"][index] for index in STATES[chosen]]
    told["status"] = "firing" if any(alert["status"] == "firing" for alert in told["alerts"]) else "resolved"
    told["receiver"] = "team X/é"
    tool, templates = amtool("amtool-next"), TemplateSet()
    names = re.findall(r'define "([^"]+)"', DEFAULT_TEMPLATES.read_text(encoding="utf-8"))
    assert len(names) > 30
    asked = {name: f'{{{{ template "{name}" {dot} }}}}' for name in names}
    data = load_data(json.dumps(told))
    written = {name: text for name, text in asked.items() if rendered("text", text, data)[0] is not None}
    # All that succeed in one call, each of the others in its own: it must fail there too.
    together = "<<>>".join(written.values())
    want, said = tool.render(together, json.dumps(told), glob=str(DEFAULT_TEMPLATES))
    assert templates.text(together, data, 0) == want, said
    for name in asked.keys() - written.keys():
        assert tool.render(asked[name], json.dumps(told), glob=str(DEFAULT_TEMPLATES))[0] is None, name
