"""``Store`` on one DynamoDB table (docs/architecture.md, "State").

Every write carries its expectation as a condition, every read but ``due`` is consistent, and a row past its
``expires_at`` is as good as absent whether or not DynamoDB has deleted it yet. Everything is durable.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tocsin.engines.aws import faults
from tocsin.engines.aws.expressions import INDEX, Writer, alive, due_at, marshal_key, size_of, unmarshal, unmarshal_key
from tocsin.engines.aws.table import CanceledError, Table, UnfitError
from tocsin.engines.bounds import check_commit, check_commit_size
from tocsin.engines.local import SystemClock
from tocsin.errors import ConflictError, StoreBusyError, StoreError
from tocsin.model import Instant
from tocsin.ports import Clock, Delete, Key, Put, Row, Touch

DUE_SHARDS = 4  # partitions of the index; may grow, must never shrink while rows stand in it

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
_BATCH_GET = 100
_UNPROCESSED_TRIES = 6  # in a row without one key coming back
_ROUNDS = 3  # over the forms of a write, or of a commit: each failure means that somebody else got on meanwhile
_TRANSACTION_TRIES = 6

_Turns = Sequence[tuple[int, Put | Delete]]


class DynamoStore:
    """Rows in one DynamoDB table; thread-safe."""

    def __init__(  # noqa: ANN204
        self,
        table_name: str,
        client: Any,  # noqa: ANN401 (boto3 has no types)
        clock: Clock | None = None,
        *,
        due_shards: int = DUE_SHARDS,
        pause: Callable[[float], None] = time.sleep,
    ):
        """Take the table's name and a boto3 client of DynamoDB (``clients.dynamodb()``)."""
        self._table = Table(table_name, client, pause)
        self._clock = clock or SystemClock()
        self._shards = due_shards

    def get(self, keys: Sequence[Key]) -> Mapping[Key, Row]:
        """See ``Store``."""
        distinct = list(dict.fromkeys(keys))
        wanted = [marshal_key(key) for key in distinct]
        batches = [wanted[at : at + _BATCH_GET] for at in range(0, len(wanted), _BATCH_GET)]
        found = {row.key: row for row in chain.from_iterable(self._table.spread(self._get, batches))}
        return {key: found[key] for key in distinct if key in found}

    def scan(self, pk: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Row]:
        """See ``Store``."""
        if after > prefix and not after.startswith(prefix):
            return  # everything with this prefix stands before
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:
            condition += " AND begins_with(sk, :prefix)"
            values[":prefix"] = {"S": prefix}
        request: dict[str, Any] = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        if after >= prefix and after:
            request["ExclusiveStartKey"] = {"pk": {"S": pk}, "sk": {"S": after}}
        left = limit
        while left is None or left > 0:
            if left is not None:
                request["Limit"] = left
            page = self._table.call("query", TableName=self._table.name, ConsistentRead=True, **request)
            now = self._clock.now()
            rows = [unmarshal(stored) for stored in page["Items"] if alive(stored, now)]
            yield from rows
            left = None if left is None else left - len(rows)
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, writes: Sequence[Put | Delete], *, durable: bool = False) -> Sequence[bool]:  # noqa: ARG002 (always)
        """See ``Store``."""
        chains: dict[Key, list[tuple[int, Put | Delete]]] = {}
        for turn in enumerate(writes):
            chains.setdefault(turn[1].key, []).append(turn)  # the writes of one key keep their order
        done = chain.from_iterable(self._table.spread(self._write_chain, list(chains.values())))
        held = dict(done)
        return [held[number] for number in range(len(writes))]

    def commit(self, writes: Sequence[Put | Delete], *, durable: bool = False) -> None:  # noqa: ARG002 (always)
        """See ``Store``. A commit of one write is a plain write, at half the price of a transaction."""
        check_commit(writes)
        if len(writes) > 1:
            self._transact(writes)
        elif writes and not self._write(writes[0]):
            raise _conflict(writes[0])

    def touch(self, touches: Sequence[Touch]) -> Sequence[Row]:
        """See ``Store``. A touch whose answer was lost is repeated, and may then count twice."""
        chains: dict[Key, list[tuple[int, Touch]]] = {}
        for turn in enumerate(touches):
            chains.setdefault(turn[1].key, []).append(turn)
        done = self._table.spread(lambda turns: [(n, self._touch(touch)) for n, touch in turns], list(chains.values()))
        rows = dict(chain.from_iterable(done))
        return [rows[number] for number in range(len(touches))]

    def due(self, before: Instant, limit: int) -> Sequence[tuple[Key, Instant]]:
        """See ``Store``. Asks every shard of the index, which lags behind the table."""
        if limit <= 0:
            return []
        shards = [str(shard) for shard in range(self._shards)]
        found = chain.from_iterable(self._table.spread(lambda shard: self._due(shard, before, limit), shards))
        return [(key, at) for at, key in sorted(found)[:limit]]

    def sweep(self, now: Instant) -> int:  # noqa: ARG002 (DynamoDB's own TTL does it)
        """See ``Store``."""
        return 0

    def close(self) -> None:
        """Let the threads go."""
        self._table.close()

    def _get(self, wanted: Sequence[Mapping[str, Any]]) -> list[Row]:
        rows: list[Row] = []
        in_vain = 0
        while wanted:
            asked = {self._table.name: {"Keys": wanted, "ConsistentRead": True}}
            answer = self._table.call("batch_get_item", RequestItems=asked)
            stored = answer.get("Responses", {}).get(self._table.name, [])
            now = self._clock.now()
            rows.extend(unmarshal(each) for each in stored if alive(each, now))
            # Besides throttling: an answer holds 16 MB, the rest is "unprocessed".
            wanted = answer.get("UnprocessedKeys", {}).get(self._table.name, {}).get("Keys", [])
            in_vain = 0 if stored else in_vain + 1
            if in_vain == _UNPROCESSED_TRIES:
                raise StoreBusyError(f"table {self._table.name} left {len(wanted)} keys unprocessed")
            if wanted and in_vain:
                self._table.pause(in_vain)
        return rows

    def _write_chain(self, turns: _Turns) -> list[tuple[int, bool]]:
        return [(number, self._write(write)) for number, write in turns]

    def _write(self, write: Put | Delete) -> bool:
        writer = self._writer()
        forms = writer.forms(write)
        uncertain = False
        for form in forms * _ROUNDS if len(forms) > 1 else forms:
            try:
                self._table.do(form)
            except UnfitError as unfit:
                if unfit.token == writer.token:
                    return True  # we did it before, and the answer was lost
                uncertain = uncertain or unfit.uncertain
            else:
                return True
        if uncertain or len(forms) > 1:
            raise StoreBusyError(f"row {write.key.pk}/{write.key.sk} may or may not have been written: read it again")
        return False

    def _transact(self, writes: Sequence[Put | Delete]) -> None:
        writer = self._writer()
        forms = [writer.forms(write) for write in writes]
        check_commit_size(size_of(each[0]) for each in forms)
        token = str(uuid.uuid4())
        for turn in range(_TRANSACTION_TRIES):
            try:
                self._table.transact([each[0] for each in forms], token)
            except CanceledError as cancelled:
                unfit = [n for n, code in enumerate(cancelled.codes) if code == "ConditionalCheckFailed"]
                for number in unfit:
                    if len(forms[number]) == 1:
                        raise _conflict(writes[number]) from cancelled
                    forms[number] = forms[number][::-1]
                self._judge(cancelled)
                if unfit:
                    token = str(uuid.uuid4())  # another request now, and a token stands for one
                else:
                    self._table.pause(turn)
            else:
                return
        raise StoreBusyError(f"table {self._table.name}: the transaction kept meeting others")

    def _judge(self, cancelled: CanceledError) -> None:
        """Raise for a reason that no repetition cures."""
        for code in cancelled.codes:
            if code not in ("None", "ConditionalCheckFailed") and not faults.passes(code):
                raise StoreError(f"table {self._table.name} refused the transaction: {code}") from cancelled

    def _touch(self, touch: Touch) -> Row:
        for form in self._writer().touch_forms(touch) * _ROUNDS:
            try:
                answer = self._table.do(form, **({"ReturnValues": "ALL_NEW"} if form.kind == "Update" else {}))
            except UnfitError:
                continue
            return unmarshal(answer["Attributes"] if form.kind == "Update" else form.request["Item"])
        raise StoreBusyError(f"row {touch.key.pk}/{touch.key.sk} was made and removed all the time: touch it again")

    def _due(self, shard: str, before: Instant, limit: int) -> list[tuple[Instant, Key]]:
        request: dict[str, Any] = {
            "IndexName": INDEX,
            "KeyConditionExpression": "due_shard = :shard AND due_at <= :before",
            "ExpressionAttributeValues": {":shard": {"S": shard}, ":before": {"N": str(before)}},
            "Limit": limit,
        }
        found: list[tuple[Instant, Key]] = []
        while len(found) < limit:
            page = self._table.call("query", TableName=self._table.name, **request)
            now = self._clock.now()
            found.extend((due_at(each), unmarshal_key(each)) for each in page["Items"] if alive(each, now))
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return found

    def _writer(self) -> Writer:
        return Writer(self._clock.now(), uuid.uuid4().hex, self._shards)


def _conflict(write: Put | Delete) -> ConflictError:
    return ConflictError(f"row {write.key.pk}/{write.key.sk} is not what was expected: read it again")
