"""The SQS adapter keeps its promises while batches half succeed and messages come doubled and out of order."""

from __future__ import annotations

from typing import Any

import pytest
from tocsin.errors import StoreBusyError, StoreError
from tocsin.model import MINUTE, SECOND
from tocsin.ports import DUE, INBOX, Message

from tests.engines.aws_world import Answer, Call, World, error, lose_answer, refuse, times
from tests.engines.conftest import Engine

Aws = tuple[Engine, World]


def drain(engine: Engine) -> list[str]:
    bodies: list[str] = []
    while batch := engine.queues.receive(INBOX):
        bodies.extend(message.body for message in batch)
    return bodies


def partly(operation: str, wanted: set[str], *, sender_fault: bool, code: str, limit: int) -> Any:
    """Let some entries of a batch fail, by their ids, without doing them."""
    count = 0
    hit: list[str] = []

    def before(call: Call) -> None:
        nonlocal count
        hit.clear()
        if call.operation == operation and count < limit:
            count += 1
            hit.extend(e["Id"] for e in call.body["Entries"] if e["Id"] in wanted)
            call.body["Entries"] = [e for e in call.body["Entries"] if e["Id"] not in wanted] or [
                {"Id": "pad", "MessageBody": "pad", "ReceiptHandle": "pad"}
            ]

    def after(call: Call, answer: Answer) -> Answer:
        if call.operation == operation and hit:
            failed = [{"Id": e, "SenderFault": sender_fault, "Code": code, "Message": "no"} for e in hit]
            answer.body["Failed"] = [*answer.body.get("Failed", []), *failed]
        return answer

    return before, after


def install(world: World, rules: Any) -> None:
    world.proxy.before.append(rules[0])
    world.proxy.after.append(rules[1])


def test_entries_that_a_batch_left_over_are_sent_again(aws: Aws) -> None:
    engine, world = aws
    install(world, partly("SendMessageBatch", {"2", "5"}, sender_fault=False, code="InternalError", limit=2))
    engine.queues.send(INBOX, [Message(str(n)) for n in range(8)])
    assert world.proxy.calls["SendMessageBatch"] == 3
    assert sorted(set(drain(engine)) - {"pad"}) == [str(n) for n in range(8)]
    assert len(world.pauses) == 2


def test_entries_left_over_for_ever_are_busy(aws: Aws) -> None:
    engine, world = aws
    install(world, partly("SendMessageBatch", {"1"}, sender_fault=False, code="InternalError", limit=99))
    with pytest.raises(StoreBusyError, match="queue inbox did not take 1 of 3 messages"):
        engine.queues.send(INBOX, [Message(str(n)) for n in range(3)])


def test_an_entry_refused_for_good_is_said_at_once(aws: Aws) -> None:
    engine, world = aws
    install(world, partly("SendMessageBatch", {"1"}, sender_fault=True, code="KmsAccessDenied", limit=99))
    with pytest.raises(StoreError, match="KmsAccessDenied; check the queue's settings") as raised:
        engine.queues.send(INBOX, [Message(str(n)) for n in range(3)])
    assert not isinstance(raised.value, StoreBusyError)
    assert world.proxy.calls["SendMessageBatch"] == 1


def test_a_throttled_entry_is_no_fault_of_ours_though_sqs_says_so(aws: Aws) -> None:
    engine, world = aws
    install(world, partly("SendMessageBatch", {"0"}, sender_fault=True, code="RequestThrottled", limit=1))
    engine.queues.send(INBOX, [Message("m"), Message("n")])
    assert sorted(drain(engine)) == ["m", "n"]


def test_a_send_whose_answer_was_lost_may_double_but_not_lose(aws: Aws) -> None:
    engine, world = aws
    world.proxy.after.append(lose_answer("SendMessageBatch"))
    engine.queues.send(INBOX, [Message("m")])
    assert drain(engine) == ["m", "m"]


def test_a_send_that_lost_every_answer_is_busy(aws: Aws) -> None:
    engine, world = aws
    world.proxy.after.append(lose_answer("SendMessageBatch", 9))
    with pytest.raises(StoreBusyError, match="queue inbox could not be reached"):
        engine.queues.send(INBOX, [Message("m")])


@pytest.mark.parametrize(
    "answer", [error("ThrottlingException"), error("RequestThrottled", 403), error("InternalFailure", 500)]
)
def test_a_throttle_of_the_whole_call(aws: Aws, answer: Answer) -> None:
    engine, world = aws
    world.proxy.before.append(refuse("SendMessageBatch", answer))
    with pytest.raises(StoreBusyError):
        engine.queues.send(INBOX, [Message("m")])
    world.proxy.reset()
    world.proxy.before.append(times(1, refuse("SendMessageBatch", error("ThrottlingException"))))
    engine.queues.send(INBOX, [Message("m")])
    assert drain(engine) == ["m"]


def test_doubled_and_reordered_messages_come_through_as_they_are(aws: Aws) -> None:
    engine, world = aws

    def doubled(call: Call, answer: Answer) -> Answer:
        if call.operation == "ReceiveMessage" and answer.body.get("Messages"):
            answer.body["Messages"] = answer.body["Messages"][::-1] * 2
        return answer

    world.proxy.after.append(doubled)
    engine.queues.send(INBOX, [Message(str(n)) for n in range(3)])
    taken = engine.queues.receive(INBOX)
    assert sorted(message.body for message in taken) == ["0", "0", "1", "1", "2", "2"]
    engine.queues.ack(INBOX, [message.receipt for message in taken])
    world.proxy.reset()
    engine.advance(10 * MINUTE)
    assert drain(engine) == []


def test_a_batch_is_no_heavier_than_sqs_allows(aws: Aws) -> None:
    engine, world = aws
    weights: list[int] = []

    def weigh(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            weights.append(sum(len(e["MessageBody"].encode()) for e in call.body["Entries"]))

    world.proxy.before.append(weigh)
    sizes = [600_000, 600_000, 10, 1024 * 1024, 5]
    engine.queues.send(DUE, [Message("é" * (size // 2)) for size in sizes])
    assert weights == [600_000, 600_010, 1024 * 1024, 4]


@pytest.mark.parametrize(
    ("sentence", "message", "error_type"),
    [
        ("an empty body", Message(""), ValueError),
        ("a character SQS refuses", Message("\u0000"), ValueError),
        ("a lone surrogate", Message("\ud800"), ValueError),
        ("a non-character", Message("\uffff"), ValueError),
        ("more than a mebibyte", Message("x" * (1024 * 1024 + 1)), StoreError),
    ],
)
def test_what_sqs_cannot_carry_is_refused_by_every_engine(
    engine: Engine, sentence: str, message: Message, error_type: type[Exception]
) -> None:
    with pytest.raises(error_type):
        engine.queues.send(INBOX, [Message("ok"), message])
    assert drain(engine) == [], sentence


def test_delays_are_whole_seconds_never_shorter_than_asked(aws: Aws) -> None:
    engine, world = aws
    delays: list[int] = []

    def note(call: Call) -> None:
        delays.extend(e["DelaySeconds"] for e in call.body.get("Entries", []))

    world.proxy.before.append(note)
    engine.queues.send(DUE, [Message("m", d) for d in (0, 1, SECOND, SECOND + 1, 15 * MINUTE)])
    assert delays == [0, 1, 1, 2, 900]


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "InvalidParameterValue"])
def test_a_message_that_went_to_another_is_left_to_them(aws: Aws, code: str) -> None:
    engine, world = aws
    install(world, partly("DeleteMessageBatch", {"0"}, sender_fault=True, code=code, limit=9))
    engine.queues.ack(INBOX, ["gone"])
    world.proxy.reset()
    world.proxy.before.append(refuse("ChangeMessageVisibility", error(code)))
    engine.queues.postpone(INBOX, "gone", SECOND)


def test_a_postponement_that_fails_otherwise_is_said(aws: Aws) -> None:
    engine, world = aws
    world.proxy.before.append(refuse("ChangeMessageVisibility", error("AccessDeniedException")))
    with pytest.raises(StoreError, match="queue inbox refused"):
        engine.queues.postpone(INBOX, "receipt", SECOND)


def test_a_queue_nobody_deployed(aws: Aws) -> None:
    engine, _ = aws
    with pytest.raises(StoreError, match=r"there is no queue 'deliver\.pigeon': the deployment names deliver\.email"):
        engine.queues.send("deliver.pigeon", [Message("m")])
