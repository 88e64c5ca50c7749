"""``Queues`` at home: the inbox is a table beside the rows, every other queue lives in memory.

Hints may be lost (docs/decisions/0002-hints-in-memory.md): whatever waits has ``due_at`` on its row, and ``tick`` sends
the hint again.
"""

from __future__ import annotations

import heapq
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tocsin.engines.bounds import check_messages
from tocsin.engines.sqlite.store import SqliteStore
from tocsin.model import SECOND, Instant, Span
from tocsin.ports import INBOX, Clock, Message, Received

VISIBILITY: Span = 60 * SECOND  # how long whoever took a message has before another may
HINTS_KEPT = 100_000  # in a queue; more are dropped, and come back from the index

_SEND = "INSERT INTO inbox (body, sent_at, visible_at) VALUES (?, ?, ?)"
_ANY = "SELECT 1 FROM inbox WHERE visible_at <= ? LIMIT 1"
# Counted before it is handed out: a body that kills the process must not look new for ever.
_TAKE = """UPDATE inbox SET handed_out = handed_out + 1, visible_at = :until
  WHERE id IN (SELECT id FROM inbox WHERE visible_at <= :now ORDER BY visible_at, id LIMIT :limit)
  RETURNING id, body, handed_out, sent_at"""
_ACK = "DELETE FROM inbox WHERE id = ?"
# Only whoever holds it now may hand it back.
_POSTPONE = "UPDATE inbox SET visible_at = ? WHERE id = ? AND handed_out = ?"
_RECLAIM = "UPDATE inbox SET visible_at = ? WHERE handed_out > 0 AND visible_at > ?"
_DEPTH = "SELECT count(*) FROM inbox"
_NEXT = "SELECT min(visible_at) FROM inbox"


class SqliteQueues:
    """The queues of one process; thread-safe."""

    def __init__(self, store: SqliteStore, clock: Clock, visibility: Span = VISIBILITY) -> None:
        """Share the store's file. ``visibility`` is how long a message taken stays unseen."""
        self._store = store
        self._database = store.database
        self._clock = clock
        self._visibility = visibility
        self._hints: dict[str, _Hints] = {}
        self._gate = threading.Lock()
        self._listeners: list[Callable[[str], None]] = []

    def send(self, queue: str, messages: Sequence[Message]) -> None:
        """See ``Queues``. ``StoreFullError`` from the inbox while the disk has too little room."""
        check_messages(messages)
        if not messages:
            return
        now = self._clock.now()
        if queue == INBOX:
            self._store.require_room()
            rows = [(m.body, now, now + m.delay) for m in messages]
            self._database.writer.run(lambda c: _send(c, rows), durable=True)
        else:
            with self._gate:
                self._queue(queue).add(messages, now)
        for listener in self._listeners:
            listener(queue)

    def receive(self, queue: str, limit: int = 10) -> Sequence[Received]:
        """See ``Queues``."""
        now = self._clock.now()
        if queue != INBOX:
            with self._gate:
                return self._queue(queue).take(limit, now, now + self._visibility)
        if not self._database.read(_ANY, (now,)):  # asked often, and most often in vain: do not bother the writer
            return []
        named = {"now": now, "until": now + self._visibility, "limit": limit}
        rows = self._database.writer.run(lambda c: c.execute(_TAKE, named).fetchall())
        return [
            Received(str(number), body, count, f"{number}:{count}", sent_at)
            for number, body, count, sent_at in sorted(rows)
        ]

    def ack(self, queue: str, receipts: Sequence[str]) -> None:
        """See ``Queues``."""
        numbers = [_receipt(receipt)[0] for receipt in receipts]
        if queue != INBOX:
            with self._gate:
                self._queue(queue).drop(numbers)
        elif numbers:
            self._database.writer.run(lambda c: _ack(c, numbers))

    def postpone(self, queue: str, receipt: str, delay: Span) -> None:
        """See ``Queues``."""
        number, count = _receipt(receipt)
        visible_at = self._clock.now() + delay
        if queue != INBOX:
            with self._gate:
                self._queue(queue).postpone(number, count, visible_at)
        else:
            self._database.writer.run(lambda c: c.execute(_POSTPONE, (visible_at, number, count)).rowcount)
        for listener in self._listeners:
            listener(queue)

    def reclaim(self) -> None:
        """Show again what a process that is no more had taken; for the one process that has the file, as it starts."""
        now = self._clock.now()
        self._database.writer.run(lambda c: c.execute(_RECLAIM, (now, now)).rowcount)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call back with a queue's name after each send to it, in the sender's thread: a worker need not poll."""
        self._listeners.append(listener)

    def next_visible(self, queue: str) -> Instant | None:
        """Say when the next message can be had (perhaps already), None when there is none at all."""
        if queue != INBOX:
            with self._gate:
                return self._queue(queue).next_visible()
        earliest: Instant | None = self._database.read(_NEXT)[0][0]
        return earliest

    def depth(self, queue: str) -> int:
        """Count the messages that are not acknowledged, those taken included."""
        if queue != INBOX:
            with self._gate:
                return len(self._queue(queue).waiting)
        depth: int = self._database.read(_DEPTH)[0][0]
        return depth

    def _queue(self, name: str) -> _Hints:
        return self._hints.setdefault(name, _Hints())


@dataclass(slots=True)
class _Hint:
    body: str
    sent_at: Instant
    visible_at: Instant
    count: int = 0


@dataclass(slots=True)
class _Hints:
    """One queue in memory: the hints by number, and a heap of when each can be seen (old entries are skipped)."""

    waiting: dict[int, _Hint] = field(default_factory=dict)
    heap: list[tuple[Instant, int]] = field(default_factory=list)
    last: int = 0

    def add(self, messages: Sequence[Message], now: Instant) -> None:
        for message in messages[: max(0, HINTS_KEPT - len(self.waiting))]:
            self.last += 1
            self._show(self.last, _Hint(message.body, now, now + message.delay))

    def take(self, limit: int, now: Instant, until: Instant) -> list[Received]:
        taken: list[Received] = []
        while len(taken) < limit:
            visible_at = self.next_visible()
            if visible_at is None or visible_at > now:
                break
            _, number = heapq.heappop(self.heap)
            hint = self.waiting[number]
            hint.count += 1
            hint.visible_at = until
            taken.append(Received(str(number), hint.body, hint.count, f"{number}:{hint.count}", hint.sent_at))
        for received in taken:  # only now: with a visibility of nothing they would be taken again at once
            number = int(received.id)
            self._show(number, self.waiting[number])
        return taken

    def drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.waiting.pop(number, None)
        if not self.waiting:
            self.heap.clear()

    def postpone(self, number: int, count: int, visible_at: Instant) -> None:
        hint = self.waiting.get(number)
        if hint is not None and hint.count == count:
            hint.visible_at = visible_at
            self._show(number, hint)

    def next_visible(self) -> Instant | None:
        while self.heap:
            visible_at, number = self.heap[0]
            hint = self.waiting.get(number)
            if hint is not None and hint.visible_at == visible_at:
                return visible_at
            heapq.heappop(self.heap)
        return None

    def _show(self, number: int, hint: _Hint) -> None:
        self.waiting[number] = hint
        heapq.heappush(self.heap, (hint.visible_at, number))


def _send(connection: sqlite3.Connection, rows: Sequence[tuple[str, Instant, Instant]]) -> None:
    connection.executemany(_SEND, rows)


def _ack(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    connection.executemany(_ACK, [(number,) for number in numbers])


def _receipt(receipt: str) -> tuple[int, int]:
    number, _, count = receipt.partition(":")
    return int(number), int(count)
