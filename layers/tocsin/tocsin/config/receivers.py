"""Receivers: named lists of integrations, from ``alertmanager.yml`` and, merged by name, from ``tocsin.yml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tocsin.config.document import Node, entries, known_entries
from tocsin.config.foreign import FOREIGN, SPOKEN, ForeignKind
from tocsin.config.plan import Integration, Receiver
from tocsin.config.reading import bool_of, children_of, labels_of, span_of, text_of
from tocsin.config.settings import Workshop, read_settings
from tocsin.model import HOUR, MINUTE, Span

if TYPE_CHECKING:
    from pydantic import BaseModel

_SUFFIX = "_configs"
FALLBACK_AFTER: Span = 5 * MINUTE
GIVE_UP_AFTER: Span = 24 * HOUR


@dataclass(frozen=True, slots=True)
class ChannelSchema:
    """What the loader must know of a channel: its name in the registry and one entry's schema and defaults."""

    name: str
    model: type[BaseModel]
    send_resolved: bool
    resolve_when_muted: bool = False

    @classmethod
    def of(cls, channel: Any) -> ChannelSchema:  # noqa: ANN401 (a class that fulfils ports.Channel, two floors up)
        """Ask a channel's class."""
        return cls(channel.name, channel.settings_model(), channel.send_resolved, channel.resolve_when_muted)


Channels = Mapping[str, ChannelSchema]
"""Config key → schema."""


@dataclass(slots=True)
class Draft:
    """A receiver as far as it has been read."""

    name: str
    node: Node
    integrations: list[Integration] = field(default_factory=list)
    fallback: str = ""
    fallback_node: Node | None = None
    fallback_after: Span = FALLBACK_AFTER
    give_up_after: Span = GIVE_UP_AFTER
    resolve_when_muted: bool | None = None
    beside: bool = False  # only tocsin.yml knows it

    def _integrations(self) -> Iterable[Integration]:
        if self.resolve_when_muted is None:
            return self.integrations
        return (replace(each, resolve_when_muted=self.resolve_when_muted) for each in self.integrations)

    def finished(self) -> Receiver:
        """Give what the plan holds."""
        return Receiver(
            name=self.name,
            integrations=tuple(self._integrations()),
            fallback=self.fallback,
            fallback_after=self.fallback_after,
            give_up_after=self.give_up_after,
            line=self.node.line,
        )


def read_receivers(
    node: Node | None, channels: Channels, global_: Mapping[str, Any], shop: Workshop
) -> dict[str, Draft]:
    """Read the ``receivers:`` of ``alertmanager.yml``."""
    drafts: dict[str, Draft] = {}
    config_keys = {*FOREIGN, *SPOKEN}
    for child in children_of(node, "receivers", shop.findings):
        known = known_entries(child, {"name", "labels", *config_keys}, shop.findings, "receiver")
        name = text_of(known.get("name"), "name", shop.findings)
        if not name:
            shop.findings.error(child, "missing name in receiver: set name")
        elif name in drafts:
            first = drafts[name].node.line
            shop.findings.error(child, f'notification config name "{name}" is not unique: line {first} has it too')
        _check_labels(known.get("labels"), name, shop)
        draft = Draft(name, child)
        for key in known:
            if key in config_keys:
                read_integrations(draft, key, known[key], channels, global_, shop)
        if name:
            drafts.setdefault(name, draft)
    return drafts


def read_integrations(
    draft: Draft, key: str, node: Node, channels: Channels, global_: Mapping[str, Any], shop: Workshop
) -> None:
    """Read one ``*_configs`` list into a receiver."""
    kind = key.removesuffix(_SUFFIX)
    for child in children_of(node, key, shop.findings):
        place = sum(1 for each in draft.integrations if each.kind == kind)
        if key in channels:
            _read_spoken(draft, f"{kind}/{place}", child, channels[key], global_, shop)
        else:
            _read_foreign(draft, f"{kind}/{place}", child, key, shop)


def _read_spoken(
    draft: Draft, integration_id: str, node: Node, schema: ChannelSchema, global_: Mapping[str, Any], shop: Workshop
) -> None:
    kind = integration_id.partition("/")[0]
    if node.is_null:
        shop.findings.error(node, f"missing {kind} config: write its settings or remove the dash")
        return
    if not node.is_mapping:
        shop.findings.error(node, f"each of {kind}{_SUFFIX} must be a mapping of keys to values, not {node.describe()}")
        return
    keys = entries(node, shop.findings)
    if not shop.join_all:
        _refuse_own(keys, schema, kind, shop)
    _, send_resolved = keys.pop("send_resolved", (node, None))
    settings = read_settings(
        Node(node.kind, node.line, node.column, pairs=list(keys.values())),
        schema.model,
        shop,
        name=f"{schema.name}/{draft.name.replace('/', '-')}/{integration_id.partition('/')[2]}",
        where=f"{kind}{_SUFFIX}",
        global_=global_,
    )
    if settings is not None:
        draft.integrations.append(
            Integration(
                id=integration_id,
                kind=kind,
                channel=schema.name,
                settings=settings,
                send_resolved=_send_resolved(send_resolved, schema.send_resolved, shop),
                resolve_when_muted=schema.resolve_when_muted,
                line=node.line,
            )
        )


def _refuse_own(keys: Mapping[str, tuple[Node, Node]], schema: ChannelSchema, kind: str, shop: Workshop) -> None:
    ours = {info.alias or name for name, info in schema.model.model_fields.items()} - SPOKEN[f"{kind}{_SUFFIX}"]
    for key, _ in keys.values():
        if key.text in ours:
            shop.findings.error(
                key,
                f'"{key.text}" is Tocsin\'s own, and Alertmanager would refuse this file: '
                f"move these {kind}{_SUFFIX} to the receiver of that name in tocsin.yml",
            )


def _read_foreign(draft: Draft, integration_id: str, node: Node, key: str, shop: Workshop) -> None:
    """Note a kind that Tocsin does not speak; its settings, secrets among them, stay out of the plan."""
    kind = FOREIGN.get(key) or ForeignKind(SPOKEN[key])
    known = known_entries(node, kind.keys, shop.findings, key)
    draft.integrations.append(
        Integration(
            id=integration_id,
            kind=integration_id.partition("/")[0],
            channel="",
            settings={},
            send_resolved=_send_resolved(known.get("send_resolved"), kind.send_resolved, shop),
            line=node.line,
        )
    )
    shop.findings.warning(node, f"Tocsin does not speak {key}: what would go there goes to the catch-all, saying so")


def _send_resolved(node: Node | None, default: bool, shop: Workshop) -> bool:
    return bool_of(node, "send_resolved", shop.findings, default=default)


def _check_labels(node: Node | None, name: str, shop: Workshop) -> None:
    labels = labels_of(node, "receiver labels", shop.findings)
    if node is not None and labels.get("name", name) != name:
        shop.findings.error(node, f'receiver label "name" must match receiver name "{name}": remove the label')


_BESIDE_KEYS = ("name", "fallback", "fallback_after", "give_up_after", "resolve_when_muted")


def merge_receivers(
    node: Node | None, drafts: dict[str, Draft], channels: Channels, global_: Mapping[str, Any], shop: Workshop
) -> None:
    """Merge the ``receivers:`` of ``tocsin.yml`` into those of ``alertmanager.yml``, by name."""
    seen: dict[str, int] = {}
    for child in children_of(node, "receivers", shop.findings):
        known = known_entries(child, {*_BESIDE_KEYS, *channels}, shop.findings, "receiver of tocsin.yml")
        name = text_of(known.get("name"), "name", shop.findings)
        if not name:
            shop.findings.error(child, "missing name in receiver: set the name it has in alertmanager.yml")
            continue
        if name in seen:
            shop.findings.error(child, f'receiver "{name}" is not unique: line {seen[name]} has it too')
            continue
        seen[name] = child.line
        draft = drafts.setdefault(name, Draft(name, child, beside=True))
        for key in known:
            if key in channels:
                read_integrations(draft, key, known[key], channels, global_, shop)
        draft.fallback = text_of(known.get("fallback"), "fallback", shop.findings)
        draft.fallback_node = known.get("fallback")
        draft.fallback_after = span_of(known.get("fallback_after"), "fallback_after", shop.findings, FALLBACK_AFTER)
        draft.give_up_after = span_of(known.get("give_up_after"), "give_up_after", shop.findings, GIVE_UP_AFTER)
        if "resolve_when_muted" in known:
            draft.resolve_when_muted = bool_of(
                known["resolve_when_muted"], "resolve_when_muted", shop.findings, default=False
            )
