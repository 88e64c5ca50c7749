"""Compiled plans in the table: immutable, each with its epoch, and one pointer that moves (state.md, rule 15)."""

from __future__ import annotations

from dataclasses import replace

from tocsin.config import codec
from tocsin.config.codec import Door
from tocsin.config.plan import Plan
from tocsin.errors import ConflictError
from tocsin.pipeline import blobs
from tocsin.pipeline.rows import PLAN_POINTER
from tocsin.ports import ABSENT, Clock, Put, Store


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
        version = row.version if row else ABSENT
        text = codec.to_json(replace(plan, epoch=0, created=0))
        blob = blobs.name_of("plan", text.encode())
        if row and row.data["blob"] == blob:
            return self.current()
        epoch = max(row.data["epoch"] if row else 0, row.data.get("highest", 0) if row else 0) + 1
        blobs.put(self._store, blob, text.encode(), self._clock.now(), forever=True)
        pointer = {
            "schema": 1, "epoch": epoch, "highest": epoch, "blob": blob, "door": codec.door_json(plan),
            "origin": plan.origin, "pushed": self._clock.now(),
            "history": [*(row.data.get("history", []) if row else []), [epoch, blob, self._clock.now()]][-20:],
        }  # fmt: skip
        if not self._store.write([Put(PLAN_POINTER, pointer, expect=version)], durable=True)[0]:
            raise ConflictError("somebody else pushed a plan at the same time; look at it, then push again")
        return self.current()
