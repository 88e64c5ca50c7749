"""CloudWatch alarms as EventBridge brings them: metric, metric math, composite, anomaly detection, contributors.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from tocsin.model import Instant, Labels, Observation
from tocsin.sources import lenient
from tocsin.sources.times import instant, own_clock

SOURCE = "cloudwatch"
STATE_CHANGES = frozenset({"CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"})
CONFIGURATION_CHANGE = "CloudWatch Alarm Configuration Change"

_SEVERITY_UNSAID = "warning"
_SEVERITY_WORDS = {"critical": "critical", "crit": "critical", "warning": "warning", "warn": "warning", "info": "info"}
_DIRECTIVE = re.compile(r"(?:^|(?<=[\s,;(\[]))(severity|environment|service|team)\s*[=:]\s*([\w./-]*\w)", re.IGNORECASE)

# https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
_CONSOLE = "console.aws.amazon.com"

_ARN_PARTS = 7  # arn:partition:cloudwatch:region:account:alarm:name, and a name may hold colons


@dataclass(frozen=True, slots=True)
class Policy:
    """What the three states mean that are neither alarm nor OK.

    ``insufficient_data``: ``keep`` what was (neither firing nor resolved), or take it as ``firing`` or ``resolved``.
    ``suppressed``: an alarm whose actions a suppressor holds back (composites) is told when it is let go: CloudWatch
    then sends ALARM → ALARM without ``actionsSuppressedBy``; ``tell`` tells it at once.
    ``muted``: nothing is sent when a mute rule's window ends, so an alarm held back here could be lost: ``tell`` is the
    default, with the annotation ``muted``; ``hold`` is for those who would rather lose it. OK always comes through.
    """

    insufficient_data: Literal["keep", "firing", "resolved"] = "keep"
    suppressed: Literal["hold", "tell"] = "hold"
    muted: Literal["tell", "hold"] = "tell"


@dataclass(frozen=True, slots=True)
class _Alarm:
    """Which alarm an event is about: what never changes while it fires, so that its resolution finds it."""

    name: str
    region: str
    account: str
    partition: str
    arn: str
    contributor: str


def observe(event: Mapping[str, Any], stamp: Instant, policy: Policy) -> Sequence[Observation]:
    """Read a state change; ``seen`` is the state's own timestamp, which every such event carries.

    Raises ``OddError`` where alarm or state are not named.
    """
    detail = lenient.mapping(event.get("detail"))
    state = lenient.mapping(detail.get("state"))
    alarm = _alarm(event, detail)
    value = lenient.text(state.get("value")).strip().upper()
    held = _held(state, detail, value, policy)
    if held:
        return lenient.Nothing(held)
    firing = value == "ALARM" or (value == "INSUFFICIENT_DATA" and policy.insufficient_data == "firing")
    changed = own_clock(stamp, instant(state.get("timestamp")), instant(event.get("time")))
    previous = lenient.mapping(detail.get("previousState"))
    since = instant(previous.get("timestamp")) if previous.get("value") == "ALARM" else None
    return [
        Observation(
            source=SOURCE,
            labels=_labels(alarm, detail),
            annotations=_annotations(alarm, detail, value),
            firing=firing,
            seen=changed,
            start=changed if firing else since,
            end=None if firing else changed,
            generator_url=_console(alarm),
        )
    ]


def _held(state: Mapping[str, Any], detail: Mapping[str, Any], value: str, policy: Policy) -> str:
    """Say why this state tells nothing; the empty text if it does."""
    if value not in ("ALARM", "OK", "INSUFFICIENT_DATA"):
        raise lenient.OddError(f"its state is {lenient.excerpt(state.get('value'), 40)}; ALARM or OK was expected")
    if value == "INSUFFICIENT_DATA" and policy.insufficient_data == "keep":
        return "insufficient data: what was known of the alarm is kept"
    if value != "ALARM":
        return ""
    if (by := lenient.text(state.get("actionsSuppressedBy"))) and policy.suppressed == "hold":
        return f"the alarm's actions are suppressed ({by}): CloudWatch sends it again when they no longer are"
    if policy.muted == "hold" and _muted(state, detail):
        return "the alarm is muted by a mute rule"
    return ""


def _muted(state: Mapping[str, Any], detail: Mapping[str, Any]) -> object:
    return state.get("muteDetail") or detail.get("muteDetail") or None


def _alarm(event: Mapping[str, Any], detail: Mapping[str, Any]) -> _Alarm:
    resources = [lenient.text(resource) for resource in lenient.listing(event.get("resources"))]
    arn = next((resource for resource in resources if ":alarm:" in resource), "")
    parts = arn.split(":", _ARN_PARTS - 1)
    _, partition, _, region, account, _, name = parts if len(parts) == _ARN_PARTS else [""] * _ARN_PARTS
    name = lenient.text(detail.get("alarmName")) or name
    if not name:
        raise lenient.OddError("it names no alarm: `detail.alarmName` is missing")
    contributor = lenient.mapping(detail.get("alarmContributor"))
    return _Alarm(
        name=name,
        region=lenient.text(event.get("region")) or region,
        account=lenient.text(event.get("account")) or account,
        partition=partition or "aws",
        arn=arn,
        contributor=lenient.text(contributor.get("id")) or lenient.text(contributor.get("contributorId")),
    )


def _labels(alarm: _Alarm, detail: Mapping[str, Any]) -> Labels:
    """Make the labels from the alarm's identity and from what its name and description say of it.

    The alarm's tags are no labels: CloudWatch leaves them out when it cannot read them, and a resolution with fewer
    labels than its alarm would resolve nothing.
    """
    labels = {"alertname": alarm.name, "severity": _severity_in_name(alarm.name), "source": SOURCE}
    known = {"region": alarm.region, "account": alarm.account, "contributor": alarm.contributor}
    labels |= {name: value for name, value in known.items() if value}
    description = lenient.text(lenient.mapping(detail.get("configuration")).get("description"))
    for directive in _DIRECTIVE.finditer(description):
        name, value = directive.group(1).lower(), directive.group(2)
        labels[name] = _SEVERITY_WORDS.get(value.lower(), value.lower()) if name == "severity" else value
    return labels


def _severity_in_name(name: str) -> str:
    """Read ``critical-…`` and ``…-warning``; a word in the middle is what the alarm is about, not how bad it is."""
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word]
    for word in (*words[:1], *words[-1:]):
        if word in _SEVERITY_WORDS:
            return _SEVERITY_WORDS[word]
    return _SEVERITY_UNSAID


def _annotations(alarm: _Alarm, detail: Mapping[str, Any], value: str) -> Labels:
    state = lenient.mapping(detail.get("state"))
    configuration = lenient.mapping(detail.get("configuration"))
    contributor = lenient.mapping(lenient.mapping(detail.get("alarmContributor")).get("attributes"))
    said = {
        "summary": f"{alarm.name} is {'in ALARM' if value == 'ALARM' else value}",
        "description": lenient.text(configuration.get("description")),
        "reason": lenient.text(state.get("reason")),
        "previous_state": lenient.text(lenient.mapping(detail.get("previousState")).get("value")),
        "alarm_arn": alarm.arn,
        "alarm_rule": lenient.text(configuration.get("alarmRule")),
        "suppressed_by": lenient.text(state.get("actionsSuppressedBy")),
        "suppressed_reason": lenient.text(state.get("actionsSuppressedReason")),
        "muted": lenient.prose(_muted(state, detail)),
        "contributor": _pairs(contributor),
        "tags": _pairs(lenient.mapping(detail.get("alarmTags"))),
        **_metrics(configuration),
        **_evidence(state.get("reasonData")),
    }
    return {name: text for name, text in said.items() if text}


def _metrics(configuration: Mapping[str, Any]) -> Labels:
    """Name what is measured: the metrics, and the expressions over them."""
    metrics: list[str] = []
    expressions: list[str] = []
    for query in lenient.listing(configuration.get("metrics")):
        query_ = lenient.mapping(query)
        metric = lenient.mapping(lenient.mapping(query_.get("metricStat")).get("metric"))
        if name := lenient.text(metric.get("name")):
            dimensions = _pairs(lenient.mapping(metric.get("dimensions")))
            namespace = lenient.text(metric.get("namespace"))
            metrics.append(f"{namespace} {name}".strip() + (f" ({dimensions})" if dimensions else ""))
        if expression := lenient.text(query_.get("expression")):
            expressions.append(expression)
    return {"metric": "; ".join(metrics), "expression": "; ".join(expressions)}


def _evidence(reason_data: object) -> Labels:
    """Read ``reasonData``, a JSON text that is often absent: thresholds, data points, the children of a composite."""
    told = lenient.mapping(_inner(reason_data))
    points = lenient.listing(told.get("recentDatapoints"))
    children = [
        ":".join(lenient.text(lenient.mapping(child).get("arn")).split(":", _ARN_PARTS - 1)[_ARN_PARTS - 1 :])
        for child in lenient.listing(told.get("triggeringAlarms"))
    ]
    bounds = {
        "lower": lenient.listing(told.get("recentLowerThresholds")),
        "upper": lenient.listing(told.get("recentUpperThresholds")),
    }
    band = ", ".join(f"{side} {lenient.text(limits[-1])}" for side, limits in bounds.items() if limits)
    return {
        "value": ", ".join(lenient.text(point) for point in points if lenient.text(point)),
        "threshold": lenient.text(told.get("threshold")) or band,
        "triggering_alarms": ", ".join(child for child in children if child),
    }


def _inner(reason_data: object) -> object:
    if not isinstance(reason_data, str):
        return reason_data
    try:
        return json.loads(reason_data)
    except (ValueError, RecursionError):
        return None


def _pairs(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"{lenient.text(name)}={lenient.prose(pairs[name])}" for name in sorted(pairs))


def _console(alarm: _Alarm) -> str:
    """Link to the alarm in the console; empty where the region is unknown."""
    if not re.fullmatch(r"[a-z0-9-]+", alarm.region):
        return ""
    host = f"{alarm.region}.{_CONSOLES.get(alarm.partition, _CONSOLE)}"
    return f"https://{host}/cloudwatch/home?region={alarm.region}#alarmsV2:alarm/{quote(alarm.name, safe='')}"
