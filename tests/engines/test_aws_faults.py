"""The AWS adapter keeps its promises while DynamoDB does what moto never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tocsin.errors import ConflictError, StoreBusyError, StoreError
from tocsin.model import SECOND
from tocsin.ports import ABSENT, Delete, Key, Message, Put, Row, Touch

from tests.engines.aws_world import (
    Answer,
    Call,
    World,
    cancelled,
    error,
    lose_answer,
    lose_request,
    refuse,
    times,
)
from tests.engines.conftest import Engine

KEY = Key("group#1")
OTHER = Key("group#2")
Aws = tuple[Engine, World]


def read(engine: Engine, key: Key = KEY) -> Row | None:
    return engine.store.get([key]).get(key)


# ---- the answer is lost, the effect is not ---------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize(
    ("write", "operation", "version"),
    [
        (Put(OTHER, {"n": 1}, expect=ABSENT), "PutItem", 1),
        (Put(KEY, {"n": 1}, expect=1), "UpdateItem", 2),
    ],
)
def test_a_write_repeated_after_its_effect_knows_its_own_hand(
    aws: Aws, write: Put, operation: str, version: int, lost: int
) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {"n": 0})])
    world.proxy.after.append(lose_answer(operation, lost))
    assert engine.store.write([write]) == [True]
    assert read(engine, write.key) == Row(write.key, {"n": 1}, version=version)


def test_a_write_that_lost_every_answer_says_that_it_does_not_know(aws: Aws) -> None:
    engine, world = aws
    world.proxy.after.append(lose_answer("PutItem", 3))
    with pytest.raises(StoreBusyError):
        engine.store.write([Put(KEY, {}, expect=ABSENT)])
    assert read(engine) == Row(KEY, {}, version=1)  # it happened: "read again" is right


def test_a_claim_lost_to_somebody_else_after_a_lost_request_is_no_success(aws: Aws) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {"by": "nobody"})])
    rival = world.store(engine.clock)

    def rival_first(call: Call) -> None:
        if call.operation == "UpdateItem":
            world.proxy.before.clear()
            rival.write([Put(KEY, {"by": "rival"}, expect=1)])
            raise_timeout(call)

    world.proxy.before.append(rival_first)
    with pytest.raises(StoreBusyError, match="read it again"):
        engine.store.write([Put(KEY, {"by": "us"}, expect=1)])
    assert read(engine) == Row(KEY, {"by": "rival"}, version=2)


def raise_timeout(call: Call) -> None:
    lose_request(call.operation)(call)


def test_a_delete_whose_answer_was_lost_says_that_it_does_not_know(aws: Aws) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {})])
    world.proxy.after.append(lose_answer("DeleteItem"))
    with pytest.raises(StoreBusyError):
        engine.store.write([Delete(KEY, expect=1)])
    assert read(engine) is None


def test_a_transaction_repeated_after_its_effect_is_done_once(aws: Aws) -> None:
    engine, world = aws
    world.proxy.after.append(lose_answer("TransactWriteItems"))
    engine.store.commit([Put(KEY, {}, expect=ABSENT), Put(OTHER, {})])
    assert world.proxy.calls["TransactWriteItems"] == 2
    rows = engine.store.get([KEY, OTHER])
    assert [row.version for row in rows.values()] == [1, 1]


def test_a_touch_repeated_after_its_effect_may_count_twice_but_never_not_at_all(aws: Aws) -> None:
    engine, world = aws
    world.proxy.after.append(lose_answer("UpdateItem"))
    (row,) = engine.store.touch([Touch(KEY, {"made": True}, due_at=5)])
    assert (row.version, row.data, row.due_at) == (1, {"made": True}, 5)
    assert row.touched == 2
    assert read(engine) == row


# ---- refusals that pass ----------------------------------------------------------------------------------------------

WRITES: list[tuple[str, Callable[[Engine], Any]]] = [
    ("UpdateItem", lambda e: e.store.write([Put(KEY, {})])),
    ("PutItem", lambda e: e.store.write([Put(OTHER, {}, expect=ABSENT)])),
    ("DeleteItem", lambda e: e.store.write([Delete(KEY)])),
    ("TransactWriteItems", lambda e: e.store.commit([Put(KEY, {}, expect=1), Put(OTHER, {})])),
    ("UpdateItem", lambda e: e.store.touch([Touch(KEY, {})])),
    ("BatchGetItem", lambda e: e.store.get([KEY])),
    ("Query", lambda e: list(e.store.scan("group#1"))),
    ("Query", lambda e: e.store.due(10, 10)),
]
THROTTLES = [
    error("ProvisionedThroughputExceededException"),
    error("ThrottlingException"),
    error("RequestLimitExceeded"),
    error("InternalServerError", 500),
    error("ServiceUnavailable", 503),
]


@pytest.mark.parametrize("throttle", THROTTLES, ids=lambda a: a.body["message"])
@pytest.mark.parametrize(("operation", "work"), WRITES, ids=lambda w: w if isinstance(w, str) else "")
def test_a_throttle_that_passes_is_never_seen(
    aws: Aws, operation: str, work: Callable[[Engine], Any], throttle: Answer
) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {}, due_at=1)])
    world.proxy.before.append(times(2, refuse(operation, throttle)))
    work(engine)
    assert world.proxy.calls[operation] >= 3


@pytest.mark.parametrize("throttle", THROTTLES, ids=lambda a: a.body["message"])
@pytest.mark.parametrize(("operation", "work"), WRITES, ids=lambda w: w if isinstance(w, str) else "")
def test_a_throttle_that_stays_is_busy_and_changes_nothing(
    aws: Aws, operation: str, work: Callable[[Engine], Any], throttle: Answer
) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {"n": 1}, due_at=1)])
    world.proxy.before.append(refuse(operation, throttle))
    with pytest.raises(StoreBusyError, match="table tocsin"):
        work(engine)
    world.proxy.reset()
    assert read(engine) == Row(KEY, {"n": 1}, version=1, due_at=1)
    assert read(engine, OTHER) is None


@pytest.mark.parametrize(("operation", "work"), WRITES, ids=lambda w: w if isinstance(w, str) else "")
def test_no_connection_is_busy(aws: Aws, operation: str, work: Callable[[Engine], Any]) -> None:
    engine, world = aws
    world.proxy.before.append(lose_request(operation, 99))
    with pytest.raises(StoreBusyError, match="ConnectTimeoutError"):
        work(engine)


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("the table's name is wrong", error("ResourceNotFoundException")),
        ("a permission is missing", error("AccessDeniedException")),
        ("the request is wrong", error("ValidationException")),
    ],
)
@pytest.mark.parametrize(("operation", "work"), WRITES, ids=lambda w: w if isinstance(w, str) else "")
def test_a_refusal_that_stays_is_said_at_once(
    aws: Aws, operation: str, work: Callable[[Engine], Any], sentence: str, answer: Answer
) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {})])
    asked: list[dict[str, Any]] = []
    world.proxy.before.append(lambda call: asked.append(call.body))
    world.proxy.before.append(refuse(operation, answer))
    with pytest.raises(StoreError, match="check its name, the region and this function's permissions") as raised:
        work(engine)
    assert not isinstance(raised.value, StoreBusyError), sentence
    assert all(asked.count(body) == 1 for body in asked)  # nothing is tried twice


def test_another_transaction_on_the_row_is_waited_out(aws: Aws) -> None:
    engine, world = aws
    world.proxy.before.append(times(3, refuse("UpdateItem", error("TransactionConflictException"))))
    assert engine.store.write([Put(KEY, {})]) == [True]
    assert len(world.pauses) == 3
    assert sorted(world.pauses) == world.pauses  # longer each time


def test_a_row_held_for_ever_is_busy(aws: Aws) -> None:
    engine, world = aws
    world.proxy.before.append(refuse("UpdateItem", error("TransactionConflictException")))
    with pytest.raises(StoreBusyError, match="other transactions"):
        engine.store.touch([Touch(KEY, {})])


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_met_another_is_tried_again(aws: Aws, reason: str) -> None:
    engine, world = aws
    world.proxy.before.append(times(2, refuse("TransactWriteItems", cancelled("None", reason))))
    engine.store.commit([Put(KEY, {}, expect=ABSENT), Put(OTHER, {}, expect=ABSENT)])
    assert world.proxy.calls["TransactWriteItems"] == 3
    assert len(engine.store.get([KEY, OTHER])) == 2


def test_a_transaction_that_meets_others_for_ever_is_busy(aws: Aws) -> None:
    engine, world = aws
    world.proxy.before.append(refuse("TransactWriteItems", cancelled("TransactionConflict", "None")))
    with pytest.raises(StoreBusyError, match="kept meeting others"):
        engine.store.commit([Put(KEY, {}), Put(OTHER, {})])
    world.proxy.reset()
    assert engine.store.get([KEY, OTHER]) == {}


def test_a_conflict_beside_a_neighbours_transaction_is_a_conflict(aws: Aws) -> None:
    engine, world = aws
    world.proxy.before.append(refuse("TransactWriteItems", cancelled("ConditionalCheckFailed", "TransactionConflict")))
    with pytest.raises(ConflictError, match="group#1/-"):
        engine.store.commit([Put(KEY, {}, expect=1), Put(OTHER, {})])


def test_a_transaction_refused_for_good_is_said_at_once(aws: Aws) -> None:
    engine, world = aws
    world.proxy.before.append(refuse("TransactWriteItems", cancelled("ValidationError", "None")))
    with pytest.raises(StoreError, match="refused the transaction: ValidationError"):
        engine.store.commit([Put(KEY, {}), Put(OTHER, {})])
    assert world.proxy.calls["TransactWriteItems"] == 1


# ---- half done -------------------------------------------------------------------------------------------------------


def unprocessed(keep: int) -> tuple[Callable[[Call], None], Callable[[Call, Answer], Answer]]:
    """Read only the first few keys of each request and hand back the others, as a throttled table does."""
    left: list[Any] = []

    def before(call: Call) -> None:
        if call.operation == "BatchGetItem":
            asked = call.body["RequestItems"]["tocsin"]
            left[:] = asked["Keys"][keep:]
            asked["Keys"] = asked["Keys"][:keep] or [{"pk": {"S": "nobody"}, "sk": {"S": "-"}}]

    def after(call: Call, answer: Answer) -> Answer:
        if call.operation == "BatchGetItem" and left:
            answer.body["UnprocessedKeys"] = {"tocsin": {"Keys": list(left), "ConsistentRead": True}}
        return answer

    return before, after


def test_keys_left_unprocessed_are_asked_for_again(aws: Aws) -> None:
    engine, world = aws
    keys = [Key("p", f"{n:03}") for n in range(40)]
    engine.store.write([Put(key, {}, expect=ABSENT) for key in keys])
    before, after = unprocessed(9)
    world.proxy.before.append(before)
    world.proxy.after.append(after)
    assert list(engine.store.get(keys)) == keys
    assert world.proxy.calls["BatchGetItem"] == 5
    assert world.pauses == []  # each answer brought something


def test_keys_unprocessed_for_ever_are_busy(aws: Aws) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {})])
    before, after = unprocessed(0)
    world.proxy.before.append(before)
    world.proxy.after.append(after)
    with pytest.raises(StoreBusyError, match="left 1 keys unprocessed"):
        engine.store.get([KEY])
    assert 1 <= len(world.pauses) <= 10


def test_of_many_writes_one_that_fails_is_not_hidden(aws: Aws) -> None:
    engine, world = aws

    def one(call: Call) -> Answer | None:
        return error("ThrottlingException") if call.body.get("Item", {}).get("sk") == {"S": "07"} else None

    world.proxy.before.append(one)
    with pytest.raises(StoreBusyError):
        engine.store.write([Put(Key("p", f"{n:02}"), {}, expect=ABSENT) for n in range(20)])
    world.proxy.reset()
    assert len(list(engine.store.scan("p"))) == 19  # the others have all ended, none is still on its way


# ---- stale -----------------------------------------------------------------------------------------------------------


def stale_index(world: World) -> None:
    """Let the index answer for ever what it answered first; the table itself stays true."""
    seen: dict[str, Answer] = {}

    def rule(call: Call, answer: Answer) -> Answer:
        if call.operation != "Query" or "IndexName" not in call.body:
            return answer
        return seen.setdefault(str(call.body["ExpressionAttributeValues"][":shard"]), answer)

    world.proxy.after.append(rule)


def test_only_due_reads_from_what_may_lag(aws: Aws) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {"n": 1}, due_at=1), Put(OTHER, {}, due_at=2)])
    stale_index(world)
    assert engine.store.due(10, 10) == [(KEY, 1), (OTHER, 2)]
    engine.store.write([Put(KEY, {"n": 2}), Delete(OTHER)])
    assert engine.store.due(10, 10) == [(KEY, 1), (OTHER, 2)]  # a hint, not a truth
    assert engine.store.get([KEY, OTHER]) == {KEY: Row(KEY, {"n": 2}, version=2)}
    assert [row.data for row in engine.store.scan(KEY.pk)] == [{"n": 2}]
    assert engine.store.write([Put(KEY, {}, expect=1)]) == [False]


def test_every_read_but_due_is_consistent(aws: Aws) -> None:
    engine, world = aws
    reads: list[bool] = []

    def note(call: Call) -> None:
        if call.operation == "BatchGetItem":
            reads.append(call.body["RequestItems"]["tocsin"]["ConsistentRead"])
        elif call.operation == "Query" and "IndexName" not in call.body:
            reads.append(call.body["ConsistentRead"])

    world.proxy.before.append(note)
    engine.store.get([KEY])
    list(engine.store.scan("p"))
    assert reads == [True, True]


# ---- what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "work", "calls"),
    [
        ("a touch of a group that waits is one call", lambda e: e.store.touch([Touch(KEY, {}, due_at=9)]), 1),
        ("a touch that makes its group is one call", lambda e: e.store.touch([Touch(OTHER, {}, due_at=9)]), 1),
        ("a put is one call, whatever was there", lambda e: e.store.write([Put(KEY, {}), Put(OTHER, {})]), 2),
        ("a put with an expectation is one call", lambda e: e.store.write([Put(KEY, {}, expect=1)]), 1),
        ("a commit is one call", lambda e: e.store.commit([Put(KEY, {}), Put(OTHER, {})]), 1),
        ("a hundred keys are one call", lambda e: e.store.get([Key("p", str(n)) for n in range(100)]), 1),
        ("due asks each shard", lambda e: e.store.due(10, 10), 4),
        ("thirty messages are three calls", lambda e: e.queues.send("inbox", messages(30)), 3),
    ],
)
def test_calls_are_counted(aws: Aws, sentence: str, work: Callable[[Engine], Any], calls: int) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {}, due_at=5)])
    world.proxy.reset()
    work(engine)
    assert world.proxy.total() == calls, sentence


def messages(count: int) -> list[Message]:
    return [Message("{}")] * count


# ---- expiry, as DynamoDB counts it -----------------------------------------------------------------------------------


def test_ttl_is_in_seconds_and_never_before_the_row_expires(aws: Aws) -> None:
    engine, world = aws
    engine.store.write([Put(KEY, {}, expires_at=5 * SECOND + 1)])
    stored = world.dynamodb.get_item(TableName="tocsin", Key={"pk": {"S": KEY.pk}, "sk": {"S": "-"}})["Item"]
    assert stored["ttl"] == {"N": "6"}
    assert stored["expires_at"] == {"N": str(5 * SECOND + 1)}


def test_an_expired_row_that_dynamodb_has_not_deleted_yields_to_a_commit(aws: Aws) -> None:
    engine, _ = aws
    engine.store.write([Put(KEY, {"old": True}, due_at=1, expires_at=engine.clock.now() + SECOND)] * 3)
    engine.advance(2 * SECOND)
    engine.store.commit([Put(KEY, {"new": True}), Put(OTHER, {})])
    assert read(engine) == Row(KEY, {"new": True}, version=1)
