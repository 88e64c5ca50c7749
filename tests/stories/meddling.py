"""A store that lets something else happen just before a call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tocsin.bootstrap import compose

from tests.stories.world import World


class Meddled:
    """A store that lets something else happen just before a call."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.before: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            meddle = self.before.get(name)
            if meddle is not None:
                meddle(*args)
            return found(*args, **kwargs)

        return call if name in {"get", "write", "commit", "touch"} else found


def meddled(world: World) -> Meddled:
    """Give the world's worker a store that can be meddled with; its receiver and a second worker have the plain one."""
    store = Meddled(world.ports.store)
    second = world.app
    ports = replace(world.ports, store=store)
    world.app = compose(ports, second.plans.current(), worker="meddled", channel=lambda name: world.vendors[name])
    store.second = second
    return store
