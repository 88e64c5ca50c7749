"""Both engines behind one fixture, with a clock that the test owns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.model import SECOND, Instant, Span
from tocsin.ports import Queues, Store

START: Instant = 1_800_000_000 * SECOND


class TestClock:
    """Virtual time: it stands still until the test moves it."""

    __test__ = False

    def __init__(self, now: Instant = START) -> None:
        self.instant = now

    def now(self) -> Instant:
        return self.instant

    def advance(self, span: Span) -> None:
        self.instant += span


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


@pytest.fixture(params=["memory", "disk"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    name: str = request.param
    with sqlite_engine(name, ":memory:" if name == "memory" else tmp_path / "data" / "tocsin.db") as made:
        yield made


@pytest.fixture
def store(engine: Engine) -> Store:
    return engine.store


@pytest.fixture
def queues(engine: Engine) -> Queues:
    return engine.queues
