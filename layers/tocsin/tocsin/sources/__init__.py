"""Who may tell Tocsin something. A source is one module; the registry holds dotted names, imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tocsin.ports import Source

REGISTRY: dict[str, str] = {
    "alertmanager": "tocsin.sources.alertmanager:Alertmanager",
    "eventbridge": "tocsin.sources.eventbridge:EventBridge",
    "pingdom": "tocsin.sources.pingdom:Pingdom",
    "tocsin": "tocsin.sources.internal:Internal",  # ourselves: no webhook leads here, only the inbox
}


def source(name: str) -> Source:
    """Make the source of that name."""
    module, _, attribute = REGISTRY[name].partition(":")
    return cast("Source", getattr(import_module(module), attribute)())
