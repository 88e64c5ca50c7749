"""The contract of ``Store``, second half: touching, ranges, expiry and what is due."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tocsin.model import SECOND
from tocsin.ports import ABSENT, Delete, Key, Put, Row, Store, Touch

KEY = Key("group#1", "-")
BIG = 300 * 1024


def read(store: Store, key: Key = KEY) -> Row | None:
    return store.get([key]).get(key)


# ---- touch ----------------------------------------------------------------------------------------------------------


def test_touch_makes_a_row_and_then_changes_nothing_but_its_count(store: Store) -> None:
    (made,) = store.touch([Touch(KEY, {"body": b"1", "n": 1}, due_at=10)])
    assert made == Row(KEY, {"body": b"1", "n": 1}, version=1, touched=1, due_at=10)
    (again,) = store.touch([Touch(KEY, {"n": 2}, due_at=20)])
    assert again == Row(KEY, {"body": b"1", "n": 1}, version=1, touched=2, due_at=10)
    assert read(store) == again
    assert store.due(15, 10) == [(KEY, 10)]


def test_touch_leaves_a_row_out_of_the_index_if_it_was_out(store: Store) -> None:
    store.write([Put(KEY, {"n": 1})])
    (row,) = store.touch([Touch(KEY, {"n": 2}, due_at=20)])
    assert row == Row(KEY, {"n": 1}, version=1, touched=1)
    assert store.due(2**62, 10) == []


def test_touch_makes_an_expired_row_anew(engine: Any) -> None:
    engine.store.write([Put(KEY, {"old": True}, expires_at=engine.clock.now() + SECOND)] * 3)
    engine.store.touch([Touch(KEY, {})])
    engine.advance(SECOND)
    (row,) = engine.store.touch([Touch(KEY, {"new": True}, due_at=3)])
    assert row == Row(KEY, {"new": True}, version=1, touched=1, due_at=3)
    assert read(engine.store) == row


def test_touch_answers_in_the_order_it_was_asked(store: Store) -> None:
    rows = store.touch([Touch(Key("p", str(n)), {"n": n}) for n in (3, 1, 2, 1)])
    assert [(row.key.sk, row.touched) for row in rows] == [("3", 1), ("1", 1), ("2", 1), ("1", 2)]


# ---- scan -----------------------------------------------------------------------------------------------------------


def test_a_partition_of_five_thousand_rows_comes_in_order(store: Store) -> None:
    keys = [Key("group#big", f"alert#{n:04x}") for n in range(5_000)]
    pad = "x" * 400  # a partition of several pages on every engine
    store.write([Put(key, {"n": n, "pad": pad}, expect=ABSENT) for n, key in reversed(list(enumerate(keys)))])
    store.write([Put(Key("group#bigger"), {}), Put(Key("group#bi"), {})])
    assert [(row.key, row.data["n"]) for row in store.scan("group#big")] == [(key, n) for n, key in enumerate(keys)]
    assert [row.key for row in store.scan("group#big", after=keys[4_321].sk, limit=600)] == keys[4_322:4_922]


SKS = ["A", "a", "a#", "a#1", "a#2", "a$", "b", "é", "日本", "\ufffd", "🔥", "🔥🔥", "\U0010ffff", "\U0010ffffz"]


@pytest.mark.parametrize(
    ("sentence", "asked", "answer"),
    [
        ("bytewise, not by UTF-16 or by language", {}, SKS),
        ("a prefix, itself included", {"prefix": "a#"}, ["a#", "a#1", "a#2"]),
        ("after a key, itself excluded", {"after": "a#2"}, SKS[5:]),
        ("after a key that is not there", {"after": "a#15"}, SKS[4:]),
        ("a prefix and after one of its keys", {"prefix": "a#", "after": "a#1"}, ["a#2"]),
        ("after what stands before the prefix", {"prefix": "a#", "after": "A"}, ["a#", "a#1", "a#2"]),
        ("after what stands behind the prefix", {"prefix": "a#", "after": "b"}, []),
        ("a limit", {"limit": 3}, SKS[:3]),
        ("a limit of none", {"limit": 0}, []),
        ("a limit within a prefix", {"prefix": "a", "limit": 2}, ["a", "a#"]),
        ("a prefix that has no successor", {"prefix": "\U0010ffff"}, SKS[-2:]),
        ("a prefix of more than one byte a character", {"prefix": "🔥"}, ["🔥", "🔥🔥"]),
        ("a prefix that nothing has", {"prefix": "zz"}, []),
    ],
)
def test_scan_reads_a_range_in_order(store: Store, sentence: str, asked: dict[str, Any], answer: list[str]) -> None:
    store.write([Put(Key("p", sk), {}) for sk in reversed(SKS)])
    assert [row.key.sk for row in store.scan("p", **asked)] == answer, sentence


def test_a_body_of_four_megabytes_in_chunks(store: Store) -> None:
    chunks = [os.urandom(BIG) for _ in range(14)]
    assert sum(map(len, chunks)) > 4 * 1024 * 1024
    store.write([Put(Key("body#1", f"{n:03}"), {"bytes": chunk}) for n, chunk in enumerate(chunks)], durable=True)
    assert [row.data["bytes"] for row in store.scan("body#1")] == chunks
    assert len(store.get([Key("body#1", f"{n:03}") for n in range(14)])) == 14


def test_a_scan_left_half_way_keeps_nobody_from_writing(store: Store) -> None:
    store.write([Put(Key("p", f"{n:04}"), {}, expect=ABSENT) for n in range(600)])
    scan = store.scan("p")
    next(scan)
    store.write([Delete(Key("p", f"{n:04}")) for n in range(500, 600)])
    assert {f"{n:04}" for n in range(1, 500)} <= {row.key.sk for row in scan}
    assert len(list(store.scan("p"))) == 500


# ---- expiry ---------------------------------------------------------------------------------------------------------


def test_a_row_is_there_until_its_instant_and_not_at_it(engine: Any) -> None:
    at = engine.clock.now() + SECOND // 2  # finer than the seconds that a store may count in
    engine.store.write([Put(KEY, {}, due_at=1, expires_at=at), Put(Key("group#1", "z"), {})])
    engine.advance(SECOND // 2 - 1)
    assert read(engine.store) == Row(KEY, {}, version=1, due_at=1, expires_at=at)
    engine.advance(1)
    assert read(engine.store) is None
    assert [row.key.sk for row in engine.store.scan("group#1")] == ["z"]
    assert [row.key.sk for row in engine.store.scan("group#1", limit=1)] == ["z"]
    assert engine.store.due(2**62, 10) == []


def test_sweep_forgets_what_expired_and_nothing_else(engine: Any) -> None:
    now = engine.clock.now()
    engine.store.write([Put(Key("p", f"{n:04}"), {}, expires_at=now + n * SECOND) for n in range(1, 21)])
    engine.store.write([Put(Key("p", "for ever"), {})])
    engine.advance(10 * SECOND)
    swept = engine.store.sweep(engine.clock.now())
    assert swept == (0 if engine.name == "aws" else 10)  # DynamoDB forgets by itself
    assert engine.store.sweep(engine.clock.now()) == 0
    assert [row.key.sk for row in engine.store.scan("p")] == [f"{n:04}" for n in range(11, 21)] + ["for ever"]


# ---- due ------------------------------------------------------------------------------------------------------------


def test_due_is_sparse_and_earliest_first(store: Store) -> None:
    instants = [70, 20, 50, 10, 60, 30, 40]
    store.write([Put(Key("group", str(n)), {}, due_at=at) for n, at in enumerate(instants)])
    store.write([Put(Key("alert", str(n)), {}) for n in range(50)])
    assert [at for _, at in store.due(50, 10)] == [10, 20, 30, 40, 50]
    assert [at for _, at in store.due(50, 2)] == [10, 20]
    assert [key for key, _ in store.due(20, 10)] == [Key("group", "3"), Key("group", "1")]
    assert store.due(9, 10) == []


def test_due_follows_the_row(store: Store) -> None:
    store.write([Put(Key("p", str(n)), {}, due_at=n) for n in range(1, 5)])
    store.write([Put(Key("p", "1"), {}, due_at=100), Put(Key("p", "2"), {}), Delete(Key("p", "3"))])
    store.commit([Put(Key("p", "4"), {}, due_at=50)])
    assert store.due(2**62, 10) == [(Key("p", "4"), 50), (Key("p", "1"), 100)]


def test_due_over_many_rows_is_exact(store: Store) -> None:
    store.write([Put(Key(f"group#{n}"), {}, ABSENT, (n * 7919) % 1000 + 1) for n in range(1000)])
    assert [at for _, at in store.due(2**62, 300)] == list(range(1, 301))
