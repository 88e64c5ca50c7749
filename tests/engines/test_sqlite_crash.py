"""The embedded engine and sudden ends: a process killed anywhere, and what must be on disk before anybody is answered.

Killing a process does not test fsync (the kernel still writes what it was given), so that is asserted by tracing the
system calls themselves.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.ports import INBOX, Delete, Key, Message, Put, Touch

from tests.engines.conftest import sqlite_engine

STEADY_WRITER = """
import itertools, sys
from tocsin.engines.local import SystemClock
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.ports import INBOX, Key, Message, Put

store = SqliteStore(sys.argv[1])
queues = SqliteQueues(store, SystemClock())
for n in itertools.count(1):
    pair = [Put(Key("pair", "a"), {"n": n}), Put(Key("pair", "b"), {"n": n, "pad": "x" * 5000})]
    store.commit(pair, durable=n % 2 == 0)
    queues.send(INBOX, [Message(str(n))])
    print(n, flush=True)
"""

WRITER_KILLED_WITHIN = """
import sys, time
from tocsin.engines.sqlite import SqliteStore
from tocsin.ports import Key, Put

store = SqliteStore(sys.argv[1])
store.write([Put(Key("before"), {})], durable=True)

def job(connection):
    connection.execute("DELETE FROM rows")
    connection.execute("PRAGMA cache_spill = 1")
    print("within", flush=True)
    time.sleep(60)

store.database.writer.run(job, durable=True)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> list[str]:
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    rest = process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    return rest


@pytest.mark.parametrize("lines", [1, 7, 40, 120])
def test_what_was_answered_survives_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "tocsin.db"
    answered = 0
    for _ in range(2):  # and a second time over what the first left
        process = start(STEADY_WRITER, path)
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(lines)]
        last = int([*seen, *kill(process)][-1])
        answered += last
        with sqlite_engine("disk", path) as engine:  # the lock went with the process
            a, b = engine.store.scan("pair")
            assert a.data["n"] == b.data["n"]  # a commit is whole or not there
            assert a.data["n"] in (last, last + 1)
            assert isinstance(engine.queues, SqliteQueues)
            assert answered <= engine.queues.depth(INBOX) <= answered + 2
            with contextlib.closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_transaction_that_was_killed_never_was(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    process = start(WRITER_KILLED_WITHIN, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "within\n"
    kill(process)
    with sqlite_engine("disk", path) as engine:
        assert len(engine.store.get([Key("before")])) == 1


# ---- before the answer -----------------------------------------------------------------------------------------------

WORKS: dict[str, tuple[Any, bool]] = {
    "a durable write": (lambda s, _: s.write([Put(Key("p"), {})], durable=True), True),
    "a durable commit": (lambda s, _: s.commit([Put(Key("p"), {}), Put(Key("q"), {})], durable=True), True),
    "a send to the inbox": (lambda _, q: q.send(INBOX, [Message("m")]), True),
    "a write": (lambda s, _: s.write([Put(Key("p"), {})]), False),
    "a commit": (lambda s, _: s.commit([Delete(Key("p"))]), False),
    "a touch": (lambda s, _: s.touch([Touch(Key("p"), {})]), False),
    "a receive": (lambda _, q: q.receive(INBOX), False),
}


@pytest.mark.parametrize("sentence", WORKS)
def test_only_what_must_be_safe_waits_for_the_disk(tmp_path: Path, sentence: str) -> None:
    work, durable = WORKS[sentence]
    with sqlite_engine("disk", tmp_path / "tocsin.db") as engine:
        assert isinstance(engine.store, SqliteStore)
        engine.queues.send(INBOX, [Message("m")])
        engine.store.write([Put(Key("p"), {})], durable=not durable)  # the setting before is the other one
        statements: list[str] = []
        engine.store.database.writer.run(lambda c: c.set_trace_callback(statements.append), durable=not durable)
        work(engine.store, engine.queues)
        settings = [sql for sql in statements if "synchronous" in sql]
        assert settings == [f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}"]
        assert statements.index(settings[0]) < statements.index("BEGIN IMMEDIATE")


TRACED = """
import os, sys
from tocsin.engines.local import SystemClock
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.ports import INBOX, Key, Message, Put

def say(text):
    os.write(1, f"<{text}>".encode())

say("opening")
store = SqliteStore(sys.argv[1])
queues = SqliteQueues(store, SystemClock())
for n in range(3):
    say("asked quick")
    store.write([Put(Key("quick"), {"n": n})])
    say("answered quick")
    say("asked durable")
    store.write([Put(Key("durable"), {"n": n})], durable=True)
    say("answered durable")
    say("asked inbox")
    queues.send(INBOX, [Message("m")])
    say("answered inbox")
store.close()
"""

SYNC = re.compile(r"\b(?:fsync|fdatasync)\(\d+<([^>]*)>\)\s+= 0|(?:fsync|fdatasync) resumed>\)\s+= 0")
WAL_WRITE = re.compile(r"\bpwrite64\(\d+<[^>]*tocsin\.db-wal>")
SAID = re.compile(r'write\(1<[^>]*>, "<([a-z ]+)>"')


@pytest.mark.slow
def test_nobody_is_answered_before_the_disk_has_it(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-f", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace is not installed, or may not trace here")
    trace = tmp_path / "trace"
    command = [strace, "-f", "-y", "-o", trace, "-e", "trace=write,pwrite64,fsync,fdatasync,ftruncate"]
    subprocess.run([*command, sys.executable, "-c", TRACED, tmp_path / "tocsin.db"], check=True, capture_output=True)
    events: list[str] = []
    for line in trace.read_text().splitlines():
        if said := SAID.search(line):
            events.append(said[1])
        elif WAL_WRITE.search(line):
            events.append("wal")
        elif SYNC.search(line):
            events.append("sync")
    for kind in ("durable", "inbox"):
        for part in parts(events, kind):
            assert "wal" in part, kind
            assert part[-1] == "sync", f"{kind}: answered after {part}"  # after the last byte, before the answer
    # And what need not wait does not: else this test could not tell the two apart.
    assert all("wal" in part and "sync" not in part for part in parts(events, "quick"))
    assert all(len(parts(events, kind)) == 3 for kind in ("durable", "inbox", "quick"))
    # The file's name itself is on disk before the first answer.
    assert re.search(rf"fsync\(\d+<{re.escape(str(tmp_path))}>\)\s+= 0", trace.read_text())


def parts(events: list[str], kind: str) -> list[list[str]]:
    """Give what happened between each question and its answer."""
    found = []
    for at, event in enumerate(events):
        if event == f"asked {kind}":
            found.append(events[at + 1 : events.index(f"answered {kind}", at)])
    return found
