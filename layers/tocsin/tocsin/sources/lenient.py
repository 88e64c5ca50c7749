"""What every parser needs to read a stranger's body without stumbling: JSON, scalars, label sets, odd parts.

Nothing here raises for an odd value; ``load`` alone raises ``UnintelligibleError``, for what is no JSON at all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, overload

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation

QUARANTINED = "TocsinQuarantined"  # the alertname of what nobody understood
EXCERPT_CHARACTERS = 2_000  # of an odd part, in an annotation; the whole body is kept by the pipeline
DIGEST_CHARACTERS = 16  # enough that two odd parts never share a label set
SENTENCES = 5  # of one body's oddities; the rest is counted

_SURROGATE = re.compile("[\ud800-\udfff]")


class OddError(Exception):
    """One alert of a body cannot be read; the others can. Never leaves a parser."""


class Nothing(Sequence[Observation]):
    """An empty answer with its reason: understood, and there is nothing to observe (a configuration change)."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        """Take the reason, a few words."""
        self.reason = reason

    def __len__(self) -> int:
        return 0

    @overload
    def __getitem__(self, index: int) -> Observation: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Observation]: ...

    def __getitem__(self, index: int | slice) -> Observation | Sequence[Observation]:
        return ()[index]


def load(body: bytes) -> Any:  # noqa: ANN401 (a stranger's JSON may be anything)
    """Read a JSON body. NaN and the infinities, which are no JSON, are read as null.

    Raises ``UnintelligibleError`` for what is not UTF-8, not JSON, empty, or nested too deeply.
    """
    if not body.strip():
        raise UnintelligibleError("the body is empty; a JSON object was expected")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=lambda _: None)
    except UnicodeDecodeError as error:
        raise UnintelligibleError(f"the body is not UTF-8 (byte {error.start}); JSON was expected") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnintelligibleError(f"the body is not JSON: {error.msg} at {where}") from None
    except ValueError:  # an integer of more digits than Python converts
        raise UnintelligibleError("the body holds a number that is too long to read") from None
    except RecursionError:
        raise UnintelligibleError("the body is nested too deeply to read") from None


def text(value: object, default: str = "") -> str:
    """Give a scalar as text: numbers and booleans as JSON prints them, null and anything nested as the default.

    Lone surrogates become U+FFFD, as in Go, for they can be neither stored nor fingerprinted.
    """
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return default


def prose(value: object) -> str:
    """Give any value as text for an annotation; what is nested as compact JSON."""
    if isinstance(value, dict | list):
        return _dumps(value)
    return text(value)


def mapping(value: object) -> Mapping[str, Any]:
    """Give a JSON object, or an empty one for whatever else stands there."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> Sequence[Any]:
    """Give a JSON array, or an empty one for whatever else stands there."""
    return value if isinstance(value, list) else ()


def number(value: object) -> int | float | None:
    """Give a finite number, also one that was sent as a string; None for whatever else stands there."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value) if re.search(r"[.eE]", value) else int(value)
        except ValueError:
            return None
    if isinstance(value, int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else None


def label_set(value: object) -> dict[str, str]:
    """Give a label set; empty and null values are dropped, for an empty label is the same as none.

    Raises ``OddError`` where there is no label, or where a value is nested: its identity would be guesswork.
    """
    if not isinstance(value, dict):
        raise OddError("its `labels` are not an object")
    labels: dict[str, str] = {}
    for name, content in value.items():
        if isinstance(content, dict | list):
            raise OddError(f"its label {excerpt(name, 60)} is not text")
        if name and (said := text(content)):
            labels[text(name)] = said
    if not labels:
        raise OddError("it has no labels")
    return labels


def annotation_set(value: object) -> dict[str, str]:
    """Give annotations, whatever stands there: nested ones as JSON, null as the empty text."""
    return {text(name): prose(content) for name, content in mapping(value).items()}


def excerpt(value: object, limit: int = EXCERPT_CHARACTERS) -> str:
    """Show a value as compact JSON, cut where it gets long."""
    shown = _dumps(value)
    return shown if len(shown) <= limit else f"{shown[:limit]}… ({len(shown)} characters)"


def quarantine(source: str, sentence: str, part: object, stamp: Instant, *, detail_type: str = "") -> Observation:
    """Make the alert that tells the catch-all of a body, or a part of one, that nobody understood.

    Args:
        source: who sent it.
        sentence: what is wrong with it.
        part: the body's bytes, or the odd part as it was read.
        stamp: when ``receive`` took it; it is the alert's start and its ``seen``.
        detail_type: what the sender calls this kind of event, if it does.

    The label ``digest`` keeps two different odd bodies apart: under one label set the second would be no news, and
    nobody would hear of it.
    """
    raw = part if isinstance(part, bytes) else _dumps(part).encode()
    shown = raw.decode("utf-8", "replace")
    labels = {
        "alertname": QUARANTINED,
        "severity": "warning",
        "source": source,
        "digest": sha256(raw).hexdigest()[:DIGEST_CHARACTERS],
    }
    if detail_type:
        labels["detail_type"] = detail_type
    annotations = {
        "summary": f"Something from {source} was not understood: {sentence}",
        "reason": sentence,
        "body": shown if len(shown) <= EXCERPT_CHARACTERS else f"{shown[:EXCERPT_CHARACTERS]}… ({len(raw)} bytes)",
    }
    return Observation(
        source=source, labels=labels, annotations=annotations, firing=True, seen=stamp, start=stamp, quarantined=True
    )


def gather(
    source: str, found: list[Observation], odd: list[tuple[object, str]], stamp: Instant
) -> Sequence[Observation]:
    """Give what could be read, and one quarantined observation for all that could not.

    Raises ``UnintelligibleError`` when nothing could be read: the whole body is then quarantined.
    """
    if not odd:
        return found
    said = "; ".join(dict.fromkeys(sentence for _, sentence in odd[:SENTENCES]))
    if not found:
        raise UnintelligibleError(f"none of its {len(odd)} alerts can be read: {said}")
    counted = f"{len(odd)} of {len(found) + len(odd)} alerts cannot be read: {said}"
    return [*found, quarantine(source, counted, [part for part, _ in odd], stamp)]


def _dumps(value: object) -> str:
    try:
        shown = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return "(nested too deeply to show)"
    return _SURROGATE.sub("\ufffd", shown)
