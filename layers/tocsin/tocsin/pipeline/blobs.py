"""What is too large for a row or a message lies in chunks, written before whatever names it (state.md, rules 6, 14)."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

from tocsin.errors import StoreError
from tocsin.model import DAY, Instant, Json
from tocsin.pipeline.rows import KEPT
from tocsin.ports import ABSENT, Key, Put, Store

# An item holds 400 KB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
CHUNK = 300_000  # bytes


class LostError(StoreError):
    """A blob that is not there, or no longer: to ask again is in vain."""


def name_of(kind: str, content: bytes) -> str:
    """Name a blob by what it holds."""
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:32]}"


def put(store: Store, name: str, content: bytes, now: Instant, *, durable: bool = False, forever: bool = False) -> bool:
    """Write an immutable blob; the first writer wins.

    The head holds the first chunk and names the others by the content's hash, so that two writers of one name and
    different bytes never mix.

    Returns:
        Whether it was this call that wrote it: False means that the name already holds a whole blob.
    """
    chunks = [content[i : i + CHUNK] for i in range(0, len(content), CHUNK)] or [b""]
    digest, kept = hashlib.sha256(content).hexdigest()[:32], None if forever else now + KEPT
    if len(chunks) > 1:
        rest = enumerate(chunks[1:], 1)
        store.write([Put(Key(f"chunk#{digest}", f"{n:05d}"), {"bytes": c}, expires_at=kept) for n, c in rest])
    head = {"bytes": chunks[0], "chunks": len(chunks), "of": digest}
    return store.write([Put(Key(f"blob#{name}"), head, expect=ABSENT, expires_at=kept)], durable=durable)[0]


def get(store: Store, name: str) -> bytes:
    """Read a blob whole; ``LostError`` says when it is not there (any more)."""
    head = store.get([Key(f"blob#{name}")]).get(Key(f"blob#{name}"))
    if head is None:
        raise LostError(f"blob {name} is not there; blobs are kept for {KEPT // DAY} days")
    if head.data["chunks"] == 1:
        return bytes(head.data["bytes"])
    rest = [row.data["bytes"] for row in store.scan(f"chunk#{head.data['of']}")]
    if len(rest) + 1 < head.data["chunks"]:
        raise LostError(f"blob {name} has lost {head.data['chunks'] - 1 - len(rest)} of its chunks")
    return b"".join([head.data["bytes"], *rest])


def put_json(store: Store, kind: str, content: Json, now: Instant) -> str:
    """Write JSON under a name made from its content, and give the name."""
    raw = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    name = name_of(kind, raw)
    put(store, name, gzip.compress(raw, compresslevel=3, mtime=0), now)
    return name


def get_json(store: Store, name: str) -> Any:  # noqa: ANN401 (JSON)
    """Read what ``put_json`` wrote."""
    return json.loads(gzip.decompress(get(store, name)))
