"""What the narrower of the two engines allows, held by both: what works at home works on AWS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tocsin.errors import StoreError
from tocsin.model import MINUTE, SECOND, Span
from tocsin.ports import COMMIT_LIMIT, Delete, Message, Put

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html: 4 MB together; some of
# them are left for keys, names and numbers.
COMMIT_BYTES = 3_900_000

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
DELAY_LIMIT: Span = 15 * MINUTE
MESSAGE_BYTES = 1024 * 1024
_REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_commit(writes: Sequence[Put | Delete]) -> None:
    """Raise ValueError for what is no commit: too many writes, or one key twice."""
    if len(writes) > COMMIT_LIMIT:
        raise ValueError(f"{len(writes)} writes in one commit, {COMMIT_LIMIT} are allowed")
    if len({write.key for write in writes}) < len(writes):
        raise ValueError("a commit may name each key only once")


def check_commit_size(sizes: Iterable[int]) -> None:
    """Raise ``StoreError`` when the rows of one commit, as bytes, are too much together."""
    total = sum(sizes)
    if total > COMMIT_BYTES:
        raise StoreError(f"a commit has {total} bytes, {COMMIT_BYTES} are allowed: write the large rows before it")


def check_messages(messages: Sequence[Message]) -> None:
    """Raise ValueError for a delay or a character that no queue takes, ``StoreError`` for a body that is too large."""
    for message in messages:
        if not 0 <= message.delay <= DELAY_LIMIT:
            raise ValueError(f"a message cannot be delayed by {message.delay} ns, {DELAY_LIMIT} is the longest")
        if not message.body or _REFUSED.search(message.body):
            raise ValueError("a message is empty or holds a character that queues refuse: send ASCII JSON")
        size = len(message.body.encode())
        if size > MESSAGE_BYTES:
            raise StoreError(f"a message has {size} bytes, {MESSAGE_BYTES} are allowed: store the body in chunks")


def whole_seconds(span: Span) -> int:
    """Round a span up to seconds, which is what queues count in."""
    return -(-span // SECOND)
