"""Pingdom's state change webhook: uptime checks (UP, DOWN) and transactions (SUCCESS, FAILING).

https://www.pingdom.com/resources/webhooks/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation
from tocsin.sources import lenient
from tocsin.sources.times import epoch, instant, own_clock

_FIRING = frozenset({"DOWN", "FAILING"})
_RESOLVED = frozenset({"UP", "SUCCESS"})
_TRANSACTION = "TRANSACTION"

# A check without an importance is told as if it were important: a false page beats a lost one.
_SEVERITY = {"HIGH": "critical", "LOW": "warning"}
_SEVERITY_UNKNOWN = "critical"

# `team:payments`, `team=payments`; and `team-payments`, `team_payments`, for Pingdom's tags hold no other punctuation.
_TAG = re.compile(r"(environment|env|service|team)[:=_-](.+)", re.IGNORECASE | re.DOTALL)
_TAG_LABEL = {"env": "environment"}

_REPORT = "https://my.pingdom.com/reports/responsetime#check="


class Pingdom:
    """Read a state change of one check.

    Labels: ``alertname`` (the check's name), ``severity`` (importance HIGH: critical, LOW: warning), ``source``,
    ``check_id``, and ``environment``, ``service``, ``team`` where a tag says so. Probe, description and state are
    annotations: they differ between DOWN and UP. ``seen`` is ``state_changed_timestamp``, which every body carries.
    """

    name: ClassVar[str] = "pingdom"

    def parse(self, body: bytes, headers: Mapping[str, str], stamp: Instant) -> Sequence[Observation]:  # noqa: ARG002
        """Read a body; see ``ports.Source``."""
        check = lenient.load(body)
        if not isinstance(check, Mapping):
            raise UnintelligibleError("the body is not a JSON object; Pingdom's webhook sends one a state change")
        state = lenient.text(check.get("current_state")).strip().upper()
        if state not in _FIRING | _RESOLVED:
            said = lenient.excerpt(check.get("current_state"), 40)
            raise UnintelligibleError(f"`current_state` is {said}; UP, DOWN, SUCCESS or FAILING was expected")
        if not (lenient.text(check.get("check_id")) or lenient.text(check.get("check_name"))):
            raise UnintelligibleError("the body has neither `check_id` nor `check_name`: it is unknown what changed")
        firing = state in _FIRING
        changed = own_clock(
            stamp, epoch(check.get("state_changed_timestamp")), instant(check.get("state_changed_utc_time"))
        )
        return [
            Observation(
                source=self.name,
                labels=_labels(check),
                annotations=_annotations(check, state),
                firing=firing,
                seen=changed,
                start=changed if firing else None,
                end=None if firing else changed,
                generator_url=_report(check),
            )
        ]


def _labels(check: Mapping[str, Any]) -> dict[str, str]:
    check_id = lenient.text(check.get("check_id"))
    importance = lenient.text(check.get("importance_level")).strip().upper()
    labels = {
        "alertname": lenient.text(check.get("check_name")) or f"Pingdom check {check_id}",
        "severity": _SEVERITY.get(importance, _SEVERITY_UNKNOWN),
        "source": Pingdom.name,
    }
    if check_id:
        labels["check_id"] = check_id
    for tag in _tags(check):  # sorted: of two tags for one label the first one counts, in whatever order they came
        if shape := _TAG.fullmatch(tag):
            key = shape.group(1).lower()
            labels.setdefault(_TAG_LABEL.get(key, key), shape.group(2))
    return labels


def _annotations(check: Mapping[str, Any], state: str) -> dict[str, str]:
    named = lenient.text(check.get("check_name")) or f"check {lenient.text(check.get('check_id'))}"
    params = lenient.mapping(check.get("check_params"))
    said = {
        "summary": f"{named} is {state}",
        "description": lenient.text(check.get("long_description")) or lenient.text(check.get("description")),
        "check_type": lenient.text(check.get("check_type")),
        "url": lenient.text(params.get("full_url")) or lenient.text(params.get("hostname")),
        "previous_state": lenient.text(check.get("previous_state")),
        "probe": _probe(check.get("first_probe")),
        "second_probe": _probe(check.get("second_probe")),
        "message": lenient.text(check.get("custom_message")),
        "tags": ", ".join(_tags(check)),
    }
    return {name: value for name, value in said.items() if value}


def _tags(check: Mapping[str, Any]) -> list[str]:
    """Give the tags, which come as a list, or as one text with commas."""
    tags = check.get("tags")
    split = tags.split(",") if isinstance(tags, str) else lenient.listing(tags)
    return sorted({said for tag in split if (said := lenient.text(tag).strip())})


def _probe(probe: object) -> str:
    """Name where it was seen from; Pingdom sends ``{}`` for a probe that there is not."""
    place = lenient.mapping(probe)
    where = lenient.text(place.get("location"))
    address = lenient.text(place.get("ip")) or lenient.text(place.get("ipv6"))
    return f"{where} ({address})" if where and address else where or address


def _report(check: Mapping[str, Any]) -> str:
    check_id = lenient.text(check.get("check_id"))
    uptime = lenient.text(check.get("check_type")).strip().upper() != _TRANSACTION
    return f"{_REPORT}{check_id}" if uptime and check_id.isalnum() else ""
