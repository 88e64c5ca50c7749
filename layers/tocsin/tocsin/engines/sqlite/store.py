"""``Store`` on SQLite.

One statement a write: the expectation stands in its WHERE, so that nothing is read first and nothing can come between.
A row past its ``expires_at`` is as good as absent everywhere, swept or not.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.engines import codec
from tocsin.engines.bounds import check_commit, check_commit_size
from tocsin.engines.local import SystemClock
from tocsin.engines.sqlite.database import Database
from tocsin.errors import ConflictError, StoreFullError
from tocsin.model import Instant
from tocsin.ports import Clock, Delete, Key, Put, Row, Touch

ROOM_KEPT = 64 * 1024 * 1024  # bytes: intake stops here, so that receipts still fit (state.md, rule 17)

_PAGE = 500  # rows a reader takes at once
_SWEEP = 2_000  # expired rows a call forgets: the writer must not be away for long
_SWEEP_PAGES = 2_000  # free pages (4 KiB each) a sweep gives back to the disk

_COLUMNS = "pk, sk, version, touched, due_at, expires_at, data"
_ALIVE = "(expires_at IS NULL OR expires_at > :now)"
_EXPIRED = "rows.expires_at <= :now"

_GET = f"SELECT {_COLUMNS} FROM rows WHERE pk = ? AND sk = ? AND (expires_at IS NULL OR expires_at > ?)"  # noqa: S608

# Both blanks are filled from a fixed choice, never from what was asked.
_SCAN = f"SELECT {_COLUMNS} FROM rows WHERE pk = :pk AND sk {{}} :low AND {{}} AND {_ALIVE} ORDER BY sk LIMIT :page"  # noqa: S608

_PUT = f"""
  INSERT INTO rows (pk, sk, version, touched, due_at, expires_at, data)
  VALUES (:pk, :sk, 1, 0, :due_at, :expires_at, :data)
  ON CONFLICT (pk, sk) DO UPDATE SET
    version = CASE WHEN {_EXPIRED} THEN 1 ELSE rows.version + 1 END,
    touched = CASE WHEN {_EXPIRED} THEN 0 ELSE rows.touched END,
    due_at = excluded.due_at, expires_at = excluded.expires_at, data = excluded.data"""  # noqa: S608
_PUT_NEW = f"{_PUT} WHERE {_EXPIRED}"
_PUT_EXPECTED = f"""
  UPDATE rows SET version = version + 1, due_at = :due_at, expires_at = :expires_at, data = :data
  WHERE pk = :pk AND sk = :sk AND version = :expect AND {_ALIVE}"""  # noqa: S608

_DELETE = f"""
  DELETE FROM rows WHERE pk = :pk AND sk = :sk AND {_ALIVE}
    AND (:expect IS NULL OR version = :expect) AND (:expect_touched IS NULL OR touched = :expect_touched)"""  # noqa: S608
_EXISTS = f"SELECT 1 FROM rows WHERE pk = :pk AND sk = :sk AND {_ALIVE}"  # noqa: S608

_TOUCH = f"""
  INSERT INTO rows (pk, sk, version, touched, due_at, data) VALUES (:pk, :sk, 1, 1, :due_at, :data)
  ON CONFLICT (pk, sk) DO UPDATE SET
    touched = CASE WHEN {_EXPIRED} THEN 1 ELSE rows.touched + 1 END,
    version = CASE WHEN {_EXPIRED} THEN 1 ELSE rows.version END,
    due_at = CASE WHEN {_EXPIRED} THEN excluded.due_at ELSE rows.due_at END,
    data = CASE WHEN {_EXPIRED} THEN excluded.data ELSE rows.data END,
    expires_at = CASE WHEN {_EXPIRED} THEN NULL ELSE rows.expires_at END
  RETURNING {_COLUMNS}"""  # noqa: S608

_DUE = f"""SELECT pk, sk, due_at FROM rows WHERE due_at <= :before AND {_ALIVE}
  ORDER BY due_at, pk, sk LIMIT :limit"""  # noqa: S608

_SWEEP_SQL = """DELETE FROM rows WHERE (pk, sk) IN
  (SELECT pk, sk FROM rows WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"""


class SqliteStore:
    """Rows in one SQLite file, or in memory; thread-safe.

    ``free_space`` gives the bytes left where the file is; ``clock`` decides what has expired.
    """

    def __init__(
        self, path: str | Path, clock: Clock | None = None, free_space: Callable[[], int] | None = None
    ) -> None:
        """Open or create; ``StoreError`` when another process has the file, or a newer release wrote it."""
        self.database = Database(path)
        self._clock = clock or SystemClock()
        self._free_space = free_space or self._disk_space

    def get(self, keys: Sequence[Key]) -> Mapping[Key, Row]:
        """See ``Store``."""
        now = self._clock.now()
        found = self.database.read_each(_GET, [(key.pk, key.sk, now) for key in map(codec.check_key, keys)])
        return {row.key: row for row in map(_row, found)}

    def scan(self, pk: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Row]:
        """See ``Store``."""
        low, comparison = (prefix, ">=") if prefix > after else (after, ">")
        high = _successor(prefix)
        bound = "TRUE" if high is None else "sk < :high"
        left = limit
        while left is None or left > 0:
            page = _PAGE if left is None else min(left, _PAGE)
            named = {"pk": pk, "low": low, "high": high, "now": self._clock.now(), "page": page}
            rows = self.database.read(_SCAN.format(comparison, bound), named)
            yield from map(_row, rows)
            if len(rows) < page:
                return
            low, comparison = rows[-1][1], ">"
            left = None if left is None else left - page

    def write(self, writes: Sequence[Put | Delete], *, durable: bool = False) -> Sequence[bool]:
        """See ``Store``."""
        statements = [self._statement(write) for write in writes]
        if not statements:
            return []
        return self.database.writer.run(lambda c: [do(c, named) for do, named in statements], durable=durable)

    def commit(self, writes: Sequence[Put | Delete], *, durable: bool = False) -> None:
        """See ``Store``."""
        check_commit(writes)
        statements = [self._statement(write) for write in writes]
        check_commit_size(len(named.get("data", b"")) for _, named in statements)

        def job(connection: sqlite3.Connection) -> None:
            for do, named in statements:
                if not do(connection, named):
                    raise ConflictError(f"row {named['pk']}/{named['sk']} is not what was expected: read it again")

        if statements:
            self.database.writer.run(job, durable=durable)

    def touch(self, touches: Sequence[Touch]) -> Sequence[Row]:
        """See ``Store``."""
        now = self._clock.now()
        named = [
            {**_named(touch.key, now), "due_at": touch.due_at, "data": codec.encode(touch.key, touch.data)}
            for touch in touches
        ]
        if not named:
            return []
        rows = self.database.writer.run(lambda c: [c.execute(_TOUCH, each).fetchall()[0] for each in named])
        return [_row(row) for row in rows]

    def due(self, before: Instant, limit: int) -> Sequence[tuple[Key, Instant]]:
        """See ``Store``."""
        rows = self.database.read(_DUE, {"before": before, "now": self._clock.now(), "limit": limit})
        return [(Key(pk, sk), due_at) for pk, sk, due_at in rows]

    def sweep(self, now: Instant) -> int:
        """See ``Store``."""

        def job(connection: sqlite3.Connection) -> int:
            swept = connection.execute(_SWEEP_SQL, (now, _SWEEP)).rowcount
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            for _ in range(min(free, _SWEEP_PAGES)):  # a page each time: the module steps such a statement only once
                connection.execute("PRAGMA incremental_vacuum(1)")
            return swept

        return self.database.writer.run(job)

    def require_room(self) -> None:
        """Raise ``StoreFullError`` while less than ``ROOM_KEPT`` bytes are left: intake asks before it writes."""
        free = self._free_space()
        if free < ROOM_KEPT:
            raise StoreFullError(
                f"{free} bytes are left for the state, intake needs {ROOM_KEPT}: make room on its disk"
            )

    def close(self) -> None:
        """Finish the writes, fold the WAL into the file and release it."""
        self.database.close()

    def _statement(self, write: Put | Delete) -> tuple[_Do, dict[str, Any]]:
        named = _named(write.key, self._clock.now())
        named["expect"] = write.expect
        if isinstance(write, Delete):
            return _delete, {**named, "expect_touched": write.expect_touched}
        named.update(due_at=write.due_at, expires_at=write.expires_at, data=codec.encode(write.key, write.data))
        return _put, named

    def _disk_space(self) -> int:
        path = self.database.path
        return shutil.disk_usage(path.parent).free if path else ROOM_KEPT


_Do = Callable[[sqlite3.Connection, dict[str, Any]], bool]


def _put(connection: sqlite3.Connection, named: dict[str, Any]) -> bool:
    expect = named["expect"]
    sql = _PUT if expect is None else _PUT_EXPECTED if expect else _PUT_NEW
    return connection.execute(sql, named).rowcount == 1


def _delete(connection: sqlite3.Connection, named: dict[str, Any]) -> bool:
    if connection.execute(_DELETE, named).rowcount == 1:
        return True
    return named["expect"] is None and connection.execute(_EXISTS, named).fetchone() is None


def _named(key: Key, now: Instant) -> dict[str, Any]:
    codec.check_key(key)
    return {"pk": key.pk, "sk": key.sk, "now": now}


def _row(columns: tuple[Any, ...]) -> Row:
    pk, sk, version, touched, due_at, expires_at, coded = columns
    return Row(Key(pk, sk), codec.decode(coded), version, touched, due_at, expires_at)


def _successor(prefix: str) -> str | None:
    """Give the least text greater than every text with this prefix; None when there is none (no prefix)."""
    for at in range(len(prefix) - 1, -1, -1):
        last = ord(prefix[at])
        if last < sys.maxunicode:  # the last code point has no next one: shorten
            step = 0xE000 if last == 0xD7FF else last + 1  # noqa: PLR2004 (surrogates are no characters)
            return prefix[:at] + chr(step)
    return None
