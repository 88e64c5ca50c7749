"""From a snapshot to what a template, a person and a wire format need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.model import Alert, Labels, Snapshot
from tocsin.templates import KV, Alerts, Data, TemplateSet, Time
from tocsin.templates import Alert as TemplateAlert
from tocsin.templates.gotime import ZERO, rfc3339nano

WEBHOOK_VERSION = "4"

# regexp.QuoteMeta: https://pkg.go.dev/regexp#QuoteMeta
_META = re.compile(r"([\\.+*?()|\[\]{}^$])")
# What encoding/json escapes beside JSON's own, so that the text is safe within HTML.
_HTML_SAFE = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")


def common(sets: Iterable[Labels]) -> dict[str, str]:
    """Return the labels (or annotations) that all of ``sets`` have with the same value."""
    remaining = iter(sets)
    shared = dict(next(remaining, {}))
    for labels in remaining:
        if not shared:
            break
        shared = {name: value for name, value in shared.items() if labels.get(name, "") == value}
    return shared


def template_data(
    snapshot: Snapshot, receiver: str, reason: str = "", external_url: str = "", alerts: Sequence[Alert] | None = None
) -> Data:
    """Build the dot of notification templates.

    Args:
        snapshot: what is told.
        receiver: its name; templates get it with the characters of regexps quoted, as Alertmanager gives it.
        reason: why it is told now ("first notification").
        external_url: where Tocsin's own pages are.
        alerts: a part of the snapshot's alerts, where a receiver takes only so many; the common labels are theirs.

    Source: Alertmanager ``template/template.go`` (``Template.Data``).
    """
    told = snapshot.alerts if alerts is None else tuple(alerts)
    return Data(
        receiver=_META.sub(r"\\\1", receiver),
        status=_status(any(alert.firing for alert in told)),
        alerts=Alerts(_template_alert(alert) for alert in told),
        notification_reason=reason,
        group_labels=KV(snapshot.group_labels),
        common_labels=KV(common(alert.labels for alert in told)),
        common_annotations=KV(common(alert.annotations for alert in told)),
        route_labels=KV(snapshot.route_labels),
        external_url=external_url,
    )


def _status(firing: bool) -> str:
    return "firing" if firing else "resolved"


def _template_alert(alert: Alert) -> TemplateAlert:
    return TemplateAlert(
        status=_status(alert.firing),
        labels=KV(alert.labels),
        annotations=KV(alert.annotations),
        starts_at=Time(alert.start),
        ends_at=Time(ZERO if alert.firing or alert.end is None else alert.end),
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
    )


@dataclass(frozen=True, slots=True)
class Notification:
    """One version of one lane, about to be rendered once (rule 11).

    ``reason`` is the dedup reason ("first notification"); ``note`` is a sentence for the person, empty in the ordinary
    case ("PagerDuty refused this for 5m: …; you are the fallback of team-a"); every channel shows it.
    ``ref`` is what the vendor answered to earlier versions.
    """

    snapshot: Snapshot
    receiver: str
    reason: str
    delivery_id: str
    templates: TemplateSet
    note: str = ""
    external_url: str = ""
    ref: Mapping[str, Any] = field(default_factory=dict)
    _data: Data | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def firing(self) -> bool:
        """Whether anything still fires."""
        return any(alert.firing for alert in self.snapshot.alerts)

    @property
    def data(self) -> Data:
        """The dot of this notification's templates; built once."""
        if self._data is None:
            built = template_data(self.snapshot, self.receiver, self.reason, self.external_url)
            object.__setattr__(self, "_data", built)
            return built
        return self._data

    def text(self, template: str) -> str:
        """Render a string of the config as text; ``now`` is the moment of the snapshot.

        Raises:
            TemplateError: it does not parse or cannot be executed.
        """
        return self.templates.text(template, self.data, self.snapshot.taken)

    def html(self, template: str) -> str:
        """Render a string of the config as HTML, escaping what comes from alerts by where it stands.

        Raises:
            TemplateError: it does not parse or cannot be executed.
        """
        return self.templates.html(template, self.data, self.snapshot.taken)

    def webhook_v4(self, max_alerts: int = 0) -> dict[str, Any]:
        """Return the body that Alertmanager's webhook receiver sends, keys in its order.

        Args:
            max_alerts: how many alerts the receiver takes; 0 is all. The rest is counted in ``truncatedAlerts``.

        Source: Alertmanager ``notify/webhook/webhook.go`` of 0.34.
        """
        alerts = self.snapshot.alerts
        told = alerts[:max_alerts] if max_alerts else alerts
        data = self.data
        if len(told) < len(alerts):
            data = template_data(self.snapshot, self.receiver, self.reason, self.external_url, told)
        return {
            **data_json(data),
            "version": WEBHOOK_VERSION,
            "groupKey": self.snapshot.group_key,
            "truncatedAlerts": len(alerts) - len(told),
        }

    def webhook_v4_body(self, max_alerts: int = 0) -> bytes:
        """Return `webhook_v4` as the very bytes Alertmanager sends: Go's JSON, with a newline at its end."""
        body = json.dumps(self.webhook_v4(max_alerts), ensure_ascii=False, separators=(",", ":"))
        return (_SURROGATE.sub("\ufffd", body).translate(_HTML_SAFE) + "\n").encode()


def data_json(data: Data) -> dict[str, Any]:
    """Return template data as the JSON object Alertmanager makes of it, keys in its order, labels sorted."""
    return {
        "receiver": data.receiver,
        "status": data.status,
        "alerts": [_alert_json(alert) for alert in data.alerts],
        "notification_reason": data.notification_reason,
        "groupLabels": _sorted(data.group_labels),
        "commonLabels": _sorted(data.common_labels),
        "commonAnnotations": _sorted(data.common_annotations),
        "routeLabels": _sorted(data.route_labels),
        "externalURL": data.external_url,
    }


def _alert_json(alert: TemplateAlert) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": _sorted(alert.labels),
        "annotations": _sorted(alert.annotations),
        "startsAt": rfc3339nano(alert.starts_at.instant, alert.starts_at.location),
        "endsAt": rfc3339nano(alert.ends_at.instant, alert.ends_at.location),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _sorted(labels: Labels) -> dict[str, str]:
    return dict(sorted(labels.items()))
