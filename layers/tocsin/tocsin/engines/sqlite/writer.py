"""The one writer of a database: jobs go in, each comes back after the commit that holds it.

For a file, one thread takes whatever waits and commits it together (group commit), with an fsync when one of the jobs
asked for it. In memory there is nothing to sync, and the caller's own thread does the work under a lock.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from tocsin.engines.sqlite.faults import translated
from tocsin.errors import StoreError

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

# Jobs in one transaction: enough to share an fsync among a burst, few enough that nobody waits long for the last.
_BATCH = 256


class Writer(Protocol):
    """Whoever holds the only connection that writes."""

    def run(self, job: Job[T], *, durable: bool = False) -> T:
        """Do the job in a transaction and give its answer once that is committed (``durable``: and synced).

        The job may be run twice (when its neighbour in the batch fails), so it must keep nothing between runs. An error
        it raises undoes what it wrote, and nothing else.
        """
        ...

    def close(self) -> None:
        """Finish what waits, then refuse what comes."""
        ...


@dataclass(slots=True)
class _Waiting:
    job: Job[Any]
    durable: bool
    future: Future[Any] = field(default_factory=Future)


class GroupWriter:
    """The writer thread of a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._synced: bool | None = None  # what PRAGMA synchronous says now
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="tocsin-writer", daemon=True)
        self._thread.start()

    def run(self, job: Job[T], *, durable: bool = False) -> T:
        """See ``Writer``."""
        waiting = _Waiting(job, durable)
        with self._gate:
            if self._closed:
                raise StoreError("the store is closed")
            self._waiting.put(waiting)
        answer: T = waiting.future.result()
        return answer

    def close(self) -> None:
        """See ``Writer``."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            batch: list[_Waiting] = []
            last = self._collect(batch)
            if batch:
                self._settle(batch)
            if last:
                return

    def _collect(self, batch: list[_Waiting]) -> bool:
        """Wait for one job, take along what else is there; say whether the writer is to stop."""
        waiting = self._waiting.get()
        while waiting is not None:
            batch.append(waiting)
            if len(batch) == _BATCH:
                return False
            try:
                waiting = self._waiting.get_nowait()
            except Empty:
                return False
        return True

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        durable = any(waiting.durable for waiting in batch)
        try:
            if durable != self._synced:
                self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._synced = durable
            outcomes = transaction(self._connection, [waiting.job for waiting in batch])
        except sqlite3.Error as error:
            if len(batch) == 1:
                batch[0].future.set_exception(translated(error))
                return
            # One job that cannot be written (a full disk, say) must not take its neighbours along.
            for waiting in batch:
                self._settle([waiting])
            return
        except BaseException as error:  # noqa: BLE001 (an edge: the caller is in another thread and would wait for ever)
            for waiting in batch:
                waiting.future.set_exception(error)
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            outcome.hand_to(waiting.future)


class InlineWriter:
    """The writer of a database in memory: the caller's thread, under the lock that readers take too."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.RLock) -> None:
        self._connection = connection
        self._lock = lock
        self._closed = False

    def run(self, job: Job[T], *, durable: bool = False) -> T:  # noqa: ARG002 (nothing in memory is durable)
        """See ``Writer``."""
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            try:
                (outcome,) = transaction(self._connection, [job])
            except sqlite3.Error as error:
                raise translated(error) from error
        future: Future[T] = Future()
        outcome.hand_to(future)
        return future.result()

    def close(self) -> None:
        """See ``Writer``."""
        self._closed = True


@dataclass(frozen=True, slots=True)
class _Outcome:
    answer: Any = None
    error: Exception | None = None

    def hand_to(self, future: Future[Any]) -> None:
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.answer)


def transaction(connection: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> list[_Outcome]:
    """Run the jobs in one transaction, each behind its own savepoint.

    A job's own error is its outcome; an error of the database undoes everything and is raised, with the connection
    ready for the next transaction.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_attempt(connection, job) for job in jobs]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled back already
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _attempt(connection: sqlite3.Connection, job: Job[Any]) -> _Outcome:
    connection.execute("SAVEPOINT job")
    try:
        outcome = _Outcome(job(connection))
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 (an edge: the error belongs to the caller who waits for this job)
        connection.execute("ROLLBACK TO job")
        outcome = _Outcome(error=error)
    connection.execute("RELEASE job")
    return outcome
