"""How a row looks in DynamoDB, and each write of ``ports`` as a conditional request.

A write may have several **forms**, of which exactly one fits the row as it is: a row that expired but was not yet
deleted counts as absent, and no single expression can say both "raise the version" and "begin again". The likeliest
form comes first, so that a write is one call but for rare cases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from tocsin.engines import codec
from tocsin.model import SECOND, Instant
from tocsin.ports import ABSENT, Delete, Key, Put, Row, Touch

INDEX = "due"

_NAMES = {
    "#v": "v",
    "#touched": "touched",
    "#data": "d",
    "#due": "due_at",
    "#shard": "due_shard",
    "#expires": "expires_at",
    "#ttl": "ttl",
    "#token": "w",
}
# Parentheses are added where they are needed: DynamoDB refuses an expression with redundant ones.
_NOT_EXPIRED = "attribute_not_exists(#expires) OR #expires > :now"
_EXPIRED = "#expires <= :now"
_NONE = "attribute_not_exists(#v)"

_PLACEHOLDER = re.compile(r"[#:]\w+")


@dataclass(frozen=True, slots=True)
class Form:
    """A request: ``kind`` is Put, Update or Delete, as TransactWriteItems names them."""

    kind: str
    request: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes requests of writes.

    ``token`` names this write in the row (attribute ``w``): when an answer was lost and a repetition fails on its
    condition, the token tells whether it was we ourselves who wrote. ``shards`` spreads the index over partitions.
    """

    now: Instant
    token: str
    shards: int

    def forms(self, write: Put | Delete) -> list[Form]:
        """Give the forms of a write, the likeliest first. A write with an expectation has only one."""
        if isinstance(write, Delete):
            return [self._delete(write)]
        if write.expect is None:
            return [self._raise(write), self._begin(write, _EXPIRED)]
        if write.expect == ABSENT:
            return [self._begin(write, f"{_NONE} OR {_EXPIRED}")]
        return [self._raise(write)]

    def touch_forms(self, touch: Touch) -> list[Form]:
        """Give the forms of a touch: make or raise; raise a row that stays out of the index; replace an expired one."""
        begun = Put(touch.key, touch.data, due_at=touch.due_at)
        fields = self._fields(begun)
        kept = [name for name in ("#v", "#data", "#token", "#due", "#shard") if name in fields]
        sets = ", ".join(f"{name} = if_not_exists({name}, {_value(name)})" for name in kept)
        # if_not_exists would put a row that stays out of the index into it.
        there = f"attribute_exists(#due) AND ({_NOT_EXPIRED})" if touch.due_at is not None else _NOT_EXPIRED
        values = {_value(name): fields[name] for name in kept} | {":one": _number(1)}
        return [
            self._update(touch.key, f"SET {sets} ADD #touched :one", f"{_NONE} OR ({there})", values),
            self._update(touch.key, "ADD #touched :one", f"attribute_exists(#v) AND ({_NOT_EXPIRED})", values),
            self._begin(begun, _EXPIRED, touched=1),
        ]

    def _begin(self, put: Put, condition: str, touched: int = 0) -> Form:
        fields = {**self._fields(put), "#touched": _number(touched)}
        stored = {**marshal_key(put.key), **{_NAMES[name]: value for name, value in fields.items()}}
        return Form("Put", {"Item": stored, **self._condition(condition)})

    def _raise(self, put: Put) -> Form:
        fields = self._fields(put)
        values = {_value(name): value for name, value in fields.items()}
        sets = {name: _value(name) for name in fields}
        condition = _NOT_EXPIRED
        if put.expect is None:
            sets["#v"] = "if_not_exists(#v, :zero) + :one"
            sets["#touched"] = "if_not_exists(#touched, :zero)"
            values.update({":zero": _number(0), ":one": _number(1)})
        else:
            values.update({":expect": _number(put.expect), ":v": _number(put.expect + 1)})
            condition = f"#v = :expect AND ({_NOT_EXPIRED})"
        gone = [name for name in ("#due", "#shard", "#expires", "#ttl") if name not in fields]
        update = "SET " + ", ".join(f"{name} = {value}" for name, value in sets.items())
        if gone:
            update += " REMOVE " + ", ".join(gone)
        return self._update(put.key, update, condition, values)

    def _delete(self, delete: Delete) -> Form:
        touched = _number(delete.expect_touched or 0)
        if delete.expect is not None:
            condition = f"#v = :expect AND ({_NOT_EXPIRED})"
            if delete.expect_touched is not None:
                condition += " AND #touched = :touched"
        elif delete.expect_touched is not None:
            condition = f"{_NONE} OR {_EXPIRED} OR #touched = :touched"
        else:
            return Form("Delete", {"Key": marshal_key(delete.key)})
        values = {":expect": _number(delete.expect or 0), ":touched": touched}
        return Form("Delete", {"Key": marshal_key(delete.key), **self._condition(condition, values=values)})

    def _update(self, key: Key, update: str, condition: str, values: Mapping[str, Any]) -> Form:
        return Form("Update", {"Key": marshal_key(key), **self._condition(condition, update=update, values=values)})

    def _condition(
        self, condition: str, *, update: str = "", values: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Give the expressions with the names and values they use: DynamoDB refuses any that they do not."""
        known = {**(values or {}), ":now": _number(self.now)}
        used = dict.fromkeys(_PLACEHOLDER.findall(f"{condition} {update}"))
        request: dict[str, Any] = {
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {name: _NAMES[name] for name in used if name.startswith("#")},
        }
        if found := {name: known[name] for name in used if name.startswith(":")}:
            request["ExpressionAttributeValues"] = found
        if update:
            request["UpdateExpression"] = update
        return request

    def _fields(self, put: Put) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "#v": _number(1),
            "#data": {"B": codec.encode(put.key, put.data)},
            "#token": {"S": self.token},
        }
        if put.due_at is not None:
            fields["#due"] = _number(put.due_at)
            fields["#shard"] = {"S": shard(put.key.pk, self.shards)}
        if put.expires_at is not None:
            fields["#expires"] = _number(put.expires_at)
            # DynamoDB deletes by whole seconds, days late; #expires is the truth, and never later than this.
            fields["#ttl"] = _number(-(-put.expires_at // SECOND))
        return fields


def marshal_key(key: Key) -> dict[str, Any]:
    """Write a key; ``StoreError`` when it is none."""
    codec.check_key(key)
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def unmarshal_key(stored: Mapping[str, Any]) -> Key:
    """Read a key."""
    return Key(stored["pk"]["S"], stored["sk"]["S"])


def unmarshal(stored: Mapping[str, Any]) -> Row:
    """Read a row."""
    return Row(
        unmarshal_key(stored),
        codec.decode(bytes(stored["d"]["B"])),
        int(stored["v"]["N"]),
        int(stored["touched"]["N"]),
        _instant(stored, "due_at"),
        _instant(stored, "expires_at"),
    )


def alive(stored: Mapping[str, Any], now: Instant) -> bool:
    """Say whether a row, or its entry in the index, has not expired."""
    expires_at = _instant(stored, "expires_at")
    return expires_at is None or expires_at > now


def due_at(stored: Mapping[str, Any]) -> Instant:
    """Read when a row of the index is due."""
    return int(stored["due_at"]["N"])


def token_of(stored: Mapping[str, Any]) -> str:
    """Read which write made a row what it is."""
    token: str = stored.get("w", {}).get("S", "")
    return token


def size_of(form: Form) -> int:
    """Count the bytes of data in a request."""
    stored = form.request.get("Item", {}).get("d") or form.request.get("ExpressionAttributeValues", {}).get(":data")
    return len(stored["B"]) if stored else 0


def shard(pk: str, shards: int) -> str:
    """Name the partition of the index that a row's ``due_at`` stands in."""
    return str(crc32(pk.encode()) % shards)


def _value(name: str) -> str:
    return ":" + name.removeprefix("#")


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _instant(stored: Mapping[str, Any], name: str) -> Instant | None:
    return int(stored[name]["N"]) if name in stored else None
