"""The wire body of one version of a lane: rendered once, stored, retried byte for byte (state.md, rule 11)."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from tocsin.config.plan import Integration, Plan
from tocsin.errors import TemplateError
from tocsin.lanes import Lane
from tocsin.model import Instant
from tocsin.pipeline import blobs, snapshots
from tocsin.ports import Channel, Store, Telemetry
from tocsin.rendering import Notification
from tocsin.templates import TemplateSet


@dataclass(frozen=True, slots=True)
class Wire:
    """What is sent, and what one must know of it without reading it."""

    version: int
    fires: bool
    reason: str
    delivery_id: str
    body: bytes


def stored_or_rendered(
    store: Store,
    lane: Lane,
    version: int,
    integration: Integration,
    channel: Channel,
    plan: Plan,
    telemetry: Telemetry,
    now: Instant,
) -> Wire:
    """Give the body of a version: the stored one if there is one, else render it and store it first.

    Raises:
        StoreError: an older version was never stored, or the snapshot is gone.
    """
    name = f"wire-{lane.id}-{version}"
    owed = lane.owed
    if lane.tried >= version or owed is None or owed.version != version:
        return _read(blobs.get(store, name))
    snapshot = snapshots.from_json(
        blobs.get_json(store, owed.snapshot), firing_only=owed.fires and not integration.send_resolved
    )
    wire_id = f"{lane.id}-{version}"
    notification = Notification(
        snapshot=snapshot, receiver=lane.receiver, reason=owed.reason, delivery_id=wire_id,
        templates=_templates(plan.templates), note=owed.note, external_url=plan.external_url, ref=lane.ref,
    )  # fmt: skip
    try:
        body = channel.render(notification, integration.settings)
    except TemplateError as error:
        telemetry.count("template_errors", channel=channel.name)
        telemetry.log(
            "error", "a template failed", receiver=lane.receiver, integration=integration.id, error=str(error)
        )
        forgiving = cast("TemplateSet", Forgiving(notification.templates))
        body = channel.render(replace(notification, templates=forgiving), integration.settings)
    wire = Wire(version, owed.fires, owed.reason, wire_id, body)
    if blobs.put(store, name, _written(wire), now):
        return wire
    return _read(blobs.get(store, name))  # somebody rendered it before us: theirs may have been sent


class Forgiving:
    """Templates that fail in words: a page with a broken sentence beats a page that never goes out."""

    def __init__(self, templates: TemplateSet) -> None:
        """Take the templates that failed."""
        self._templates = templates

    def text(self, template: str, data: Any, now: Instant) -> str:  # noqa: ANN401 (what templates see)
        """Expand, or say what failed."""
        try:
            return self._templates.text(template, data, now)
        except TemplateError as error:
            return f"[template failed: {error}]"

    def html(self, template: str, data: Any, now: Instant) -> str:  # noqa: ANN401 (what templates see)
        """Expand, or say what failed."""
        try:
            return self._templates.html(template, data, now)
        except TemplateError as error:
            return html.escape(f"[template failed: {error}]")


@lru_cache(maxsize=8)
def _templates(sources: tuple[str, ...]) -> TemplateSet:
    return TemplateSet(sources)


def _written(wire: Wire) -> bytes:
    head = json.dumps([wire.version, wire.fires, wire.reason, wire.delivery_id])
    return head.encode() + b"\n" + wire.body


def _read(stored: bytes) -> Wire:
    head, _, body = stored.partition(b"\n")
    version, fires, reason, delivery_id = json.loads(head)
    return Wire(version, fires, reason, delivery_id, body)
