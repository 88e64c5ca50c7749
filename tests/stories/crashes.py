"""A harness that ends the process at one port call, before or after its effect, and lets the story go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.stories.world import MINUTE, SECOND, START, Permanent, Retry, World, firing, resolved

PORT_CALLS = frozenset(
    {"get", "scan", "write", "commit", "touch", "due", "sweep", "send", "receive", "ack", "postpone", "render"}
)


class Crash(BaseException):
    """The process is gone. No ``except Exception`` may catch it."""


class Saboteur:
    """Counts port calls; at the chosen one the process ends."""

    def __init__(self, at: int = -1, *, after: bool = False) -> None:
        self.calls = 0
        self.at, self.after = at, after
        self.where = ""

    @staticmethod
    def visible(receive: Callable[..., Any], queue: str, *_: Any) -> bool:
        queues = receive.__self__  # type: ignore[attr-defined]
        at = queues.next_visible(queue)
        return at is not None and at <= queues._clock.now()

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def sabotaged(*args: Any, **kwargs: Any) -> Any:
            if name.endswith(".receive") and not self.visible(call, *args):
                return []  # to look into an empty queue has no effect to stand before or after
            number, self.calls = self.calls, self.calls + 1
            if number == self.at and not self.after:
                self.where = name
                raise Crash(f"before {name}")
            answer = call(*args, **kwargs)
            if name.endswith("scan"):
                answer = list(answer)
            if number == self.at and self.after:
                self.where = name
                raise Crash(f"after {name}")
            return answer

        return sabotaged


class Sabotaged:
    """A port whose every call passes the saboteur."""

    def __init__(self, port: Any, saboteur: Saboteur) -> None:
        object.__setattr__(self, "_port", port)
        object.__setattr__(self, "_saboteur", saboteur)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._port, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name in PORT_CALLS:
            return self._saboteur.around(f"{type(self._port).__name__}.{name}", found)
        return found


Step = tuple[Callable[[World], None], int]


def story() -> list[Step]:
    """Firing, repeat, resolve, re-fire with the same start; an alert in two groups; a vendor down, a fallback."""

    def post(*alerts: dict[str, Any]) -> Callable[[World], None]:
        return lambda world: world.alertmanager(*alerts)

    def webhook(outcome: Any) -> Callable[[World], None]:
        return lambda world: setattr(world.vendors["webhook"], "down", outcome)

    both = {"team": "both"}
    return [
        (post(firing("A"), firing("B", **both)), 40 * SECOND),
        (post(firing("A")), 5 * MINUTE),
        (webhook(Permanent("410: gone")), 0),
        (post(resolved("A", end=START + 6 * MINUTE)), 6 * MINUTE),
        (post(firing("A")), 40 * SECOND),
        (webhook(Retry("connection refused")), 0),
        (post(resolved("B", end=START + 12 * MINUTE, **both), firing("C", START + 12 * MINUTE)), 8 * MINUTE),
        (webhook(None), 8 * MINUTE),
        (post(resolved("C", START + 12 * MINUTE, START + 29 * MINUTE)), 12 * MINUTE),
    ]


TRUTH = {"A": True, "B": False, "C": False}


def tell(world: World, revive: Callable[[], None], steps: Iterable[Step]) -> None:
    """Play the story; a crash is survived by starting anew, and what was being done is done again by the world."""
    for action, span in steps:
        end = world.clock.instant + span
        acted = False
        while not acted or world.clock.instant < end:
            try:
                if not acted:
                    action(world)  # a sender that got no answer sends again
                    acted = True
                world.run(max(0, end - world.clock.instant), step=15 * SECOND)
                break
            except Crash:
                revive()


def settle(world: World, revive: Callable[[], None]) -> None:
    """Give every lease, retry and tick the time it needs."""
    tell(world, revive, [(lambda _: None, 15 * MINUTE)])
