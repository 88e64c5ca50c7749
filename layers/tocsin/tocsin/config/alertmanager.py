"""``alertmanager.yml``, as Alertmanager 0.34 reads it (``config/config.go``), every problem at once."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tocsin.config.document import Findings, Node, known_entries
from tocsin.config.foreign import IGNORED_SECTIONS
from tocsin.config.global_section import GlobalSection
from tocsin.config.plan import InhibitRule, Route
from tocsin.config.reading import children_of, matchers_of, note, text_of, texts_of
from tocsin.config.receivers import Channels, Draft, read_receivers
from tocsin.config.routes import Names, read_routes
from tocsin.config.settings import Workshop, read_settings
from tocsin.errors import TemplateError
from tocsin.intervals import FIELDS, RANGE_FIELDS, TimeInterval, parse_location, parse_range, parse_times, to_json

_SECTIONS = (
    "global", "route", "inhibit_rules", "receivers", "templates", "mute_time_intervals", "time_intervals",
    *IGNORED_SECTIONS,
)  # fmt: skip
_SIDES = ("source", "target")
_RULE_KEYS = ("name", "equal", *(f"{side}_{key}" for side in _SIDES for key in ("match", "match_re", "matchers")))


@dataclass(slots=True)
class Alertmanager:
    """What the file says, ready to become a plan."""

    route: Route | None = None
    receivers: dict[str, Draft] = field(default_factory=dict)
    global_: Mapping[str, Any] = field(default_factory=dict)
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: dict[str, Any] = field(default_factory=dict)


def find_templates(node: Node | None, folder: Path, findings: Findings) -> list[Path]:
    """List the files that the ``templates:`` patterns mean, in Alertmanager's order; relative to the config."""
    found: list[Path] = []
    section = next((value for key, value in node.pairs if key.text == "templates"), None) if node else None
    for child in children_of(section, "templates", findings):
        pattern = str(folder / text_of(child, "each of templates", findings))
        matched = sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207 (absolute patterns)
        if not matched:
            findings.warning(child, f"no template file matches {pattern}")
        found += [Path(path) for path in matched]
    return found


def read_alertmanager(root: Node, channels: Channels, shop: Workshop) -> Alertmanager:
    """Read the whole file; problems are noted in ``shop.findings``."""
    findings = shop.findings
    known = known_entries(root, _SECTIONS, findings, "the config")
    read = Alertmanager()
    empty = Node("mapping", 0, 0)
    section_shop = replace(shop, secrets=shop.shared)
    section = read_settings(known.get("global", empty), GlobalSection, section_shop, name="global", where="global")
    read.global_ = section if section is not None else GlobalSection().model_dump(mode="json")
    read.receivers = read_receivers(known.get("receivers"), channels, read.global_, shop)
    for key in ("mute_time_intervals", "time_intervals"):
        _read_intervals(known.get(key), key, read.time_intervals, shop)
    read.inhibit_rules = tuple(_inhibit_rules(known.get("inhibit_rules"), shop))
    if read.inhibit_rules:
        findings.warning(
            known["inhibit_rules"], "inhibit_rules are checked but not yet asked: inhibited alerts are told"
        )
    if "route" not in known:
        if root.is_mapping:
            findings.error(None, "no route provided in config: add route with a receiver")
        return read
    names = Names(read.receivers, read.time_intervals, lambda node, text: _check_label(node, text, shop))
    read.route = read_routes(known["route"], names, findings)
    return read


def _check_label(node: Node, text: str, shop: Workshop) -> None:
    try:
        shop.check_template(text)
    except TemplateError as error:
        shop.findings.error(node, f"route labels: {error}")


def _inhibit_rules(node: Node | None, shop: Workshop) -> list[InhibitRule]:
    rules: list[InhibitRule] = []
    taken: dict[str, int] = {}
    for child in children_of(node, "inhibit_rules", shop.findings):
        known = known_entries(child, _RULE_KEYS, shop.findings, "inhibit rule")
        equal = texts_of(known.get("equal"), "equal", shop.findings)
        if "" in equal:
            shop.findings.error(known["equal"], 'invalid label name "" in equal list: remove it')
        source, target = (matchers_of(known, f"{side}_", shop.findings) for side in _SIDES)
        wanted = text_of(known.get("name"), "name", shop.findings) or "{} > {} ({})".format(
            ",".join(map(str, source)), ",".join(map(str, target)), ",".join(sorted(equal))
        )
        taken[wanted] = taken.get(wanted, 0) + 1
        rule_id = wanted if taken[wanted] == 1 else f"{wanted}#{taken[wanted]}"
        rules.append(InhibitRule(rule_id, source, target, tuple(dict.fromkeys(equal)), child.line))
    return rules


def _read_intervals(node: Node | None, section: str, into: dict[str, Any], shop: Workshop) -> None:
    what = section.removesuffix("s").replace("_", " ")
    for child in children_of(node, section, shop.findings):
        known = known_entries(child, ("name", "time_intervals"), shop.findings, what)
        name = text_of(known.get("name"), "name", shop.findings)
        intervals = [
            _interval(each, shop)
            for each in children_of(known.get("time_intervals"), f"time_intervals of {name}", shop.findings)
        ]
        if not name:
            shop.findings.error(child, f"missing name in {what}: set name")
        elif name in into:
            shop.findings.error(child, f'{what} "{name}" is not unique: rename it, or remove it here')
        else:
            into[name] = to_json(intervals)


def _interval(node: Node, shop: Workshop) -> TimeInterval:
    known = known_entries(node, FIELDS, shop.findings, "time interval")
    ranges: dict[str, Any] = {}
    for name in RANGE_FIELDS:
        if name in known:
            read = [_range(name, child, shop) for child in children_of(known[name], name, shop.findings)]
            ranges[name] = tuple(each for each in read if each is not None)
    times: tuple[Any, ...] | None = None
    if "times" in known:
        read = [_times(child, shop) for child in children_of(known["times"], "times", shop.findings)]
        times = tuple(each for each in read if each is not None)
    place = known.get("location")
    location = note(shop.findings, place, lambda: parse_location(text_of(place, "location", shop.findings)))
    return TimeInterval(times=times, location=location or "UTC", **ranges)


def _range(name: str, node: Node, shop: Workshop) -> Any:  # noqa: ANN401 (a range or None)
    return note(shop.findings, node, lambda: parse_range(name, text_of(node, f"each of {name}", shop.findings)))


def _times(node: Node, shop: Workshop) -> Any:  # noqa: ANN401 (a range or None)
    known = known_entries(node, ("start_time", "end_time"), shop.findings, "times")
    start, end = (text_of(known.get(key), key, shop.findings) for key in ("start_time", "end_time"))
    return note(shop.findings, node, lambda: parse_times(start, end))
