"""The embedded queues beyond the contract: calling workers, old receipts, and hints that may go."""

from __future__ import annotations

from pathlib import Path

import pytest
from tocsin.engines.sqlite import SqliteQueues
from tocsin.engines.sqlite import queues as queues_module
from tocsin.model import MINUTE, SECOND
from tocsin.ports import DUE, INBOX, Message

from tests.engines.conftest import sqlite_engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tocsin.db"


def test_workers_are_called_rather_than_polling(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        queues = engine.queues
        assert isinstance(queues, SqliteQueues)
        called: list[str] = []
        queues.listen(called.append)
        for queue in (INBOX, DUE):
            assert queues.next_visible(queue) is None
            queues.send(queue, [Message("m", SECOND)])
            assert queues.next_visible(queue) == engine.clock.now() + SECOND
            assert queues.depth(queue) == 1
        engine.advance(SECOND)
        for queue in (INBOX, DUE):
            (received,) = queues.receive(queue)
            assert queues.next_visible(queue) == engine.clock.now() + MINUTE
            queues.postpone(queue, received.receipt, 3 * SECOND)
            assert queues.next_visible(queue) == engine.clock.now() + 3 * SECOND
            queues.ack(queue, [received.receipt])
            assert (queues.next_visible(queue), queues.depth(queue)) == (None, 0)
        assert called == [INBOX, DUE, INBOX, DUE]


@pytest.mark.parametrize("queue", [INBOX, DUE])
def test_whoever_lost_a_message_cannot_hand_it_back(queue: str) -> None:
    with sqlite_engine("memory", ":memory:") as engine:
        engine.queues.send(queue, [Message("m")])
        (first,) = engine.queues.receive(queue)
        engine.advance(2 * MINUTE)
        (second,) = engine.queues.receive(queue)
        engine.queues.postpone(queue, first.receipt, 0)
        assert list(engine.queues.receive(queue)) == []
        engine.queues.postpone(queue, second.receipt, 0)
        assert [message.count for message in engine.queues.receive(queue)] == [3]


def test_an_id_is_never_used_again(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.queues.send(INBOX, [Message("one")])
        (one,) = engine.queues.receive(INBOX)
        engine.queues.ack(INBOX, [one.receipt])
    with sqlite_engine("disk", path) as engine:
        engine.queues.send(INBOX, [Message("two")])
        engine.queues.ack(INBOX, [one.receipt])  # late, and for something else
        assert [message.body for message in engine.queues.receive(INBOX)] == ["two"]


def test_hints_beyond_what_memory_keeps_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues_module, "HINTS_KEPT", 5)
    with sqlite_engine("memory", ":memory:") as engine:
        for _ in range(3):
            engine.queues.send(DUE, [Message("a"), Message("b"), Message("c")])
        assert len(engine.queues.receive(DUE, 100)) == 5
        engine.queues.send(INBOX, [Message("never dropped")] * 20)
        assert len(engine.queues.receive(INBOX, 100)) == 20


def test_a_thousand_hints_taken_and_dropped_leave_nothing_behind() -> None:
    with sqlite_engine("memory", ":memory:") as engine:
        queues = engine.queues
        assert isinstance(queues, SqliteQueues)
        for _ in range(50):
            queues.send(DUE, [Message("m", n * SECOND) for n in range(20)])
            queues.ack(DUE, [message.receipt for message in queues.receive(DUE)])
            engine.advance(MINUTE)
        while batch := queues.receive(DUE):
            queues.ack(DUE, [message.receipt for message in batch])
        hints = queues._hints[DUE]
        assert (hints.waiting, hints.heap) == ({}, [])
