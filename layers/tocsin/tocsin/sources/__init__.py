"""Who may tell Tocsin something. A source is one module; the registry holds dotted names, imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tocsin.ports import Source

INTERNAL = "tocsin"  # ourselves: no webhook may lead there, only the inbox
REGISTRY: dict[str, str] = {
    "alertmanager": "tocsin.sources.alertmanager:Alertmanager",
    "eventbridge": "tocsin.sources.eventbridge:EventBridge",
    "pingdom": "tocsin.sources.pingdom:Pingdom",
    INTERNAL: "tocsin.sources.internal:Internal",
}
STRANGERS = tuple(name for name in REGISTRY if name != INTERNAL)  # the kinds that a config may name


def source(name: str) -> Source:
    """Make the source of that name."""
    module, _, attribute = REGISTRY[name].partition(":")
    return cast("Source", getattr(import_module(module), attribute)())
