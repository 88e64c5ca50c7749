"""Enough of Kubernetes' protobuf to read the Secrets in which helm keeps its releases.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding and
https://github.com/kubernetes/api/blob/master/core/v1/generated.proto (Secret), apimachinery's ``ObjectMeta``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

MAGIC = b"k8s\x00"
Value = int | bytes


def secret(body: bytes) -> dict[str, object]:
    """The JSON form of a Secret in its envelope."""
    envelope = dict(_fields(body.removeprefix(MAGIC)))
    found: dict[str, object] = {"data": {}}
    for number, value in _fields(_bytes(envelope[2])):
        if number == 1:
            found["metadata"] = _metadata(_bytes(value))
        elif number == 2:
            pair = dict(_fields(_bytes(value)))
            found["data"][_bytes(pair[1]).decode()] = base64.b64encode(_bytes(pair.get(2, b""))).decode()
        elif number == 3:
            found["type"] = _bytes(value).decode()
    return found


def _metadata(body: bytes) -> dict[str, object]:
    names = {1: "name", 3: "namespace", 6: "resourceVersion"}
    found: dict[str, object] = {"labels": {}}
    for number, value in _fields(body):
        if number in names:
            found[names[number]] = _bytes(value).decode()
        elif number == 11:
            pair = dict(_fields(_bytes(value)))
            found["labels"][_bytes(pair[1]).decode()] = _bytes(pair.get(2, b"")).decode()
    return found


def _fields(body: bytes) -> Iterator[tuple[int, Value]]:
    position = 0
    while position < len(body):
        tag, position = _varint(body, position)
        if tag & 7 == 0:
            value, position = _varint(body, position)
            yield tag >> 3, value
        else:
            assert tag & 7 == 2, f"wire type {tag & 7} is not expected here"
            length, position = _varint(body, position)
            yield tag >> 3, body[position : position + length]
            position += length


def _varint(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, position


def _bytes(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value
