"""``Queues`` on SQS.

On AWS Lambda's pollers receive; ``receive``, ``ack`` and ``postpone`` are for whoever drives a queue by hand.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tocsin.engines.aws import faults
from tocsin.engines.bounds import MESSAGE_BYTES, check_messages, whole_seconds
from tocsin.errors import StoreBusyError, StoreError
from tocsin.model import Span
from tocsin.ports import Clock, Message, Received

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH = 10
_BATCH_BYTES = MESSAGE_BYTES  # of all bodies together

_TRIES = 4  # of the entries that a batch left over
_FIRST_PAUSE = 0.05  # seconds, doubled each time, jittered
_MILLISECOND: Span = 1_000_000

# What has been acknowledged, or has gone to another, needs nothing more from us.
_GONE = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    }
)

_Entry = dict[str, Any]


class SqsQueues:
    """Queues by their names in ``ports``; thread-safe."""

    def __init__(
        self,
        urls: Mapping[str, str],
        client: Any,  # noqa: ANN401 (boto3 has no types)
        clock: Clock,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take each queue's URL by our name of it, and a boto3 client of SQS (``clients.sqs()``)."""
        self._urls = dict(urls)
        self._client = client
        self._clock = clock
        self._pause = pause

    def send(self, queue: str, messages: Sequence[Message]) -> None:
        """See ``Queues``. What a batch left over is sent again; in the end ``StoreBusyError``."""
        check_messages(messages)
        entries = [
            {"Id": str(number), "MessageBody": message.body, "DelaySeconds": whole_seconds(message.delay)}
            for number, message in enumerate(messages)
        ]
        for batch in _batches(entries):
            self._all(queue, "send_message_batch", batch)

    def receive(self, queue: str, limit: int = 10) -> Sequence[Received]:
        """See ``Queues``; ten at most, and none is waited for."""
        answer = self._call(
            queue,
            "receive_message",
            MaxNumberOfMessages=min(limit, _BATCH),
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return [_received(message) for message in answer.get("Messages", [])]

    def ack(self, queue: str, receipts: Sequence[str]) -> None:
        """See ``Queues``."""
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(dict.fromkeys(receipts))
        ]
        for at in range(0, len(entries), _BATCH):
            self._all(queue, "delete_message_batch", entries[at : at + _BATCH], _GONE)

    def postpone(self, queue: str, receipt: str, delay: Span) -> None:
        """See ``Queues``. A message that somebody else holds by now is left to them."""
        try:
            self._call(
                queue,
                "change_message_visibility",
                ReceiptHandle=receipt,
                VisibilityTimeout=whole_seconds(delay),
            )
        except StoreError as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or faults.code(cause) not in _GONE:
                raise

    def _all(
        self, queue: str, method: str, entries: Sequence[_Entry], harmless: AbstractSet[str] = frozenset()
    ) -> None:
        """Make a batch call until no entry is left over but for ``harmless`` reasons."""
        left = list(entries)
        for turn in range(_TRIES):
            if turn:
                self._pause(_FIRST_PAUSE * 2**turn * random.uniform(0.5, 1.0))  # noqa: S311 (jitter is no secret)
            answer = self._call(queue, method, Entries=left)
            failed = {each["Id"]: each for each in answer.get("Failed", []) if each.get("Code") not in harmless}
            for code in (str(each.get("Code")) for each in failed.values() if each.get("SenderFault")):
                if not faults.passes(code):
                    raise StoreError(f"queue {queue} refused a message: {code}; check the queue's settings")
            left = [entry for entry in left if entry["Id"] in failed]
            if not left:
                return
        raise StoreBusyError(f"queue {queue} did not take {len(left)} of {len(entries)} messages")

    def _call(self, queue: str, method: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (boto3 has no types)
        if queue not in self._urls:
            raise StoreError(f"there is no queue {queue!r}: the deployment names {', '.join(sorted(self._urls))}")
        try:
            answer: dict[str, Any] = getattr(self._client, method)(QueueUrl=self._urls[queue], **request)
        except (ClientError, BotoCoreError) as error:
            raise faults.translated(error, f"queue {queue}") from error
        return answer


def _batches(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    batch: list[_Entry] = []
    total = 0
    for entry in entries:
        size = len(entry["MessageBody"].encode())
        if batch and (len(batch) == _BATCH or total + size > _BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch


def _received(message: Mapping[str, Any]) -> Received:
    attributes = message["Attributes"]
    return Received(
        id=message["MessageId"],
        body=message["Body"],
        count=int(attributes["ApproximateReceiveCount"]),
        receipt=message["ReceiptHandle"],
        sent_at=int(attributes["SentTimestamp"]) * _MILLISECOND,
    )
