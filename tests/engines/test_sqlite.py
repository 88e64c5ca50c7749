"""What the embedded engine promises beyond the contract: one owner, a full disk, another release, many threads."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.engines.sqlite.database import SCHEMA_VERSION
from tocsin.engines.sqlite.writer import GroupWriter
from tocsin.errors import ConflictError, StoreBusyError, StoreError, StoreFullError
from tocsin.model import MINUTE
from tocsin.ports import ABSENT, DUE, INBOX, Key, Message, Put, Row, Touch

from tests.engines.conftest import Engine, TestClock, sqlite_engine

KEY = Key("p")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tocsin.db"


def store_of(engine: Engine) -> SqliteStore:
    assert isinstance(engine.store, SqliteStore)
    return engine.store


# ---- one owner -------------------------------------------------------------------------------------------------------


def test_a_second_opener_is_told_who_has_the_file(path: Path) -> None:
    with sqlite_engine("disk", path):
        sentence = f"{path} is in use by another `tocsin serve` (pid {os.getpid()}): stop it, or choose another --data"
        with pytest.raises(StoreError, match=re.escape(sentence)):
            SqliteStore(path)
    with sqlite_engine("disk", path):  # and once it is closed, the next may
        pass


def test_a_second_process_is_told_too_and_spoils_nothing(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.store.write([Put(KEY, {"n": 1})])
        code = f"from tocsin.engines.sqlite import SqliteStore; SqliteStore({str(path)!r})"
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert f"(pid {os.getpid()})" in second.stderr
        assert engine.store.write([Put(KEY, {"n": 2}, expect=1)]) == [True]


def test_nobody_but_its_owner_reads_the_file_and_what_lies_beside_it(path: Path) -> None:
    before = os.umask(0o022)
    try:
        with sqlite_engine("disk", path) as engine:
            engine.store.write([Put(KEY, {"n": 1})])
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}


def test_a_directory_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be opened: File exists; choose another --data directory"):
        SqliteStore(tmp_path / "file" / "tocsin.db")


# ---- what lies in the file -------------------------------------------------------------------------------------------


def test_everything_is_there_after_a_restart(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.store.write([Put(KEY, {"body": b"x"}, due_at=7)])
        engine.store.touch([Touch(KEY, {})])
        engine.queues.send(INBOX, [Message("kept")])
        engine.queues.send(DUE, [Message("a hint")])
        (taken,) = engine.queues.receive(INBOX)
    assert not path.with_name(path.name + "-wal").exists()  # folded into the file
    with sqlite_engine("disk", path) as engine:
        assert engine.store.get([KEY]) == {KEY: Row(KEY, {"body": b"x"}, 1, 1, 7)}
        assert list(engine.queues.receive(DUE)) == []  # the index brings it back
        engine.advance(2 * MINUTE)
        (again,) = engine.queues.receive(INBOX)
        assert (again.id, again.body, again.count) == (taken.id, "kept", 2)


def test_a_newer_schema_is_refused_untouched(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.store.write([Put(KEY, {})])
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    sentence = f"has schema {SCHEMA_VERSION + 1}, this release of tocsin knows {SCHEMA_VERSION}: run the newer release"
    for _ in range(2):  # the lock is released each time
        with pytest.raises(StoreError, match=sentence):
            SqliteStore(path)
    assert path.read_bytes() == before


def test_a_row_in_a_later_format_is_refused_and_the_others_still_read(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.store.write([Put(KEY, {}), Put(Key("q"), {})])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET data = x'07' WHERE pk = 'p'")
    connection.close()
    with sqlite_engine("disk", path) as engine:
        with pytest.raises(StoreError, match="newer release"):
            engine.store.get([KEY])
        assert len(engine.store.get([Key("q")])) == 1


def test_what_is_no_database_is_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but it is longer than a header" * 100)
    with pytest.raises(StoreError, match="the state is damaged: file is not a database; move the file away"):
        SqliteStore(path)


def test_a_closed_store_says_so_and_closes_twice(path: Path) -> None:
    for where in (path, ":memory:"):
        store = SqliteStore(where)
        store.close()
        store.close()
        for work in (lambda s: s.get([KEY]), lambda s: s.write([Put(KEY, {})]), lambda s: s.touch([Touch(KEY, {})])):
            with pytest.raises(StoreError, match="the store is closed"):
                work(store)


def test_a_burst_does_not_leave_a_large_wal(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        for n in range(40):
            engine.store.write([Put(Key("p", f"{n}-{m}"), {"body": os.urandom(200_000)}) for m in range(4)])
            list(engine.store.scan("p", limit=1))  # readers come and go, and keep nothing open
        assert path.with_name(path.name + "-wal").stat().st_size < 20 * 1024 * 1024


def test_sweeping_gives_room_back(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.store.write([Put(Key("p", f"{n}"), {"body": os.urandom(50_000)}, expires_at=1) for n in range(100)])
        with sqlite3.connect(path) as connection:
            (before,) = connection.execute("PRAGMA page_count").fetchone()
            assert engine.store.sweep(engine.clock.now()) == 100
            (after,) = connection.execute("PRAGMA page_count").fetchone()
        connection.close()
        assert after < before / 4


def test_a_sweep_is_bounded(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        engine.store.write([Put(Key("p", f"{n:05}"), {}, expires_at=n + 1) for n in range(2_500)])
        assert [engine.store.sweep(engine.clock.now()) for _ in range(3)] == [2_000, 500, 0]


# ---- a full disk -----------------------------------------------------------------------------------------------------


def limit_pages(store: SqliteStore, more: int) -> None:
    """Let the file grow by a few pages only, as a disk does that is about to be full."""

    def job(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + more}")

    store.database.writer.run(job)


def unlimit(store: SqliteStore) -> None:
    store.database.writer.run(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_full_disk_is_said_and_nothing_is_lost(path: Path, where: str) -> None:
    with sqlite_engine(where, path if where == "disk" else ":memory:") as engine:
        store = store_of(engine)
        store.write([Put(KEY, {"n": 1}, due_at=1)])
        limit_pages(store, 4)
        large = [Put(Key("large", str(n)), {"body": os.urandom(10_000)}) for n in range(20)]
        for work in (
            lambda: store.write(large),
            lambda: store.commit([Put(KEY, {"n": 2}, expect=1), *large], durable=True),
            lambda: engine.queues.send(INBOX, [Message("x" * 300_000)]),
        ):
            with pytest.raises(StoreFullError, match="make room on its disk"):
                work()
            # All or nothing; and the connection is well: what fits is still written.
            assert store.get([KEY])[KEY].data == {"n": 1}
            assert list(store.scan("large")) == []
            assert store.write([Put(Key("receipt"), {"sent": True})], durable=True) == [True]
        assert list(engine.queues.receive(INBOX)) == []
        unlimit(store)
        assert all(store.write(large))
        engine.queues.send(INBOX, [Message("x" * 300_000)])
        assert len(engine.queues.receive(INBOX)) == 1


def test_a_write_that_does_not_fit_takes_none_of_its_neighbours_along(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        store = store_of(engine)
        assert isinstance(store.database.writer, GroupWriter)
        limit_pages(store, 30)
        begun, release = threading.Event(), threading.Event()

        def hold(_: sqlite3.Connection) -> None:
            begun.set()
            assert release.wait(60)

        blocked = threading.Thread(target=store.database.writer.run, args=(hold,))
        blocked.start()
        assert begun.wait(60)
        arrived = Arrivals(store.database.writer, 9)  # all of the following wait for one transaction

        def write(number: int) -> bool:
            body = os.urandom(200_000 if number == 4 else 100)
            try:
                return bool(store.write([Put(Key("p", str(number)), {"body": body})], durable=True)[0])
            except StoreFullError:
                return False

        with ThreadPoolExecutor(9) as pool:
            futures = [pool.submit(write, number) for number in range(9)]
            assert arrived.all.wait(60)
            release.set()
            held = [future.result() for future in futures]
        blocked.join()
        assert held == [number != 4 for number in range(9)]
        assert [row.key.sk for row in store.scan("p")] == [str(n) for n in range(9) if n != 4]


def test_intake_stops_while_receipts_still_fit(path: Path) -> None:
    free = [64 * 1024 * 1024]
    clock = TestClock()
    store = SqliteStore(path, clock, free_space=lambda: free[0])
    queues = SqliteQueues(store, clock)
    queues.send(INBOX, [Message("enough")])
    free[0] -= 1
    with pytest.raises(StoreFullError, match="67108863 bytes are left for the state, intake needs 67108864: make room"):
        queues.send(INBOX, [Message("too little")])
    assert store.write([Put(KEY, {"receipt": True})], durable=True) == [True]
    queues.send(DUE, [Message("a hint needs no room")])
    assert [message.body for message in queues.receive(INBOX)] == ["enough"]
    free[0] += 1
    queues.send(INBOX, [Message("again")])
    store.close()


def test_the_free_space_is_that_of_the_files_own_disk(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        assert isinstance(engine.store, SqliteStore)
        statistics = os.statvfs(path.parent)
        assert engine.store._disk_space() == pytest.approx(statistics.f_bavail * statistics.f_frsize, rel=0.2)


# ---- the writer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_job_that_raises_undoes_itself_alone(path: Path, where: str) -> None:
    with sqlite_engine(where, path if where == "disk" else ":memory:") as engine:
        store = store_of(engine)

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM rows")
            raise ConflictError("no")

        store.write([Put(KEY, {})])
        with pytest.raises(ConflictError):
            store.database.writer.run(job)
        with pytest.raises(StoreError, match="no such table"):
            store.database.writer.run(lambda c: c.execute("DELETE FROM nobody"))
        assert len(store.get([KEY])) == 1


def test_writers_who_wait_share_a_commit(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:
        writer = store_of(engine).database.writer
        assert isinstance(writer, GroupWriter)
        commits: list[str] = []
        begun, release = threading.Event(), threading.Event()

        def trace(connection: sqlite3.Connection) -> None:
            connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
            begun.set()
            assert release.wait(60)

        with ThreadPoolExecutor(41) as pool:
            pool.submit(writer.run, trace)
            assert begun.wait(60)  # the writer is busy: whoever comes now waits for the next transaction
            arrived = Arrivals(writer, 40)
            futures = [pool.submit(engine.store.write, [Put(Key("p", str(n)), {})], durable=True) for n in range(40)]
            assert arrived.all.wait(60)
            release.set()
            assert [future.result() for future in futures] == [[True]] * 40
        assert commits == ["COMMIT", "COMMIT"]  # the one that traced, and one for all forty


class Arrivals:
    """Tell when so many jobs wait for the writer."""

    def __init__(self, writer: GroupWriter, wanted: int) -> None:
        self.all = threading.Event()
        self._waiting, self._left = writer._waiting, wanted
        writer._waiting = self  # type: ignore[assignment]

    def put(self, job: Any) -> None:
        self._waiting.put(job)
        self._left -= job is not None
        if self._left == 0:
            self.all.set()

    def get(self) -> Any:
        return self._waiting.get()

    def get_nowait(self) -> Any:
        return self._waiting.get_nowait()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, StoreBusyError),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreBusyError),
        (sqlite3.SQLITE_FULL, StoreFullError),
        (sqlite3.SQLITE_CORRUPT, StoreError),
    ],
)
def test_an_error_of_sqlite_is_one_of_ours(path: Path, code: int, expected: type[StoreError]) -> None:
    with sqlite_engine("disk", path) as engine:
        assert isinstance(engine.store, SqliteStore)

        def job(_: sqlite3.Connection) -> None:
            error = sqlite3.OperationalError("as SQLite says")
            error.sqlite_errorcode = code
            raise error

        with pytest.raises(StoreError, match="as SQLite says") as raised:
            engine.store.database.writer.run(job)
        assert type(raised.value) is expected
        assert engine.store.write([Put(KEY, {})]) == [True]


def test_readers_in_many_threads_see_what_was_written_before(path: Path) -> None:
    with sqlite_engine("disk", path) as engine:

        def work(thread: int) -> None:
            for n in range(30):
                key = Key(f"p{thread}", f"{n:02}")
                engine.store.write([Put(key, {"n": n}, expect=ABSENT)])
                assert engine.store.get([key])[key].data == {"n": n}
                assert len(list(engine.store.scan(key.pk))) == n + 1

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert isinstance(engine.store, SqliteStore)
        assert len(engine.store.database._idle) <= 8
