"""Alertmanager's webhook, version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation
from tocsin.sources import lenient
from tocsin.sources.times import instant

_FIRING = "firing"
_RESOLVED = "resolved"


class Alertmanager:
    """Read what Alertmanager tells a webhook receiver.

    The labels are the sender's own, untouched: no ``source`` and no ``severity`` is added, for the fingerprint, the
    group key and PagerDuty's dedup key must come out as Alertmanager computes them, so that a team can move over with
    incidents open. The body's own fingerprint is not believed (equal labels with different fingerprints exist).

    Work is per alert, not by the group's status: a firing group holds resolved alerts. ``truncatedAlerts`` needs no
    care, since nothing is ever inferred from an alert's absence. ``seen`` is always the stamp: firing, resolved, firing
    with one and the same ``startsAt`` is an ordinary sequence, and ``endsAt`` of another Alertmanager is another clock.
    """

    name: ClassVar[str] = "alertmanager"

    def parse(self, body: bytes, headers: Mapping[str, str], stamp: Instant) -> Sequence[Observation]:  # noqa: ARG002
        """Read a body; see ``ports.Source``. One alert that is odd does not keep the others from coming through."""
        message = lenient.load(body)
        if not isinstance(message, Mapping):
            raise UnintelligibleError("the body is not a JSON object; Alertmanager's webhook sends one with `alerts`")
        alerts = message.get("alerts")
        if not isinstance(alerts, list):
            raise UnintelligibleError(
                "the body has no list `alerts`; if this receiver sets a `payload` of its own, leave that out"
            )
        if not alerts:
            return lenient.Nothing("no alerts in the body")
        found: list[Observation] = []
        odd: list[tuple[object, str]] = []
        for alert in alerts:
            try:
                found.append(_observation(alert, lenient.text(message.get("status")), stamp))
            except lenient.OddError as error:
                odd.append((alert, str(error)))
        return lenient.gather(self.name, found, odd, stamp)


def _observation(alert: object, group_status: str, stamp: Instant) -> Observation:
    if not isinstance(alert, Mapping):
        raise lenient.OddError("it is not an object")
    labels = lenient.label_set(alert.get("labels"))
    firing = _fires(alert, group_status, stamp)
    return Observation(
        source=Alertmanager.name,
        labels=labels,
        annotations=lenient.annotation_set(alert.get("annotations")),
        firing=firing,
        seen=stamp,
        start=instant(alert.get("startsAt")),
        end=None if firing else instant(alert.get("endsAt")),
        generator_url=lenient.text(alert.get("generatorURL")),
    )


def _fires(alert: Mapping[str, Any], group_status: str, stamp: Instant) -> bool:
    """Go by the alert's status; by its end where it has none; by the group's, which is "resolved" only if all are."""
    status = lenient.text(alert.get("status")).strip().lower()
    if status in (_FIRING, _RESOLVED):
        return status == _FIRING
    if status:
        raise lenient.OddError(f"its status {lenient.excerpt(status, 40)} is neither firing nor resolved")
    end = instant(alert.get("endsAt"))
    if end is not None:
        return end > stamp
    return group_status.strip().lower() != _RESOLVED
