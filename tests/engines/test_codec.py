"""The bytes of a row: back as they were, small, and open to a later release."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tocsin.engines import codec
from tocsin.errors import StoreError
from tocsin.ports import Key

KEY = Key("p")
TEXT = st.text(st.characters(codec=None))  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, JSON | st.binary(max_size=3000), max_size=6))
def test_whatever_goes_in_comes_out(data: dict[str, Any]) -> None:
    assert codec.decode(codec.encode(KEY, data)) == data


def test_small_rows_are_plain_json_that_anybody_can_read() -> None:
    assert codec.encode(KEY, {"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()


def test_large_rows_are_compressed_where_it_helps() -> None:
    assert len(codec.encode(KEY, {"a": "x" * 100_000})) < 1_000
    noise = bytes(range(256)) * 2
    assert len(codec.encode(KEY, {"a": noise})) < len(noise) + 60  # bytes are not blown up as base64


def test_mappings_within_are_dictionaries() -> None:
    data = MappingProxyType({"labels": MappingProxyType({"a": "b"}), "rows": (MappingProxyType({}),)})
    assert codec.decode(codec.encode(KEY, data)) == {"labels": {"a": "b"}, "rows": [{}]}


def test_other_kinds_of_bytes_are_bytes() -> None:
    assert codec.decode(codec.encode(KEY, {"a": bytearray(b"x"), "b": memoryview(b"y")})) == {"a": b"x", "b": b"y"}


@pytest.mark.parametrize("data", [{"a": {"b": b"x"}}, {"a": [b"x"]}, {"a": {1, 2}}, {"a": object()}])
def test_what_is_no_row_is_a_mistake(data: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="neither JSON nor bytes at the top level"):
        codec.encode(KEY, data)


@pytest.mark.parametrize("coded", [b"", b"Q???", b"[1]", b"Zx\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_format_of_a_later_release_is_named(coded: bytes) -> None:
    with pytest.raises(StoreError, match="a newer release of tocsin wrote it"):
        codec.decode(coded)


def test_the_limit_is_of_what_is_stored() -> None:
    key = Key("body#1", "000")
    codec.encode(key, {"a": "x" * 5_000_000})
    with pytest.raises(StoreError, match=r"row body#1/000 has \d+ bytes, 399360 are allowed: write it in chunks"):
        codec.encode(key, {"a": json.dumps(list(range(400_000)))})
