"""Compiled plans in the table: immutable, each with its epoch, and one pointer that moves (state.md, rule 15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tocsin.config import codec
from tocsin.config.codec import Door
from tocsin.config.plan import Plan
from tocsin.errors import ConfigError, ConflictError
from tocsin.pipeline import blobs
from tocsin.pipeline.rows import PLAN_POINTER
from tocsin.ports import ABSENT, Clock, Put, Row, Store

KEPT_EPOCHS = 20  # how far `tocsin config rollback` can go back


class Plans:
    """The current plan of this table; what was read is kept until the pointer moves."""

    def __init__(self, store: Store, clock: Clock, builtin: Plan) -> None:
        """Take the plan that holds until one is pushed."""
        self._store, self._clock, self._builtin = store, clock, builtin
        self._known: Plan | None = None

    def current(self) -> Plan:
        """Give the plan the pointer names; asked once per batch, so a push takes effect with the next message."""
        row = self._store.get([PLAN_POINTER]).get(PLAN_POINTER)
        if row is None:
            return self._builtin
        epoch, blob = row.data["epoch"], row.data["blob"]
        if self._known is None or self._known.epoch != epoch:
            plan = codec.from_json(blobs.get(self._store, blob).decode())
            self._known = replace(plan, epoch=epoch)
        return self._known

    def door(self) -> Door:
        """Give what ``receive`` needs of the plan: the sources and their proofs, nothing else."""
        row = self._store.get([PLAN_POINTER]).get(PLAN_POINTER)
        return codec.door_from_json(row.data["door"] if row else codec.door_json(self._builtin))

    def push(self, plan: Plan) -> Plan:
        """Store a plan under the next epoch and move the pointer to it; a plan equal to the current one stays.

        Raises:
            ConflictError: somebody else pushed meanwhile; nothing was moved.
        """
        row = self._store.get([PLAN_POINTER]).get(PLAN_POINTER)
        text = codec.to_json(replace(plan, epoch=0, created=0)).encode()
        blob = blobs.name_of("plan", text)
        if row and row.data["blob"] == blob:
            return self.current()
        blobs.put(self._store, blob, text, self._clock.now(), forever=True)
        return self._point(row, blob, plan)

    def rollback(self, epoch: int | None = None) -> Plan:
        """Move the pointer back to the plan of an epoch, or to the one before the current.

        The epoch itself rises all the same: workers must not take an old number for old news.

        Raises:
            ConfigError: there is no such epoch; the sentence names those there are.
            ConflictError: somebody else pushed meanwhile; nothing was moved.
        """
        row = self._store.get([PLAN_POINTER]).get(PLAN_POINTER)
        history = row.data["history"] if row else []
        earlier = [entry for entry in history[:-1] if epoch in {None, entry[0]}]
        if row is None or not earlier:
            known = ", ".join(str(entry[0]) for entry in history[:-1]) or "none"
            raise ConfigError(f"there is no plan to roll back to; epochs that are kept: {known}")
        blob = earlier[-1][1]
        return self._point(row, blob, codec.from_json(blobs.get(self._store, blob).decode()))

    def pointer(self) -> Mapping[str, Any]:
        """Give what is current: epoch, origin, when it was pushed and what came before; empty before the first push."""
        row = self._store.get([PLAN_POINTER]).get(PLAN_POINTER)
        return row.data if row else {}

    def _point(self, row: Row | None, blob: str, plan: Plan) -> Plan:
        now = self._clock.now()
        epoch = (row.data["epoch"] if row else 0) + 1
        pointer = {
            "schema": 1, "epoch": epoch, "blob": blob, "door": codec.door_json(plan), "origin": plan.origin,
            "pushed": now, "history": [*(row.data["history"] if row else []), [epoch, blob, now]][-KEPT_EPOCHS:],
        }  # fmt: skip
        put = Put(PLAN_POINTER, pointer, expect=row.version if row else ABSENT)
        if not self._store.write([put], durable=True)[0]:
            raise ConflictError("somebody else pushed a plan at the same time; look at it, then push again")
        return self.current()
