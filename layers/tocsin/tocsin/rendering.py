"""From a snapshot to what a template, a person and a wire format need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.model import Snapshot
    from tocsin.templates import TemplateSet


@dataclass(frozen=True, slots=True)
class Notification:
    """One version of one lane, about to be rendered once (rule 11).

    ``reason`` is the dedup reason ("first notification"); ``note`` is a sentence for the person, empty in the ordinary
    case ("PagerDuty refused this for 5m: …; you are the fallback of team-a"); every channel shows it.
    ``ref`` is what the vendor answered to earlier versions.
    """

    snapshot: Snapshot
    receiver: str
    reason: str
    delivery_id: str
    templates: TemplateSet
    note: str = ""
    external_url: str = ""
    ref: Mapping[str, Any] = field(default_factory=dict)

    @property
    def firing(self) -> bool:
        """Whether anything still fires."""
        return any(alert.firing for alert in self.snapshot.alerts)
