"""The script of faults that a vendor plays: what goes wrong with the next requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

LONGEST_DELAY = 30.0  # seconds; a slow vendor is slow, not gone


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``status`` answers with that code instead of the vendor's own; with ``acts`` the vendor has acted first.
    ``reset`` drops the connection ``"before"`` or ``"after"`` acting. ``malformed`` acts and answers with garbage.
    ``delay`` (seconds) comes before everything else. ``match`` limits the fault to requests whose path (for SMTP: whose
    command) contains it. A fault without ``status``, ``reset`` and ``malformed`` only delays.
    """

    status: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: str = ""
    acts: bool = False
    malformed: bool = False
    delay: float = 0.0
    match: str = ""


class Faults:
    """Faults in the order in which they will be played. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._script: list[Fault] = []
        self._standing: list[Fault] = []

    def next(self, *, times: int = 1, retry_after: float | str | None = None, **fault: Any) -> None:  # noqa: ANN401
        """Play this fault on the next ``times`` requests; keywords are those of ``Fault`` and ``retry_after``."""
        with self._lock:
            self._script.extend([_fault(retry_after, fault)] * times)

    def always(self, *, retry_after: float | str | None = None, **fault: Any) -> None:  # noqa: ANN401
        """Play this fault on every request until ``clear``: an outage."""
        with self._lock:
            self._standing.append(_fault(retry_after, fault))

    def clear(self) -> None:
        """Forget the script: the vendor is well again."""
        with self._lock:
            self._script.clear()
            self._standing.clear()

    def take(self, label: str) -> Fault | None:
        """Take the first fault that fits a request's path or command, if there is one."""
        with self._lock:
            for index, fault in enumerate(self._script):
                if fault.match in label:
                    return self._script.pop(index)
            return next((fault for fault in self._standing if fault.match in label), None)

    @property
    def left(self) -> int:
        """How many faults of the script have not been played yet."""
        with self._lock:
            return len(self._script)


def _fault(retry_after: float | str | None, fields: Mapping[str, Any]) -> Fault:
    fault = Fault(**fields)
    if fault.reset not in {"", "before", "after"}:
        raise ValueError(f"reset is 'before' or 'after', not {fault.reset!r}")
    if retry_after is not None:
        fault = replace(fault, headers={**fault.headers, "Retry-After": str(retry_after)})
    return replace(fault, delay=min(fault.delay, LONGEST_DELAY))
