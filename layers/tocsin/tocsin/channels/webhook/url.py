"""A webhook's URL may be a template; it is a secret as well, so it is rendered from the wire body when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tocsin.templates import KV, Alert, Alerts, Data, TemplateSet, Time
from tocsin.templates.gotime import ZERO

NO_MOMENT = 0  # no URL depends on the time


def address(url: str, body: Mapping[str, Any]) -> str:
    """Render a URL with the data of a v4 body; one without actions is itself.

    Raises:
        TemplateError: it does not parse or cannot be executed.
    """
    return _templates().text(url, _data(body), NO_MOMENT).strip() if "{{" in url else url


@cache
def _templates() -> TemplateSet:
    return TemplateSet()


def _data(body: Mapping[str, Any]) -> Data:
    return Data(
        receiver=str(body.get("receiver") or ""),
        status=str(body.get("status") or ""),
        alerts=Alerts(
            Alert(alert["status"], KV(alert["labels"]), KV(alert["annotations"]), Time(ZERO), Time(ZERO))
            for alert in body.get("alerts") or ()
        ),
        group_labels=KV(body.get("groupLabels") or {}),
        common_labels=KV(body.get("commonLabels") or {}),
        common_annotations=KV(body.get("commonAnnotations") or {}),
        route_labels=KV(body.get("routeLabels") or {}),
        external_url=str(body.get("externalURL") or ""),
    )
