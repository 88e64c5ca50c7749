"""What Alertmanager gives its templates: receiver, status, alerts, label sets.

Source: https://prometheus.io/docs/alerting/latest/notifications/ and Alertmanager ``template/template.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tocsin.templates.timevalues import Time
from tocsin.templates.values import STRING, STRINGS, Function, Map, Slice, Struct, Value

_ALERTNAME = "alertname"


class StringSlice(Slice):
    """A plain ``[]string``."""

    __slots__ = ()


class Strings(Slice):
    """The names or values of a label set; ``.Join`` glues them."""

    __slots__ = ()
    go_type = "template.Strings"
    go_methods: ClassVar[Mapping[str, Function]] = {"Join": Function((STRING,), lambda names, glue: glue.join(names))}


@dataclass(frozen=True, slots=True)
class Pair(Struct):
    """A label or annotation."""

    name: str
    value: str
    go_type: ClassVar[str] = "template.Pair"
    go_fields: ClassVar[Mapping[str, str]] = {"Name": "name", "Value": "value"}


class Pairs(Slice):
    """Labels in order: alertname first, then by name."""

    __slots__ = ()
    go_type = "template.Pairs"
    go_element = "template.Pair"

    def names(self) -> Strings:
        """Return the names."""
        return Strings(pair.name for pair in self)

    def values(self) -> Strings:
        """Return the values."""
        return Strings(pair.value for pair in self)

    def go_string(self) -> str:
        """Print ``a=1, b=2``."""
        return ", ".join(f"{pair.name}={pair.value}" for pair in self)


Pairs.go_methods = {
    "Names": Function((), Pairs.names),
    "Values": Function((), Pairs.values),
    "String": Function((), Pairs.go_string),
}


class KV(Map):
    """A set of labels or annotations."""

    go_type = "template.KV"

    def sorted_pairs(self) -> Pairs:
        """Return the pairs, alertname first, then by name (in the order of the names' bytes)."""
        names = sorted(self, key=lambda name: (name != _ALERTNAME, name))
        return Pairs(Pair(name, self[name]) for name in names)

    def remove(self, names: Iterable[str] | None) -> KV:
        """Return a copy without ``names``."""
        gone = set(names or ())
        return KV({name: value for name, value in self.items() if name not in gone})

    def go_string(self) -> str:
        """Print ``a=1, b=2``."""
        return self.sorted_pairs().go_string()


KV.go_methods = {
    "SortedPairs": Function((), KV.sorted_pairs),
    "Remove": Function((STRINGS,), KV.remove),
    "Names": Function((), lambda kv: kv.sorted_pairs().names()),
    "Values": Function((), lambda kv: kv.sorted_pairs().values()),
    "String": Function((), KV.go_string),
}


@dataclass(frozen=True, slots=True)
class Alert(Struct):
    """One alert. ``status`` is ``firing`` or ``resolved``; ``ends_at`` is Go's zero time while it fires."""

    status: str
    labels: KV
    annotations: KV
    starts_at: Time
    ends_at: Time
    generator_url: str = ""
    fingerprint: str = ""
    go_type: ClassVar[str] = "template.Alert"
    go_fields: ClassVar[Mapping[str, str]] = {
        "Status": "status",
        "Labels": "labels",
        "Annotations": "annotations",
        "StartsAt": "starts_at",
        "EndsAt": "ends_at",
        "GeneratorURL": "generator_url",
        "Fingerprint": "fingerprint",
    }


class AlertSlice(Slice):
    """A plain ``[]Alert``, what ``.Firing`` returns."""

    __slots__ = ()
    go_type = "[]template.Alert"
    go_element = "template.Alert"


class Alerts(Slice):
    """The alerts of a notification."""

    __slots__ = ()
    go_type = "template.Alerts"
    go_element = "template.Alert"
    go_methods: ClassVar[Mapping[str, Function]] = {
        "Firing": Function((), lambda alerts: AlertSlice(a for a in alerts if a.status == "firing")),
        "Resolved": Function((), lambda alerts: AlertSlice(a for a in alerts if a.status == "resolved")),
    }


@dataclass(frozen=True, slots=True)
class Data(Struct):
    """The dot of every notification template."""

    receiver: str = ""
    status: str = ""
    alerts: Alerts = field(default_factory=Alerts)
    notification_reason: str = ""
    group_labels: KV = field(default_factory=KV)
    common_labels: KV = field(default_factory=KV)
    common_annotations: KV = field(default_factory=KV)
    route_labels: KV = field(default_factory=KV)
    external_url: str = ""
    go_type: ClassVar[str] = "template.Data"
    go_hidden: ClassVar[tuple[Value, ...]] = (False,)
    go_fields: ClassVar[Mapping[str, str]] = {
        "Receiver": "receiver",
        "Status": "status",
        "Alerts": "alerts",
        "NotificationReason": "notification_reason",
        "GroupLabels": "group_labels",
        "CommonLabels": "common_labels",
        "CommonAnnotations": "common_annotations",
        "RouteLabels": "route_labels",
        "ExternalURL": "external_url",
    }
