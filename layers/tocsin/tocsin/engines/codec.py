"""A row's data as bytes: compact JSON, raw bytes beside it, compressed where that saves room.

The first byte names the format, so that a later release may add one while its neighbour still reads the others:

======  ==============================================================================================
``{``   JSON in UTF-8
``B``   four bytes: the length of a JSON head ``{"data": …, "bytes": [[name, length], …]}``; head; the bytes
``Z``   zlib over one of the two above
======  ==============================================================================================
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from tocsin.errors import StoreError
from tocsin.ports import Key

# Below this a compressed row is hardly smaller, and reading it costs more than it saves.
_COMPRESS_FROM = 1024
_FASTEST = 1  # zlib's level: the rows of a storm are written far more often than they are kept

# An item has at most 400 KB, names of attributes and keys included:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html#limits-items
# Both engines refuse the same rows, so that what works at home works on AWS.
DATA_LIMIT = 390 * 1024

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html#limits-partition-sort-keys
_PK_LIMIT = 2048
_SK_LIMIT = 1024

_LENGTH = struct.Struct(">I")


def check_key(key: Key) -> Key:
    """Give the key back if both engines can hold it, or raise ``StoreError`` saying which half is wrong."""
    for name, text, limit in (("pk", key.pk, _PK_LIMIT), ("sk", key.sk, _SK_LIMIT)):
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise StoreError(f"{name} {text!r} of a row is no valid Unicode: hash or escape it first") from error
        if not 1 <= size <= limit:
            raise StoreError(f"{name} {text[:80]!r} of a row has {size} bytes, 1 to {limit} are allowed: hash it")
    return key


def encode(key: Key, data: Mapping[str, Any]) -> bytes:
    """Write ``data`` as bytes.

    Raises ``StoreError`` when the row would be larger than an engine can hold (write it in chunks), TypeError for what
    is neither JSON nor bytes at the top level.
    """
    blobs = {name: bytes(value) for name, value in data.items() if isinstance(value, bytes | bytearray | memoryview)}
    if blobs:
        rest = {name: value for name, value in data.items() if name not in blobs}
        head = _dump({"data": rest, "bytes": [[name, len(blob)] for name, blob in blobs.items()]})
        plain = b"".join((b"B", _LENGTH.pack(len(head)), head, *blobs.values()))
    else:
        plain = _dump(data)
    coded = plain
    if len(plain) > _COMPRESS_FROM:
        coded = min(plain, b"Z" + zlib.compress(plain, _FASTEST), key=len)
    if len(coded) > DATA_LIMIT:
        raise StoreError(f"row {key.pk}/{key.sk} has {len(coded)} bytes, {DATA_LIMIT} are allowed: write it in chunks")
    return coded


def decode(coded: bytes) -> dict[str, Any]:
    """Read what ``encode`` wrote; ``StoreError`` for a format that this release does not know."""
    kind = coded[:1]
    if kind == b"Z":
        coded = zlib.decompress(coded[1:])
        kind = coded[:1]
    if kind == b"{":
        return _load(coded)
    if kind != b"B":
        raise StoreError(f"a row has the unknown format {kind!r}: a newer release of tocsin wrote it, run that one")
    start = 1 + _LENGTH.size
    (length,) = _LENGTH.unpack_from(coded, 1)
    head = _load(coded[start : start + length])
    row: dict[str, Any] = head["data"]
    at = start + length
    for name, size in head["bytes"]:
        row[name] = coded[at : at + size]
        at += size
    return row


def _dump(data: Mapping[str, Any]) -> bytes:
    # surrogatepass: JSON may hold "\ud800", and a strange payload must still reach somebody.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text.encode("utf-8", "surrogatepass")


def _load(text: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text.decode("utf-8", "surrogatepass"))
    return loaded


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is neither JSON nor bytes at the top level of a row")
