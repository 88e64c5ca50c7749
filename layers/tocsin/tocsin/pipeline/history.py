"""What happened and why: one record per inbox message and per flush, and one per attempt (state.md, rule 18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tocsin.model import Instant
from tocsin.pipeline import blobs
from tocsin.pipeline.rows import KEPT
from tocsin.ports import Key, Put, Row, Store

LISTED = 300  # entries of a list that stand in a record itself; longer ones lie beside it, for a row is only so large


def incoming(store: Store, message: str, record: Mapping[str, Any], now: Instant) -> None:
    """Record what came in with a message and where it was routed."""
    whole = {"at": now, **aside(store, record, now)}
    store.write([Put(Key(f"history#m#{message}"), whole, expires_at=now + KEPT)])


def aside(store: Store, record: Mapping[str, Any], now: Instant) -> Mapping[str, Any]:
    """Write the long lists of a record beside it, and give the record that names them."""
    long = {name: value for name, value in record.items() if isinstance(value, list) and len(value) > LISTED}
    if not long:
        return record
    kept: dict[str, Any] = {name: [] if name in long else value for name, value in record.items()}
    return kept | {"aside": blobs.put_json(store, "aside", long, now)}


def _whole(store: Store, record: Mapping[str, Any]) -> Mapping[str, Any]:
    if "aside" not in record:
        return record
    try:
        return {**record, **blobs.get_json(store, record["aside"])}
    except blobs.LostError:
        return record


def of_group(group: str, kind: str, record: Mapping[str, Any], now: Instant, suffix: str = "") -> Put:
    """Make the record of a flush, an attempt or a receipt, for whoever writes it with the rest."""
    sk = f"{now:020d}#{kind}{'#' + suffix if suffix else ''}"
    return Put(Key(f"history#g#{group}", sk), {"kind": kind, "at": now, **record}, expires_at=now + KEPT)


def read_incoming(store: Store, messages: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Read the records of messages; those forgotten are missing."""
    rows = store.get([Key(f"history#m#{name}") for name in messages])
    return {key.pk.removeprefix("history#m#"): _whole(store, row.data) for key, row in rows.items()}


def read_group(store: Store, group: str) -> Sequence[Row]:
    """Read everything recorded of a group, oldest first."""
    return [replace(row, data=_whole(store, row.data)) for row in store.scan(f"history#g#{group}")]
