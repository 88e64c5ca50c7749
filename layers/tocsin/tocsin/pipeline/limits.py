"""What of an alert fits a row: longer texts are cut, saying so; labels are its name and cannot be (rule 14)."""

from __future__ import annotations

from dataclasses import replace

from tocsin.model import Labels, Observation

# A row has 390 KiB (engines/codec.py), and an alert's row holds its labels and the words of both its sides.
LABELS_LIMIT = 64 * 1024  # bytes
ANNOTATIONS_LIMIT = 96 * 1024  # bytes
URL_LIMIT = 8 * 1024  # characters
_SHORTEST = 256  # characters that are left of a text that is cut


def oversized(seen: Observation) -> str:
    """Say why an alert cannot be kept under its own name, "" if it can."""
    size = _size(seen.labels)
    return f"its labels have {size} bytes, {LABELS_LIMIT} are allowed" if size > LABELS_LIMIT else ""


def fitting(seen: Observation) -> Observation:
    """Give the observation with annotations that fit a row; the longest are cut, and say how long they were."""
    if _size(seen.annotations) <= ANNOTATIONS_LIMIT and len(seen.generator_url) <= URL_LIMIT:
        return seen
    annotations = dict(seen.annotations)
    limit = max(map(len, annotations.values()), default=0)
    while _size(annotations) > ANNOTATIONS_LIMIT and limit > _SHORTEST:
        limit //= 2
        annotations = {name: _cut(text, limit) for name, text in seen.annotations.items()}
    while _size(annotations) > ANNOTATIONS_LIMIT:  # thousands of them: the last ones go
        annotations.popitem()
    return replace(seen, annotations=annotations, generator_url=seen.generator_url[:URL_LIMIT])


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… (cut, it has {len(text)} characters)"


def _size(texts: Labels) -> int:
    return sum(len(name.encode()) + len(text.encode()) for name, text in texts.items())
