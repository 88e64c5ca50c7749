"""Events that teams put on the bus themselves, in Tocsin's own simple shape.

``{"labels": {"alertname": …}, "annotations": {…}, "status": "firing"|"resolved", "startsAt": …, "endsAt": …,
"generatorURL": …}``, or ``{"alerts": [such, …]}``. Only ``labels`` (or a detail-type to name the alert by) is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.model import Instant, Observation
from tocsin.sources import lenient
from tocsin.sources.times import instant, own_clock

_SEVERITY_UNSAID = "warning"
_STATUSES = {"firing": True, "resolved": False}


def observe(event: Mapping[str, Any], source: str, stamp: Instant) -> Sequence[Observation]:
    """Read one event of any team; ``source`` is the registry's name, for a quarantined part.

    ``seen`` is the event's ``time``, which EventBridge sets on every event, to the second: a sender that may flip
    within one second says ``startsAt`` and ``endsAt`` as well. Labels that are missing are filled from the envelope:
    ``alertname`` from the detail-type, ``source``, ``account`` and ``region`` from their like, ``severity`` "warning".

    Raises ``OddError`` where the detail has another shape, ``UnintelligibleError`` where none of its alerts is
    readable.
    """
    detail = event.get("detail")
    alerts = lenient.mapping(detail).get("alerts", detail)
    if not isinstance(alerts, list):
        return [_observation(alerts, event, stamp)]
    if not alerts:
        return lenient.Nothing("no alerts in the event")
    found: list[Observation] = []
    odd: list[tuple[object, str]] = []
    for alert in alerts:
        try:
            found.append(_observation(alert, event, stamp))
        except lenient.OddError as error:
            odd.append((alert, str(error)))
    return lenient.gather(source, found, odd, stamp)


def _observation(alert: object, event: Mapping[str, Any], stamp: Instant) -> Observation:
    if not isinstance(alert, Mapping) or "labels" not in alert:
        raise lenient.OddError("its detail has no `labels`")
    status = lenient.text(alert.get("status"), "firing").strip().lower()
    if status not in _STATUSES:
        raise lenient.OddError(f"its status {lenient.excerpt(status, 40)} is neither firing nor resolved")
    firing = _STATUSES[status]
    seen = own_clock(stamp, instant(event.get("time")))
    sender = lenient.text(event.get("source"))
    envelope = {
        "alertname": lenient.text(event.get("detail-type")),
        "severity": _SEVERITY_UNSAID,
        "source": sender,
        "account": lenient.text(event.get("account")),
        "region": lenient.text(event.get("region")),
    }
    labels = {name: value for name, value in envelope.items() if value} | lenient.label_set(alert.get("labels"))
    if "alertname" not in labels:
        raise lenient.OddError("it has no label `alertname`, and no detail-type to name it by")
    return Observation(
        source=sender,
        labels=labels,
        annotations=lenient.annotation_set(alert.get("annotations")),
        firing=firing,
        seen=seen,
        start=instant(alert.get("startsAt")) or (seen if firing else None),
        end=None if firing else instant(alert.get("endsAt")) or seen,
        generator_url=lenient.text(alert.get("generatorURL")),
    )
