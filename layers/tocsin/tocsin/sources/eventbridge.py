"""Events from EventBridge: CloudWatch's alarms from the default bus, and any team's alerts from the bus ``tocsin``.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation
from tocsin.sources import bus, cloudwatch, lenient

_OURSELVES = "tocsin"  # the `source` of what Tocsin announces on its own bus
_AWS = "aws."
_CLOUDWATCH = "aws.cloudwatch"


class EventBridge:
    """Read one event, or a list of them, and hand it to whoever knows its kind.

    An AWS service's event of a kind that is not known yet becomes a quarantined observation: it reached us because a
    rule sent it here, so somebody wants to hear of it.
    """

    name: ClassVar[str] = "eventbridge"

    def __init__(self, policy: cloudwatch.Policy | None = None) -> None:
        """Take what insufficient data, suppression and muting mean for CloudWatch's alarms."""
        self._policy = policy or cloudwatch.Policy()

    def parse(self, body: bytes, headers: Mapping[str, str], stamp: Instant) -> Sequence[Observation]:  # noqa: ARG002
        """Read a body; see ``ports.Source``."""
        message = lenient.load(body)
        if isinstance(message, list):
            return self._several(message, stamp)
        try:
            return self._observe(_event(message), stamp)
        except lenient.OddError as error:
            return [self._quarantine(message, str(error), stamp)]

    def _several(self, events: Sequence[object], stamp: Instant) -> Sequence[Observation]:
        if not events:
            return lenient.Nothing("no events in the body")
        found: list[Observation] = []
        silent = ""
        for event in events:
            try:
                told = self._observe(_event(event), stamp)
            except (lenient.OddError, UnintelligibleError) as error:
                told = [self._quarantine(event, str(error), stamp)]
            found.extend(told)
            silent = told.reason if isinstance(told, lenient.Nothing) else silent
        return found or lenient.Nothing(silent)

    def _observe(self, event: Mapping[str, Any], stamp: Instant) -> Sequence[Observation]:
        sender = lenient.text(event.get("source"))
        kind = lenient.text(event.get("detail-type"))
        if sender == _OURSELVES:
            return lenient.Nothing("our own announcement")
        if sender == _CLOUDWATCH and kind in cloudwatch.STATE_CHANGES:
            return cloudwatch.observe(event, stamp, self._policy)
        if sender == _CLOUDWATCH and kind == cloudwatch.CONFIGURATION_CHANGE:
            return lenient.Nothing("configuration change of an alarm")
        if sender.startswith(_AWS):
            raise lenient.OddError(f"events {lenient.excerpt(kind, 80)} of {sender} are not known")
        return bus.observe(event, self.name, stamp)

    def _quarantine(self, event: object, sentence: str, stamp: Instant) -> Observation:
        kind = lenient.text(lenient.mapping(event).get("detail-type"))
        return lenient.quarantine(self.name, sentence, event, stamp, detail_type=kind)


def _event(message: object) -> Mapping[str, Any]:
    """Take a message for an event if it has an event's envelope."""
    if not isinstance(message, Mapping) or not lenient.text(message.get("source")) or "detail" not in message:
        raise UnintelligibleError("the body is no EventBridge event: `source` and `detail` were expected")
    return message
