"""The plan as JSON and back. Lean: the stages read plans on every cold start, so neither pydantic nor YAML is imported.

Routes are a flat list, parents before children, each naming its parent's place: a tree may be deeper than any JSON
parser's recursion. What is empty is left out; everything else is written, defaults too, so that a stored plan keeps its
meaning when a later release changes a default.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tocsin.config.plan import (
    PLAN_SCHEMA,
    HeartbeatRule,
    InhibitRule,
    Integration,
    Plan,
    Receiver,
    Route,
    SourceSettings,
)
from tocsin.errors import ConfigError
from tocsin.matchers import Matcher

_MATCHERS = ("matchers", "source_matchers", "target_matchers")
_NAMES = ("group_by", "mute_time_intervals", "active_time_intervals", "equal", "templates")


@dataclass(frozen=True, slots=True)
class Door:
    """The part of a plan that the receiving function needs: who may come in."""

    epoch: int = 0
    open_on_loopback: bool = False
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)


def to_json(plan: Plan) -> str:
    """Write a plan; equal plans give equal text."""
    document = _flat(plan, leave="route receivers sources heartbeats inhibit_rules")
    document["routes"] = _routes(plan.route)
    document["receivers"] = [
        {**_flat(each, leave="integrations"), "integrations": [_flat(one) for one in each.integrations]}
        for each in plan.receivers.values()
    ]
    document["sources"] = [_flat(each) for each in plan.sources.values()]
    document["heartbeats"] = [_flat(each) for each in plan.heartbeats]
    document["inhibit_rules"] = [_flat(each) for each in plan.inhibit_rules]
    return _dumped(document)


def from_json(text: str) -> Plan:
    """Read a plan.

    Raises:
        ConfigError: when it is no plan, or a newer release wrote it in a schema that this one does not know.
    """
    document = _checked(text)
    try:
        receivers = [
            Receiver(
                **_filled(Receiver, each, leave="integrations"),
                integrations=tuple(Integration(**_filled(Integration, one)) for one in each.get("integrations", ())),
            )
            for each in document["receivers"]
        ]
        return Plan(
            **_filled(Plan, document, leave="route receivers sources heartbeats inhibit_rules"),
            route=_tree(document["routes"]),
            receivers={each.name: each for each in receivers},
            sources=_sources(document),
            heartbeats=tuple(HeartbeatRule(**_filled(HeartbeatRule, each)) for each in document["heartbeats"]),
            inhibit_rules=tuple(InhibitRule(**_filled(InhibitRule, each)) for each in document["inhibit_rules"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"the stored plan is damaged ({error!r}): push the config again") from None


def door_json(plan: Plan) -> str:
    """Write only what ``receive`` needs: epoch, sources, whether loopback is open."""
    return _dumped(
        {
            "schema": plan.schema,
            "epoch": plan.epoch,
            "open_on_loopback": plan.open_on_loopback,
            "sources": [_flat(each) for each in plan.sources.values()],
        }
    )


def door_from_json(text: str) -> Door:
    """Read what ``door_json`` wrote (a whole plan will do); raises ``ConfigError`` as ``from_json`` does."""
    document = _checked(text)
    try:
        return Door(
            epoch=int(document.get("epoch", 0)),
            open_on_loopback=bool(document.get("open_on_loopback", False)),
            sources=_sources(document),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"the stored plan is damaged ({error!r}): push the config again") from None


def _dumped(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _checked(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the stored plan is not JSON ({error}): push the config again") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, int):
        raise ConfigError("the stored plan names no schema: push the config again")
    if schema > PLAN_SCHEMA:
        raise ConfigError(
            f"the stored plan has schema {schema}, this release reads up to {PLAN_SCHEMA}: "
            "deploy the newer release again, or push the config with this one"
        )
    return dict(document)


def _flat(thing: Any, leave: str = "") -> dict[str, Any]:  # noqa: ANN401 (a dataclass of the plan)
    """Give the fields that are not empty; matchers as triples, lists instead of tuples."""
    skipped = leave.split()
    flat: dict[str, Any] = {}
    for each in fields(thing):
        value = getattr(thing, each.name)
        if each.name in skipped or value in ("", (), {}):
            continue
        if each.name in _MATCHERS:
            flat[each.name] = [[matcher.name, matcher.op, matcher.value] for matcher in value]
        else:
            flat[each.name] = list(value) if isinstance(value, tuple) else value
    return flat


def _filled(kind: Any, flat: Mapping[str, Any], leave: str = "") -> dict[str, Any]:  # noqa: ANN401 (a dataclass)
    """Give the keyword arguments for a dataclass; unknown keys of a neighbouring release are left out."""
    skipped = leave.split()
    filled: dict[str, Any] = {}
    for each in fields(kind):
        if each.name in skipped:
            continue
        if each.name in flat:
            value = flat[each.name]
            if each.name in _MATCHERS:
                value = tuple(Matcher(name, op, text) for name, op, text in value)
            filled[each.name] = tuple(value) if each.name in _NAMES else value
        elif each.name in _EMPTY:
            filled[each.name] = _EMPTY[each.name]
    return filled


# Fields without a default, for when they were left out because they are empty.
_EMPTY: dict[str, Any] = {
    "id": "", "key": "", "receiver": "", "kind": "", "channel": "", "name": "", "catch_all": "",
    "matchers": (), "source_matchers": (), "target_matchers": (), "settings": {}, "auth": {},
}  # fmt: skip


def _routes(root: Route) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    waiting: list[tuple[Route, int | None]] = [(root, None)]
    while waiting:
        node, parent = waiting.pop()
        here = len(flat)
        flat.append({**_flat(node, leave="routes"), "parent": parent})
        waiting.extend((child, here) for child in reversed(node.routes))
    return flat


def _tree(flat: list[Mapping[str, Any]]) -> Route:
    children: dict[int, list[Route]] = {}
    for here in range(len(flat) - 1, 0, -1):
        node = Route(**_filled(Route, flat[here], leave="routes"), routes=_in_order(children.pop(here, ())))
        children.setdefault(flat[here]["parent"], []).append(node)
    return Route(**_filled(Route, flat[0], leave="routes"), routes=_in_order(children.pop(0, ())))


def _in_order(backwards: Iterable[Route]) -> tuple[Route, ...]:
    return tuple(reversed(list(backwards)))


def _sources(document: Mapping[str, Any]) -> dict[str, SourceSettings]:
    found = [SourceSettings(**_filled(SourceSettings, each)) for each in document.get("sources", ())]
    return {each.name: each for each in found}
