"""What Tocsin observes itself (a heartbeat that is missing, its return), carried through the inbox like the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation
from tocsin.sources import lenient
from tocsin.sources.codec import observation_from_json, observation_json


class Internal:
    """Read ``{"observations": […]}`` exactly as ``body`` wrote it: start, end and seen are those that were judged."""

    name: ClassVar[str] = "tocsin"

    def parse(self, body: bytes, headers: Mapping[str, str], stamp: Instant) -> Sequence[Observation]:  # noqa: ARG002
        """Read a body; see ``ports.Source``. Not lenient: we wrote it, so an odd field is our own fault."""
        message = lenient.load(body)
        observations = message.get("observations") if isinstance(message, Mapping) else None
        if not isinstance(observations, list):
            raise UnintelligibleError("the body has no list `observations`")
        return [observation_from_json(told) for told in observations]


def body(observations: Sequence[Observation]) -> bytes:
    """Write the body that ``Internal.parse`` reads."""
    told = {"observations": [observation_json(observation) for observation in observations]}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
