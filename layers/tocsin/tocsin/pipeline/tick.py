"""Tick: each minute, what is overdue gets a hint again, most urgent first and paced (state.md, rule 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tocsin import lanes
from tocsin.config.plan import Plan
from tocsin.model import SECOND, Span
from tocsin.pipeline.heartbeats import Heartbeats
from tocsin.pipeline.messages import HINT_HORIZON, hint_of
from tocsin.pipeline.rows import put_lane, read_lane
from tocsin.ports import DUE, Clock, Key, Queues, Store, Telemetry, deliver_queue

PACE = 500  # hints a tick: a restart with 10,000 overdue groups works them off in minutes, not in a stampede
SPREAD: Span = 50 * SECOND  # over which the overdue ones are spread when there are more than FEW
FEW = 50
EVERYTHING = 1_000_000


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

    def begin(self) -> None:
        """Start as the only process there is: claims are a dead one's, and heartbeats get one more chance.

        What a dead process had begun may have acted, so its claims do not vanish: they end now instead of later.
        """
        self._heartbeats.ensure(self._plan(), fresh_start=True)
        now = self._clock.now()
        claimed = [key for key, _ in self._store.due(now + lanes.LEASE, EVERYTHING) if key.pk.startswith("lane#")]
        for row in self._store.get(claimed).values():
            lane = read_lane(row)
            if lane.claimed_until > now:
                ended = replace(lane, claimed_until=now)
                self._store.write([put_lane(ended, row.version, now, now)])

    def run(self) -> int:
        """Hint what is due within two minutes; how many hints were sent."""
        now = self._clock.now()
        self._heartbeats.ensure(self._plan())
        due = self._store.due(now + HINT_HORIZON, PACE)
        channels = self._channels([key for key, _ in due if key.pk.startswith("lane#")])
        overdue = sum(1 for _, at in due if at <= now)
        pause = SPREAD // overdue if overdue > FEW else 0
        for number, (key, at) in enumerate(due):
            hint = hint_of(key, channels.get(key, ""))
            if hint.what == "lane" and not hint.channel:
                continue  # settled since the index was written
            queue = deliver_queue(hint.channel) if hint.what == "lane" else DUE
            self._queues.send(queue, [hint.message(max(at, now + number * pause), now)])
        self._telemetry.count("ticks")
        if overdue:
            self._telemetry.count("overdue", overdue)
        self._store.sweep(now)
        return len(due)

    def _channels(self, keys: list[Key]) -> dict[Key, str]:
        """Name the channels of lanes: their queues."""
        return {key: read_lane(row).channel for key, row in self._store.get(keys).items()}
