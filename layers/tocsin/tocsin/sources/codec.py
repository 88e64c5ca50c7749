"""Observations as JSON: what ``tocsin parse -o json`` prints and what the inbox carries of our own observations.

Times are RFC 3339 with as many digits as they need, so nothing is lost; integers (nanoseconds) are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation, fingerprint
from tocsin.sources import lenient
from tocsin.sources.times import instant, rfc3339


def observation_json(observation: Observation) -> dict[str, Any]:
    """Give an observation as JSON, the fingerprint with it for whoever reads it; an unknown time is null."""
    return {
        "source": observation.source,
        "fingerprint": fingerprint(observation.labels),
        "status": "firing" if observation.firing else "resolved",
        "labels": dict(sorted(observation.labels.items())),
        "annotations": dict(sorted(observation.annotations.items())),
        "start": _told(observation.start),
        "end": _told(observation.end),
        "seen": rfc3339(observation.seen),
        "generator_url": observation.generator_url,
        "quarantined": observation.quarantined,
    }


def observation_from_json(told: object) -> Observation:
    """Read what ``observation_json`` wrote, exactly. Raises ``UnintelligibleError`` for a field that is not."""
    if not isinstance(told, Mapping):
        raise UnintelligibleError("an observation is not a JSON object")
    status = told.get("status")
    if status not in ("firing", "resolved"):
        raise UnintelligibleError("an observation's `status` is neither firing nor resolved")
    seen = _time(told, "seen")
    if seen is None:
        raise UnintelligibleError("an observation has no `seen`")
    try:
        labels = lenient.label_set(told.get("labels"))
    except lenient.OddError as error:
        raise UnintelligibleError(f"an observation cannot be read: {error}") from None
    return Observation(
        source=lenient.text(told.get("source")),
        labels=labels,
        annotations=lenient.annotation_set(told.get("annotations")),
        firing=status == "firing",
        seen=seen,
        start=_time(told, "start"),
        end=_time(told, "end"),
        generator_url=lenient.text(told.get("generator_url")),
        quarantined=told.get("quarantined") is True,
    )


def _told(moment: Instant | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _time(told: Mapping[str, Any], field: str) -> Instant | None:
    """Read a time; null is unknown, and anything else that is no time is an error, for we wrote it ourselves."""
    value = told.get(field)
    if value is None:
        return None
    moment = value if isinstance(value, int) and not isinstance(value, bool) else instant(value)
    if moment is None:
        raise UnintelligibleError(f"an observation's `{field}` is no time")
    return moment
