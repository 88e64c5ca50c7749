"""Tick: each minute, what is overdue gets a hint again, most urgent first and paced (state.md, rule 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tocsin import lanes
from tocsin.config.plan import Plan
from tocsin.model import SECOND, Span
from tocsin.pipeline.heartbeats import Heartbeats
from tocsin.pipeline.messages import HINT_HORIZON, hint_of
from tocsin.pipeline.rows import put_lane, read_lane
from tocsin.ports import DUE, Clock, Key, Message, Queues, Store, Telemetry, deliver_queue

FEW = 50  # overdue rows that are nothing to spread
EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one tick hints.

    ``limit`` hints at most, the overdue ones ``spread`` over that span, and nothing that is due later than ``horizon``
    from now. The spread must end before the next tick, which would hint what still waits a second time.
    """

    limit: int = 3_000
    spread: Span = 50 * SECOND
    horizon: Span = HINT_HORIZON


A_MINUTE = Pace()  # on AWS: 10,000 overdue groups are worked off in a few minutes, not in a stampede
AT_HOME = Pace(limit=20_000, spread=0, horizon=20 * SECOND)  # every ten seconds; the threads are the pace


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
        pace: Pace = A_MINUTE,
    ) -> None:
        """Take the ports."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry
        self._heartbeats, self._plan, self._pace = heartbeats, plan, pace

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
        """Hint what is overdue or soon due; how many rows that were."""
        now = self._clock.now()
        self._heartbeats.ensure(self._plan())
        due = self._store.due(now + self._pace.horizon, self._pace.limit)
        channels = self._channels([key for key, _ in due if key.pk.startswith("lane#")])
        overdue = sum(1 for _, at in due if at <= now)
        pause = self._pace.spread // overdue if overdue > FEW else 0
        messages: dict[str, list[Message]] = {}
        for number, (key, at) in enumerate(due):
            hint = hint_of(key, channels.get(key, ""))
            if hint.what == "lane" and not hint.channel:
                continue  # settled since the index was written
            queue = deliver_queue(hint.channel) if hint.what == "lane" else DUE
            messages.setdefault(queue, []).append(hint.message(max(at, now + number * pause), now))
        for queue, hints in messages.items():
            self._queues.send(queue, hints)
        self._telemetry.count("ticks")
        if overdue:
            self._telemetry.count("overdue", overdue)
        self._store.sweep(now)
        return len(due)

    def _channels(self, keys: list[Key]) -> dict[Key, str]:
        """Name the channels of lanes: their queues."""
        return {key: read_lane(row).channel for key, row in self._store.get(keys).items()}
