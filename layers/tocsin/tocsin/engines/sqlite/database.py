"""Opening and closing the one file: its lock, its schema, its connections."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.engines.sqlite.faults import translated
from tocsin.engines.sqlite.writer import GroupWriter, InlineWriter, Writer
from tocsin.errors import StoreError

SCHEMA_VERSION = 1  # PRAGMA user_version; a file with a higher one belongs to a newer release

_MEMORY = ":memory:"
_BUSY_MS = 5_000  # how long a reader waits for the moment in which a checkpoint restarts the WAL
_WAL_KEPT = (
    16 * 1024 * 1024
)  # bytes a WAL may keep after a burst: https://www.sqlite.org/pragma.html#pragma_journal_size_limit

_SCHEMA = (
    """CREATE TABLE rows (
         pk TEXT NOT NULL, sk TEXT NOT NULL,
         version INTEGER NOT NULL, touched INTEGER NOT NULL,
         due_at INTEGER, expires_at INTEGER,
         data BLOB NOT NULL,
         PRIMARY KEY (pk, sk)
       ) WITHOUT ROWID""",
    "CREATE INDEX rows_due ON rows (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX rows_expiry ON rows (expires_at) WHERE expires_at IS NOT NULL",
    # AUTOINCREMENT: an id that was acknowledged must never name a later message.
    """CREATE TABLE inbox (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         body TEXT NOT NULL, sent_at INTEGER NOT NULL,
         visible_at INTEGER NOT NULL, handed_out INTEGER NOT NULL DEFAULT 0
       )""",
    "CREATE INDEX inbox_visible ON inbox (visible_at)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class Database:
    """One SQLite database of this process: a writer, and readers that never stay."""

    def __init__(self, path: str | Path) -> None:
        """Open or create the file (``":memory:"``: none). Raises ``StoreError`` when it is in use or not ours."""
        self.path = None if str(path) == _MEMORY else Path(path)
        self._lock_file = _lock(self.path) if self.path else None
        self._idle: list[sqlite3.Connection] = []
        self._memory_lock = threading.RLock()
        self._closed = False
        try:
            self._connection = self._open()
        except BaseException:
            self._unlock()
            raise
        self.writer: Writer = (
            GroupWriter(self._connection) if self.path else InlineWriter(self._connection, self._memory_lock)
        )

    def read(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Run one query and fetch all of it, so that no reader stays open and keeps the WAL from being reused."""
        with self._reader() as connection:
            try:
                return connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise translated(error) from error

    def read_each(self, sql: str, each: Sequence[Sequence[Any]]) -> list[Any]:
        """Run a query that answers at most one row, for each of the parameters; answers the rows there were."""
        with self._reader() as connection:
            try:
                found = (connection.execute(sql, parameters).fetchone() for parameters in each)
                return [row for row in found if row is not None]
            except sqlite3.Error as error:
                raise translated(error) from error

    def close(self) -> None:
        """Finish the writes, fold the WAL into the file and let the next process in. A second call does nothing."""
        with self._memory_lock:
            if self._closed:
                return
            self._closed = True
        self.writer.close()
        while self._idle:
            self._idle.pop().close()
        if self.path:
            with contextlib.suppress(sqlite3.Error):  # a full disk: the WAL stays, and is read at the next start
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._unlock()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise StoreError("the store is closed")
        if not self.path:
            with self._memory_lock:
                yield self._connection
            return
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _connect(str(self.path))
            connection.execute("PRAGMA query_only=1")
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        if self.path:
            _reserve(self.path)
        try:
            connection = _connect(str(self.path or _MEMORY))
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise translated(error) from error
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema {found}, this release of tocsin knows {SCHEMA_VERSION}: run the newer release"
            )
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # heeded only before the first table
        if self.path:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT}")
            connection.execute("PRAGMA fullfsync=1")  # macOS: its fsync alone does not reach the disk
        if found == SCHEMA_VERSION:
            return
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
        if self.path:
            # SQLite does not: the file's own name, and its directory's, must survive a power cut too.
            _sync_directory(self.path.resolve().parent)
            with contextlib.suppress(PermissionError):  # a directory we may not read, we have not made
                _sync_directory(self.path.resolve().parent.parent)

    def _unlock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _reserve(path: Path) -> None:
    """Make the file its owner's alone, and so the WAL, which takes its mode: bodies hold what is not for everybody.

    What cannot be made SQLite will say. Only before it has the file open: closing a descriptor would drop its locks.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(target: str) -> sqlite3.Connection:
    connection = sqlite3.connect(target, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _lock(path: Path) -> int:
    """Take the lock beside the file, or say who has it. The kernel releases it however the process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}; choose another --data directory") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreError(
            f"{path} is in use by another `tocsin serve` (pid {holder}): stop it, or choose another --data directory"
        ) from error
    with contextlib.suppress(OSError):  # the lock counts, not the note: a full disk must not keep us from starting
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
