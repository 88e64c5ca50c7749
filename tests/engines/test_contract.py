"""The contract of ``Store``: what every engine promises, whatever it is made of."""

# ruff: noqa: FBT003 (whether an expectation holds is a column of the tables)

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from tocsin.errors import ConflictError, StoreError
from tocsin.model import SECOND
from tocsin.ports import ABSENT, COMMIT_LIMIT, Delete, Key, Put, Row, Store, Touch

KEY = Key("group#1", "-")
BIG = 300 * 1024


def read(store: Store, key: Key = KEY) -> Row | None:
    return store.get([key]).get(key)


# ---- what comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "data"),
    [
        ("nothing at all is a row too", {}),
        ("every kind of JSON", {"a": 1, "b": -1.5, "c": True, "d": None, "e": ["x", {"y": []}], "f": ""}),
        ("integers beyond a float's precision, as nanoseconds are", {"seen": 1_800_000_000_123_456_789}),
        ("bytes at the top level", {"body": bytes(range(256)), "empty": b"", "kind": "raw"}),
        ("bytes alone", {"body": b"x"}),
        ("Unicode, nulls and line ends", {"größe": "naïve 🔥 \u0000 \r\n", "\u0000": "k"}),
        ("a lone surrogate, which JSON may carry", {"text": "\ud800"}),
        ("what compresses well", {"text": "alert " * 50_000}),
        ("what does not compress", {"body": os.urandom(BIG)}),
    ],
)
def test_data_comes_back_as_it_was(store: Store, sentence: str, data: dict[str, Any]) -> None:
    assert store.write([Put(KEY, data)]) == [True]
    assert read(store) == Row(KEY, data, version=1), sentence


def test_mappings_and_tuples_are_json_too(store: Store) -> None:
    store.write([Put(KEY, {"labels": dict.fromkeys(("a", "b"), "c"), "names": ("x", "y")})])
    assert read(store) == Row(KEY, {"labels": {"a": "c", "b": "c"}, "names": ["x", "y"]}, version=1)


def test_a_row_too_large_for_an_engine_is_refused_with_what_to_do(store: Store) -> None:
    with pytest.raises(StoreError, match="write it in chunks"):
        store.write([Put(KEY, {"body": os.urandom(500 * 1024)})])
    assert read(store) is None


@pytest.mark.parametrize("key", [Key("", "-"), Key("p", ""), Key("p" * 2049), Key("p", "s" * 1025), Key("\ud800")])
def test_a_key_no_engine_can_hold_is_refused(store: Store, key: Key) -> None:
    with pytest.raises(StoreError, match="of a row"):
        store.write([Put(key, {})])
    with pytest.raises(StoreError, match="of a row"):
        store.get([key])


def test_nothing_asked_is_nothing_answered(store: Store) -> None:
    assert store.get([]) == {}
    assert store.write([]) == []
    assert store.touch([]) == []
    store.commit([])
    assert list(store.scan("nobody")) == []
    assert store.due(2**62, 10) == []
    assert store.due(2**62, 0) == []


def test_get_answers_what_is_there_and_takes_a_key_twice(store: Store) -> None:
    keys = [Key("p", f"{n:04}") for n in range(250)]
    store.write([Put(key, {"n": n}, expect=ABSENT) for n, key in enumerate(keys) if n % 2])
    found = store.get([*keys, *keys])
    assert {key: row.data["n"] for key, row in found.items()} == {key: n for n, key in enumerate(keys) if n % 2}


# ---- expectations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    sentence: str
    write: Put | Delete
    held: bool
    after: tuple[int, int] | None  # version and touched


PRESENT = [  # the row has version 3 and touched 2
    Case("a put without expectation raises the version and keeps touched", Put(KEY, {}), True, (4, 2)),
    Case("a put that expects what is there goes through", Put(KEY, {}, expect=3), True, (4, 2)),
    Case("a put that expects an older version does not", Put(KEY, {}, expect=2), False, (3, 2)),
    Case("a put that expects a version to come does not", Put(KEY, {}, expect=4), False, (3, 2)),
    Case("a put that expects nothing does not", Put(KEY, {}, expect=ABSENT), False, (3, 2)),
    Case("a delete without expectation removes", Delete(KEY), True, None),
    Case("a delete that expects the version removes", Delete(KEY, expect=3), True, None),
    Case("a delete that expects another version does not", Delete(KEY, expect=2), False, (3, 2)),
    Case("a delete that expects touched removes", Delete(KEY, expect_touched=2), True, None),
    Case("a delete that expects both removes", Delete(KEY, expect=3, expect_touched=2), True, None),
    Case("a delete after somebody touched does not", Delete(KEY, expect=3, expect_touched=1), False, (3, 2)),
    Case("touched 0 is an expectation too", Delete(KEY, expect_touched=0), False, (3, 2)),
    Case("a delete that expects no row is a conflict", Delete(KEY, expect=ABSENT), False, (3, 2)),
]
MISSING = [
    Case("a put makes the row", Put(KEY, {}), True, (1, 0)),
    Case("a put that expects nothing makes the row", Put(KEY, {}, expect=ABSENT), True, (1, 0)),
    Case("a put that expects a version does not", Put(KEY, {}, expect=1), False, None),
    Case("a delete finds its work done", Delete(KEY), True, None),
    Case("a delete that expects a version is a conflict", Delete(KEY, expect=1), False, None),
    Case("a delete that expects only touched finds its work done", Delete(KEY, expect_touched=1), True, None),
    Case("a delete that expects version 0 is a conflict", Delete(KEY, expect=ABSENT), False, None),
]


def present(store: Store, expires_at: int | None = None) -> None:
    for _ in range(3):
        store.write([Put(KEY, {"old": True}, expires_at=expires_at)])
    store.touch([Touch(KEY, {}), Touch(KEY, {})])
    row = read(store)
    assert row is not None
    assert (row.version, row.touched) == (3, 2)


def check_write(store: Store, case: Case) -> None:
    assert store.write([case.write]) == [case.held], case.sentence
    check_after(store, case)


def check_commit(store: Store, case: Case) -> None:
    try:
        store.commit([case.write])
    except ConflictError:
        held = False
    else:
        held = True
    assert held == case.held, case.sentence
    check_after(store, case)


def check_after(store: Store, case: Case) -> None:
    row = read(store)
    assert (None if row is None else (row.version, row.touched)) == case.after, case.sentence
    if row is not None:
        assert row.data == ({} if case.held else {"old": True})


@pytest.mark.parametrize("check", [check_write, check_commit])
@pytest.mark.parametrize("case", PRESENT, ids=lambda case: case.sentence)
def test_expectations_of_a_row_that_is_there(store: Store, case: Case, check: Callable[[Store, Case], None]) -> None:
    present(store)
    check(store, case)


@pytest.mark.parametrize("check", [check_write, check_commit])
@pytest.mark.parametrize("case", MISSING, ids=lambda case: case.sentence)
def test_expectations_of_a_row_that_is_not(store: Store, case: Case, check: Callable[[Store, Case], None]) -> None:
    check(store, case)


@pytest.mark.parametrize("check", [check_write, check_commit])
@pytest.mark.parametrize("case", MISSING, ids=lambda case: case.sentence)
def test_a_row_that_expired_is_as_good_as_absent(engine: Any, case: Case, check: Callable[[Store, Case], None]) -> None:
    present(engine.store, expires_at=engine.clock.now() + SECOND)
    engine.advance(SECOND)
    check(engine.store, case)


def test_a_put_replaces_the_whole_row(store: Store) -> None:
    store.write([Put(KEY, {"a": 1}, due_at=5, expires_at=2**62)])
    store.write([Put(KEY, {"b": 2})])
    assert read(store) == Row(KEY, {"b": 2}, version=2)
    assert store.due(2**62, 10) == []


def test_each_write_stands_on_its_own(store: Store) -> None:
    store.write([Put(Key("p", "1"), {}), Put(Key("p", "2"), {})])
    held = store.write(
        [
            Put(Key("p", "1"), {}, expect=1),
            Put(Key("p", "2"), {}, expect=7),
            Put(Key("p", "3"), {}),
            Delete(Key("p", "4")),
        ]
    )
    assert held == [True, False, True, True]
    assert [(row.key.sk, row.version) for row in store.scan("p")] == [("1", 2), ("2", 1), ("3", 1)]


def test_writes_of_one_key_happen_in_their_order(store: Store) -> None:
    assert store.write([Put(KEY, {"n": n}, expect=n) for n in range(5)]) == [True] * 5
    assert read(store) == Row(KEY, {"n": 4}, version=5)


def test_two_hundred_writes_at_once(store: Store) -> None:
    writes = [Put(Key("p", f"{n:04}"), {"n": n}, expect=ABSENT) for n in range(200)]
    assert store.write(writes, durable=True) == [True] * 200
    assert store.write(writes) == [False] * 200


# ---- commit ---------------------------------------------------------------------------------------------------------


def test_a_commit_that_conflicts_leaves_nothing(store: Store) -> None:
    store.write([Put(Key("p", "1"), {"old": 1}), Put(Key("p", "9"), {"old": 9}, due_at=5)])
    with pytest.raises(ConflictError):
        store.commit(
            [Put(Key("p", "0"), {}), Delete(Key("p", "1")), Put(Key("p", "2"), {}, expect=1), Put(Key("p", "9"), {})]
        )
    assert [(row.key.sk, row.data, row.version) for row in store.scan("p")] == [
        ("1", {"old": 1}, 1),
        ("9", {"old": 9}, 1),
    ]
    assert store.due(2**62, 10) == [(Key("p", "9"), 5)]


def test_a_hundred_writes_are_one_commit(store: Store) -> None:
    store.commit([Put(Key("p", f"{n:03}"), {"n": n}, expect=ABSENT) for n in range(COMMIT_LIMIT)], durable=True)
    store.commit([Delete(Key("p", f"{n:03}"), expect=1, expect_touched=0) for n in range(COMMIT_LIMIT)])
    assert list(store.scan("p")) == []


def test_more_than_a_hundred_writes_are_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="101 writes"):
        store.commit([Put(Key("p", f"{n:03}"), {}) for n in range(COMMIT_LIMIT + 1)])


def test_one_key_twice_in_a_commit_is_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="only once"):
        store.commit([Put(KEY, {}), Delete(KEY)])


# ---- side by side ---------------------------------------------------------------------------------------------------


def side_by_side(count: int, work: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def start(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_fifty_threads_touch_one_row_and_no_count_is_lost(store: Store) -> None:
    rows = side_by_side(50, lambda _: store.touch([Touch(KEY, {"made": True}, due_at=7), Touch(Key("other"), {})]))
    assert sorted(row.touched for row, _ in rows) == list(range(1, 51))
    assert read(store) == Row(KEY, {"made": True}, version=1, touched=50, due_at=7)


def test_of_many_who_make_a_row_one_wins(store: Store) -> None:
    held = side_by_side(20, lambda n: store.write([Put(KEY, {"winner": n}, expect=ABSENT)], durable=True)[0])
    assert held.count(True) == 1
    assert read(store) == Row(KEY, {"winner": held.index(True)}, version=1)


def test_of_many_who_commit_over_one_version_one_wins(store: Store) -> None:
    store.write([Put(KEY, {})])

    def commit(number: int) -> bool:
        try:
            store.commit([Put(KEY, {"winner": number}, expect=1), Put(Key("p", str(number)), {})])
        except ConflictError:
            return False
        return True

    held = side_by_side(16, commit)
    assert held.count(True) == 1
    assert read(store) == Row(KEY, {"winner": held.index(True)}, version=2)
    assert [row.key.sk for row in store.scan("p")] == [str(held.index(True))]


def test_writers_who_read_again_lose_no_increment(store: Store) -> None:
    store.write([Put(KEY, {"n": 0})])

    def raise_five_times(_: int) -> None:
        done = 0
        while done < 5:
            row = store.get([KEY])[KEY]
            done += store.write([Put(KEY, {"n": row.data["n"] + 1}, expect=row.version)])[0]

    side_by_side(6, raise_five_times)
    assert read(store) == Row(KEY, {"n": 30}, version=31)
