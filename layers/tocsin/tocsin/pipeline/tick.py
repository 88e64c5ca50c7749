"""Tick: each minute, what is overdue gets a hint again, most urgent first and paced (state.md, rule 12)."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.config.plan import Plan
from tocsin.model import SECOND, Span
from tocsin.pipeline.heartbeats import Heartbeats
from tocsin.pipeline.messages import HINT_HORIZON, hint_of
from tocsin.pipeline.rows import read_lane
from tocsin.ports import DUE, Clock, Key, Queues, Store, Telemetry, deliver_queue

PACE = 500  # hints a tick: a restart with 10,000 overdue groups works them off in minutes, not in a stampede
SPREAD: Span = 50 * SECOND  # over which the overdue ones are spread when there are more than FEW
FEW = 50


class Tick:
    """The stage."""

    def __init__(
        self,
        *,
        store: Store,
        queues: Queues,
        clock: Clock,
        telemetry: Telemetry,
        heartbeats: Heartbeats,
        plan: Callable[[], Plan],
    ) -> None:
        """Take the ports."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry
        self._heartbeats, self._plan = heartbeats, plan
        self._fresh_start = False

    def begin(self) -> None:
        """Say that this process has been away: heartbeats get one more chance before they are missed."""
        self._heartbeats.ensure(self._plan(), fresh_start=True)

    def run(self) -> int:
        """Hint what is due within two minutes; how many hints were sent."""
        now = self._clock.now()
        self._heartbeats.ensure(self._plan())
        due = self._store.due(now + HINT_HORIZON, PACE)
        lanes = self._lanes([key for key, _ in due if key.pk.startswith("lane#")])
        overdue = sum(1 for _, at in due if at <= now)
        pause = SPREAD // overdue if overdue > FEW else 0
        for number, (key, at) in enumerate(due):
            hint = hint_of(key, lanes.get(key, ""))
            if hint.what == "lane" and not hint.channel:
                continue  # settled since the index was written
            queue = deliver_queue(hint.channel) if hint.what == "lane" else DUE
            self._queues.send(queue, [hint.message(max(at, now + number * pause), now)])
        self._telemetry.count("ticks")
        if overdue:
            self._telemetry.count("overdue", overdue)
        self._store.sweep(now)
        return len(due)

    def _lanes(self, keys: list[Key]) -> dict[Key, str]:
        """Name the channels of lanes: their queues."""
        return {key: read_lane(row).channel for key, row in self._store.get(keys).items()}
