"""The contract of ``Queues``: at least once, in no order, counted; in virtual time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tocsin.model import MINUTE, SECOND
from tocsin.ports import DUE, INBOX, Message, Queues, Received, deliver_queue

ALL = [INBOX, DUE, deliver_queue("slack")]

pytestmark = pytest.mark.parametrize("queue", ALL)


def take_all(queues: Queues, queue: str) -> list[Received]:
    taken: list[Received] = []
    while batch := queues.receive(queue):
        taken.extend(batch)
    return taken


def test_an_empty_queue_gives_nothing(queues: Queues, queue: str) -> None:
    queues.send(queue, [])
    queues.ack(queue, [])
    assert list(queues.receive(queue)) == []


def test_what_is_sent_comes_out_counted_and_stamped(engine: Any, queue: str) -> None:
    bodies = ["{}", "naïve 🔥", "x" * 200_000]
    engine.queues.send(queue, [Message(body) for body in bodies])
    taken = take_all(engine.queues, queue)
    assert sorted(m.body for m in taken) == sorted(bodies)
    assert {(m.count, m.sent_at) for m in taken} == {(1, engine.clock.now())}
    assert len({m.id for m in taken}) == len({m.receipt for m in taken}) == 3


def test_what_is_acknowledged_never_comes_back(engine: Any, queue: str) -> None:
    engine.queues.send(queue, [Message(str(n)) for n in range(5)])
    engine.queues.ack(queue, [m.receipt for m in take_all(engine.queues, queue)])
    engine.advance(10 * MINUTE)
    assert take_all(engine.queues, queue) == []


def test_what_is_not_acknowledged_comes_back_counted(engine: Any, queue: str) -> None:
    engine.queues.send(queue, [Message("m")])
    counts, stamps = [], set()
    for _ in range(4):
        (received,) = engine.queues.receive(queue)
        assert list(engine.queues.receive(queue)) == []
        counts.append(received.count)
        stamps.add((received.id, received.sent_at))
        engine.advance(61 * SECOND)
    assert counts == [1, 2, 3, 4]
    assert len(stamps) == 1  # it stays the same message, sent when it was sent


def test_it_is_hidden_for_the_whole_visibility_timeout(engine: Any, queue: str) -> None:
    engine.queues.send(queue, [Message("m")])
    engine.queues.receive(queue)
    engine.advance(59 * SECOND)
    assert list(engine.queues.receive(queue)) == []


def test_a_delay_is_kept(engine: Any, queue: str) -> None:
    engine.queues.send(queue, [Message("later", 2 * MINUTE), Message("now")])
    assert [m.body for m in take_all(engine.queues, queue)] == ["now"]
    engine.advance(2 * MINUTE - 2 * SECOND)
    assert [m.body for m in take_all(engine.queues, queue)] == ["now"]  # redelivered; the other still waits
    engine.advance(2 * SECOND)
    assert [m.body for m in take_all(engine.queues, queue)] == ["later"]


@pytest.mark.parametrize("delay", [-1, 15 * MINUTE + 1])
def test_a_delay_that_no_queue_keeps_is_a_mistake(queues: Queues, queue: str, delay: int) -> None:
    with pytest.raises(ValueError, match="cannot be delayed"):
        queues.send(queue, [Message("m"), Message("m", delay)])
    assert take_all(queues, queue) == []


def test_the_longest_delay_is_a_quarter_of_an_hour(engine: Any, queue: str) -> None:
    engine.queues.send(queue, [Message("m", 15 * MINUTE)])
    engine.advance(15 * MINUTE)
    assert [m.body for m in engine.queues.receive(queue)] == ["m"]


def test_a_postponed_message_waits_for_its_delay(engine: Any, queue: str) -> None:
    engine.queues.send(queue, [Message("m")])
    (first,) = engine.queues.receive(queue)
    engine.queues.postpone(queue, first.receipt, 5 * SECOND)
    assert list(engine.queues.receive(queue)) == []
    engine.advance(6 * SECOND)
    (second,) = engine.queues.receive(queue)
    assert (second.body, second.count) == ("m", 2)
    engine.queues.postpone(queue, second.receipt, 3 * MINUTE)  # longer than the visibility timeout
    engine.advance(2 * MINUTE)
    assert list(engine.queues.receive(queue)) == []
    engine.advance(MINUTE + SECOND)
    (third,) = engine.queues.receive(queue)
    assert third.count == 3


def test_a_limit_is_kept(queues: Queues, queue: str) -> None:
    queues.send(queue, [Message(str(n)) for n in range(5)])
    assert len(queues.receive(queue, 1)) == 1
    assert len(queues.receive(queue, 3)) <= 3


def test_more_messages_in_one_call_than_a_batch_may_have_or_weigh(queues: Queues, queue: str) -> None:
    queues.send(queue, [Message(f"{n}" + "y" * 40_000) for n in range(60)])
    assert len({m.body for m in take_all(queues, queue)}) == 60


def test_queues_do_not_mix(queues: Queues, queue: str) -> None:
    queues.send(queue, [Message("mine")])
    for other in ALL:
        if other != queue:
            assert list(queues.receive(other)) == []
    assert [m.body for m in queues.receive(queue)] == ["mine"]


def test_workers_side_by_side_share_the_work(queues: Queues, queue: str) -> None:
    queues.send(queue, [Message(str(n)) for n in range(100)])

    def work(_: int) -> list[str]:
        bodies = []
        while batch := queues.receive(queue):
            queues.ack(queue, [m.receipt for m in batch])
            bodies.extend(m.body for m in batch)
        return bodies

    with ThreadPoolExecutor(8) as pool:
        bodies = [body for part in pool.map(work, range(8)) for body in part]
    assert Counter(bodies) == Counter(map(str, range(100)))


def test_acknowledging_twice_is_harmless(queues: Queues, queue: str) -> None:
    queues.send(queue, [Message("m")])
    (received,) = queues.receive(queue)
    queues.ack(queue, [received.receipt])
    queues.ack(queue, [received.receipt])
    assert list(queues.receive(queue)) == []
