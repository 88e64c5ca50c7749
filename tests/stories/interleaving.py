"""Several workers over one store, handing a baton at each port call: a seed decides who goes on, what dies, when."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tocsin.bootstrap import App, Ports, compose
from tocsin.config.plan import Plan
from tocsin.engines.local import LocalSecrets, Nobody
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.ports import Attempt, Outcome, Permanent, Retry, Throttled

from tests.stories.crashes import PORT_CALLS, Crash
from tests.stories.world import ALL, MINUTE, SECOND, Recorder, Vendor, VirtualClock, World

TIME_LIMIT = 60 * SECOND  # what a worker's step may take, as on Lambda; the lease is longer
IDLE_LOOKS = 6  # looks into empty queues in a row, after which time jumps


class Baton:
    """One thread runs at a time; at each ``pause`` the seed says who is next."""

    def __init__(self, seed: int, clock: VirtualClock) -> None:
        self.rng = random.Random(seed)
        self.clock = clock
        self.actors: list[Actor] = []
        self.main = threading.Semaphore(0)
        self.idle = 0

    def step(self) -> None:
        actor = self.rng.choice(self.actors)
        actor.go.release()
        self.main.acquire()

    def current(self) -> Actor | None:
        me = threading.current_thread()
        return next((actor for actor in self.actors if actor.thread is me), None)

    def pause(self) -> None:
        actor = self.current()
        if actor is None:
            return
        self.main.release()
        actor.go.acquire()
        if actor.doomed or self.clock.now() - actor.began > TIME_LIMIT:
            actor.doomed = False
            raise Crash


class Passing:
    """A port that hands the baton on before each of its calls."""

    def __init__(self, port: Any, baton: Baton) -> None:
        self._port, self._baton = port, baton

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in PORT_CALLS:
            return found

        def passing(*args: Any, **kwargs: Any) -> Any:
            self._baton.pause()
            self._baton.clock.instant += 1  # no two calls have the same instant
            answer = found(*args, **kwargs)
            if name == "receive":
                self._baton.idle = 0 if answer else self._baton.idle + 1
            return list(answer) if name == "scan" else answer

        return passing


class SlowVendor:
    """A vendor that takes its time: others go on, the clock moves, faults come and go; two requests are seen."""

    def __init__(self, vendor: Vendor, baton: Baton) -> None:
        self._vendor, self._baton = vendor, baton
        self.in_flight: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vendor, name)

    def send(self, attempt: Attempt) -> Outcome:
        lane = attempt.delivery_id.rpartition("-")[0]
        assert lane not in self.in_flight, "two requests in flight on one lane"
        self.in_flight.add(lane)
        rng, clock = self._baton.rng, self._baton.clock
        try:
            self._baton.pause()
            clock.instant += rng.choice((0, 0, 0, 1, 10, 19)) * SECOND
            if self._vendor.down is not None and rng.random() < 0.9:
                return self._vendor.down
            fate = rng.random()
            if fate < 0.05:
                return Throttled(rng.choice((1, 20)) * SECOND, "429")
            if fate < 0.1:
                return Retry("503")
            if fate < 0.12:
                return Permanent("400")
            outcome = self._vendor.act(attempt)
            self._baton.pause()
            return Retry("reset", maybe=True) if fate < 0.2 else outcome
        finally:
            self.in_flight.discard(lane)


class Actor:
    """A worker process: it does what the seed says, dies when it must, and is started anew."""

    def __init__(self, name: str, baton: Baton, make: Callable[[str], App]) -> None:
        self.name, self.baton, self.make = name, baton, make
        self.go = threading.Semaphore(0)
        self.doomed, self.stopping = False, False
        self.began = 0
        self.deaths = 0
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._live, daemon=True)
        baton.actors.append(self)
        self.thread.start()

    def _live(self) -> None:
        self.go.acquire()
        app = self.make(f"{self.name}.0")
        while not self.stopping:
            try:
                self.began = self.baton.clock.now()
                self._step(app)
                self.baton.pause()
            except Crash:
                self.deaths += 1
                app = self.make(f"{self.name}.{self.deaths}")
            except BaseException as error:  # noqa: BLE001 (told to the test, which fails with it)
                self.failure = error
                break
        self.baton.main.release()

    def _step(self, app: App) -> None:
        rng, worker = self.baton.rng, app.worker
        kind = rng.random()
        if kind < 0.03:
            app.tick.run()
        elif kind < 0.35:
            worker.inbox()
        elif kind < 0.55:
            worker.due()
        else:
            worker.deliver(rng.choice(worker.channels))


class Crowd:
    """Several workers, their vendors, and one clock."""

    def __init__(self, seed: int, a_plan: Plan, workers: int = 3, deaths: float = 0.002) -> None:
        self.clock = VirtualClock()
        self.baton = Baton(seed, self.clock)
        self.store = SqliteStore(":memory:", clock=self.clock)
        self.queues = SqliteQueues(self.store, self.clock)
        self.telemetry = Recorder()
        self.vendors = {name: SlowVendor(kind(), self.baton) for name, kind in ALL.items()}
        self.plan, self.deaths = a_plan, deaths
        plain = Ports(self.store, self.queues, LocalSecrets(), self.clock, self.telemetry, Nobody())
        self.world = World(a_plan, ports=plain, vendors=self.vendors)  # type: ignore[arg-type]
        self.world.clock, self.world.telemetry = self.clock, self.telemetry
        self.passing = replace(plain, store=Passing(self.store, self.baton), queues=Passing(self.queues, self.baton))
        self.workers = [Actor(f"worker{n}", self.baton, self._make) for n in range(workers)]

    def _make(self, name: str) -> App:
        return compose(self.passing, self.plan, worker=name, channel=lambda channel: self.vendors[channel])

    def run_until(self, instant: int) -> None:
        """Let the workers work, one port call at a time, until that instant."""
        rng = self.baton.rng
        while self.clock.instant < instant:
            if rng.random() < self.deaths:
                rng.choice(self.workers).doomed = True
            self.baton.step()
            for worker in self.workers:
                if worker.failure is not None:
                    raise worker.failure
            if self.baton.idle > IDLE_LOOKS * len(self.workers):
                self.clock.instant += rng.choice((1, 5, 15)) * SECOND
                self.baton.idle = 0

    def settle(self) -> World:
        """End the workers, let the vendors be well, and give one undisturbed worker the time it needs."""
        for worker in self.workers:
            worker.stopping = worker.doomed = True
        while any(worker.thread.is_alive() for worker in self.workers):
            for worker in self.workers:
                worker.go.release()
            for worker in self.workers:
                worker.thread.join(0.01)
        self.baton.actors.clear()
        self.baton.rng = _Kind()  # type: ignore[assignment]
        for vendor in self.vendors.values():
            vendor._vendor.down = None
        self.clock.instant += 2 * MINUTE
        self.world.run(25 * MINUTE, step=15 * SECOND)
        return self.world


class _Kind:
    """No faults, no delays."""

    @staticmethod
    def choice(among: tuple[Any, ...]) -> Any:
        return among[0]

    @staticmethod
    def random() -> float:
        return 0.99
