"""Where the demo plays: its config with the pretended vendors' addresses, and its sample events, moved to now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from tocsin.loopback import Vendors

BEARER = "demo-token"  # as in config/tocsin.yml
PATH_TOKEN = "demo-path-token"  # noqa: S105 (nothing but the demo's own)
RESOLVED_AFTER = timedelta(seconds=1)

# what config/*.yml call the vendors, each on a port of its own
_PAGERDUTY, _SLACK, _SMTP, _ZENDESK = "127.0.0.1:9911", "127.0.0.1:9912", "127.0.0.1:9913", "127.0.0.1:9914"


def place_config(folder: Path, vendors: Vendors) -> Path:
    """Write both files into a folder, with the addresses at which the vendors listen; gives the ``tocsin.yml``."""
    addresses = {
        _PAGERDUTY: f"127.0.0.1:{vendors.pagerduty.port}",
        _SLACK: f"127.0.0.1:{vendors.slack.port}",
        _SMTP: vendors.smtp.smarthost,
        _ZENDESK: f"127.0.0.1:{vendors.zendesk.port}",
    }
    for name in ("alertmanager.yml", "tocsin.yml"):
        text = files("tocsin.demo").joinpath("config", name).read_text(encoding="utf-8")
        for written, real in addresses.items():
            text = text.replace(written, real)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "tocsin.yml"


def event(name: str) -> Any:  # noqa: ANN401 (JSON)
    """Read a sample event: the same bytes as under ``events/payloads`` of the repository."""
    return json.loads(files("tocsin.demo").joinpath("events", f"{name}.json").read_bytes())


def alertmanager(name: str, now: datetime) -> dict[str, Any]:
    """Give an Alertmanager's body whose alerts began, or ended, now."""
    body: dict[str, Any] = event(name)
    for alert in body["alerts"]:
        firing = alert["status"] == "firing"
        alert["startsAt"] = _rfc3339(now if firing else now - RESOLVED_AFTER)
        if not firing:
            alert["endsAt"] = _rfc3339(now)
    return body


def cloudwatch(name: str, now: datetime) -> dict[str, Any]:
    """Give a CloudWatch alarm's event whose state changed now."""
    body: dict[str, Any] = event(name)
    body["time"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    body["detail"]["state"]["timestamp"] = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    return body


def pingdom(name: str, now: datetime) -> dict[str, Any]:
    """Give a Pingdom check's body whose state changed now."""
    body: dict[str, Any] = event(name)
    body["state_changed_timestamp"] = int(now.timestamp())
    body["state_changed_utc_time"] = now.strftime("%Y-%m-%dT%H:%M:%S")
    return body


def headers(*, bearer: bool) -> Mapping[str, str]:
    """Give what a sender sends beside its body."""
    proof = {"Authorization": f"Bearer {BEARER}"} if bearer else {}
    return {"Content-Type": "application/json", **proof}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
