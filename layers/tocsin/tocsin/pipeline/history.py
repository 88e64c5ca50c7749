"""What happened and why: one record per inbox message and per flush, and one per attempt (state.md, rule 18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.model import Instant
from tocsin.pipeline.rows import KEPT
from tocsin.ports import Key, Put, Row, Store


def incoming(store: Store, message: str, record: Mapping[str, Any], now: Instant) -> None:
    """Record what came in with a message and where it was routed."""
    store.write([Put(Key(f"history#m#{message}"), {"at": now, **record}, expires_at=now + KEPT)])


def of_group(group: str, kind: str, record: Mapping[str, Any], now: Instant, suffix: str = "") -> Put:
    """Make the record of a flush, an attempt or a receipt, for whoever writes it with the rest."""
    sk = f"{now:020d}#{kind}{'#' + suffix if suffix else ''}"
    return Put(Key(f"history#g#{group}", sk), {"kind": kind, "at": now, **record}, expires_at=now + KEPT)


def read_incoming(store: Store, messages: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Read the records of messages; those forgotten are missing."""
    rows = store.get([Key(f"history#m#{name}") for name in messages])
    return {key.pk.removeprefix("history#m#"): row.data for key, row in rows.items()}


def read_group(store: Store, group: str) -> Sequence[Row]:
    """Read everything recorded of a group, oldest first."""
    return list(store.scan(f"history#g#{group}"))
