"""Template data from JSON, in the form a webhook or ``amtool template render --template.data`` has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tocsin.errors import TemplateError
from tocsin.templates.datavalues import KV, Alert, Alerts, Data
from tocsin.templates.gotime import ZERO, parse_rfc3339_zoned
from tocsin.templates.timevalues import Time


def load_data(text: str) -> Data:
    """Read template data.

    Args:
        text: a JSON object with Alertmanager's keys; what is missing is empty, what is unknown is ignored.

    Raises:
        TemplateError: it is no JSON, or a key holds something else than it should; the sentence names the key.
    """
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise TemplateError(f"the template data is no JSON: {error}") from error
    fields = _Fields(body, "")
    return Data(
        receiver=fields.text("receiver"),
        status=fields.text("status"),
        alerts=Alerts(_alert(_Fields(alert, f"alerts[{n}].")) for n, alert in enumerate(fields.array("alerts"))),
        notification_reason=fields.text("notification_reason"),
        group_labels=fields.labels("groupLabels"),
        common_labels=fields.labels("commonLabels"),
        common_annotations=fields.labels("commonAnnotations"),
        route_labels=fields.labels("routeLabels"),
        external_url=fields.text("externalURL"),
    )


def _alert(fields: _Fields) -> Alert:
    return Alert(
        status=fields.text("status"),
        labels=fields.labels("labels"),
        annotations=fields.labels("annotations"),
        starts_at=fields.time("startsAt"),
        ends_at=fields.time("endsAt"),
        generator_url=fields.text("generatorURL"),
        fingerprint=fields.text("fingerprint"),
    )


class _Fields:
    """An object of the JSON, read key by key with the types that are wanted."""

    def __init__(self, body: object, path: str) -> None:
        if not isinstance(body, Mapping):
            raise TemplateError(f"the template data is wrong: {path.rstrip('.') or 'the whole'} must be an object")
        # As Go reads JSON: a key in other letters is the same key.
        self._body: Mapping[str, Any] = {key.lower(): value for key, value in body.items()}
        self._path = path

    def _get(self, key: str, kind: type, name: str) -> Any:  # noqa: ANN401 - as the caller asked
        value = self._body.get(key.lower())
        if value is None:
            return kind()
        if not isinstance(value, kind):
            raise TemplateError(f"the template data is wrong: {self._path}{key} must be {name}")
        return value

    def text(self, key: str) -> str:
        return str(self._get(key, str, "a text"))

    def array(self, key: str) -> list[object]:
        return list(self._get(key, list, "a list"))

    def labels(self, key: str) -> KV:
        labels = self._get(key, dict, "an object of texts")
        if not all(isinstance(value, str) for value in labels.values()):
            raise TemplateError(f"the template data is wrong: {self._path}{key} must be an object of texts")
        return KV(labels)

    def time(self, key: str) -> Time:
        text = self.text(key)
        if not text:
            return Time(ZERO)
        try:
            return Time(*parse_rfc3339_zoned(text))
        except ValueError as error:
            raise TemplateError(f"the template data is wrong: {self._path}{key}: {error}") from error
