"""Both engines behind one fixture, with a clock that the test owns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import time_machine
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.model import SECOND, Instant, Span
from tocsin.ports import Queues, Store

from tests.engines.aws_world import World, aws_world

START: Instant = 1_800_000_000 * SECOND


class TestClock:
    """Virtual time: it stands still until the test moves it."""

    __test__ = False

    def __init__(self, now: Instant = START, moved: Callable[[Instant], object] = lambda _: None) -> None:
        self.instant = now
        self._moved = moved

    def now(self) -> Instant:
        return self.instant

    def advance(self, span: Span) -> None:
        self.instant += span
        self._moved(self.instant)


@dataclass(slots=True)
class Engine:
    """A store, its queues and their clock."""

    name: str
    store: Store
    queues: Queues
    clock: TestClock

    def advance(self, span: Span) -> None:
        self.clock.advance(span)


@contextlib.contextmanager
def sqlite_engine(name: str, path: str | Path) -> Iterator[Engine]:
    clock = TestClock()
    store = SqliteStore(path, clock)
    try:
        yield Engine(name, store, SqliteQueues(store, clock), clock)
    finally:
        store.close()


@contextlib.contextmanager
def aws_engine() -> Iterator[tuple[Engine, World]]:
    """moto's queues have a clock of their own, so the machine's is moved along with the test's."""
    with time_machine.travel(START / SECOND, tick=False) as traveller, aws_world() as world:
        clock = TestClock(moved=lambda instant: traveller.move_to(instant / SECOND))
        store = world.store(clock)
        try:
            yield Engine("aws", store, world.queues(clock), clock), world
        finally:
            store.close()


@pytest.fixture(params=["memory", "disk", "aws"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    name: str = request.param
    if name == "aws":
        with aws_engine() as (made, _):
            yield made
    else:
        with sqlite_engine(name, ":memory:" if name == "memory" else tmp_path / "data" / "tocsin.db") as made:
            yield made


@pytest.fixture
def aws() -> Iterator[tuple[Engine, World]]:
    with aws_engine() as made:
        yield made


@pytest.fixture
def store(engine: Engine) -> Store:
    return engine.store


@pytest.fixture
def queues(engine: Engine) -> Queues:
    return engine.queues
