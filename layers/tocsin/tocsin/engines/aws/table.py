"""Calls to one DynamoDB table, with its errors read: what ``DynamoStore`` is made of."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tocsin.engines.aws import faults
from tocsin.engines.aws.expressions import Form, token_of
from tocsin.errors import ConflictError, StoreBusyError

T = TypeVar("T")
A = TypeVar("A")

_CONFLICT_TRIES = 5  # a neighbour's transaction holds a row for milliseconds
_FIRST_PAUSE = 0.02  # seconds, doubled each time, jittered
_WORKERS = 8  # calls in flight at once; clients.py opens as many connections

_METHODS = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}


class UnfitError(ConflictError):
    """The condition of a form did not hold. ``token`` names who wrote the row; ``uncertain``: perhaps we ourselves."""

    def __init__(self, token: str, *, uncertain: bool) -> None:
        self.token = token
        self.uncertain = uncertain
        super().__init__("the row is not what was expected: read it again")


class CanceledError(ConflictError):
    """A transaction was cancelled; ``codes`` has the reason of each write, "None" where it would have been done."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = codes
        super().__init__(f"the transaction was cancelled: {', '.join(codes)}")


class Table:
    """A client bound to a table's name."""

    def __init__(self, name: str, client: Any, pause: Callable[[float], None] = time.sleep) -> None:  # noqa: ANN401 (boto3 has no types)
        self.name = name
        self._client = client
        self._pause = pause
        self._pool: ThreadPoolExecutor | None = None

    def call(self, method: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (boto3 has no types)
        """Make one call; a neighbour's transaction on the row is waited out. Raises ``StoreError``, ``UnfitError``."""
        for turn in range(_CONFLICT_TRIES):
            try:
                answer: dict[str, Any] = getattr(self._client, method)(**request)
            except ClientError as error:
                self._judge(error)
            except BotoCoreError as error:
                raise faults.translated(error, f"table {self.name}") from error
            else:
                return answer
            self.pause(turn)
        raise StoreBusyError(f"table {self.name}: other transactions kept holding the row")

    def do(self, form: Form, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (boto3 has no types)
        """Make one write."""
        more |= {"TableName": self.name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if "ConditionExpression" not in form.request:
            del more["ReturnValuesOnConditionCheckFailure"]
        return self.call(_METHODS[form.kind], **form.request, **more)

    def transact(self, forms: Sequence[Form], token: str) -> None:
        """Do all or none; repeated with the same token it is done once."""
        writes = [{form.kind: {"TableName": self.name, **form.request}} for form in forms]
        self.call("transact_write_items", TransactItems=writes, ClientRequestToken=token)

    def pause(self, turn: int) -> None:
        """Wait before the next try, longer each turn."""
        self._pause(_FIRST_PAUSE * 2**turn * random.uniform(0.5, 1.0))  # noqa: S311 (jitter is no secret)

    def spread(self, work: Callable[[A], T], parts: Sequence[A]) -> list[T]:
        """Do the work on every part, several at once; all have ended when an error is raised."""
        if len(parts) <= 1:
            return [work(part) for part in parts]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="tocsin-dynamodb")
        futures = [self._pool.submit(work, part) for part in parts]
        wait(futures)
        return [future.result() for future in futures]

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _judge(self, error: ClientError) -> None:
        """Raise what the error means; return when the call is worth repeating."""
        name = faults.code(error)
        if name == "ConditionalCheckFailedException":
            old: Mapping[str, Any] = error.response.get("Item", {})
            raise UnfitError(token_of(old), uncertain=faults.retried(error)) from error
        if name == "TransactionCanceledException":
            codes = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
            raise CanceledError(codes) from error
        if name != "TransactionConflictException":
            raise faults.translated(error, f"table {self.name}") from error
