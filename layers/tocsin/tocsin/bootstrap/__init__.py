"""The only place that knows concrete adapters.

What is composed for each home stands in modules of its own; ``compose`` and what it takes and gives are at hand here,
imported when first asked for: ``receive`` on Lambda needs none of the stages behind it, and has one second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.bootstrap.composition import App, Ports, compose, one_channel

__all__ = ["App", "Ports", "compose", "one_channel"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (a module's attribute)
    if name in __all__:
        return getattr(import_module("tocsin.bootstrap.composition"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
