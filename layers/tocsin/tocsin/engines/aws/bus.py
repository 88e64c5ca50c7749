"""``Announcer`` on EventBridge: what Tocsin tells other teams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tocsin.engines.aws import faults
from tocsin.ports import Telemetry

SOURCE = "tocsin"  # the rule that feeds the inbox leaves this source out, or we would hear ourselves


class EventBus:
    """One event bus. Announcing is best effort: what fails is counted, and holds nobody up."""

    def __init__(self, name: str, client: Any, telemetry: Telemetry | None = None) -> None:  # noqa: ANN401 (boto3)
        """Take the bus's name and a boto3 client of EventBridge (``clients.events()``)."""
        self._name = name
        self._client = client
        self._telemetry = telemetry

    def announce(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Publish one event; ``kind`` becomes its detail-type."""
        entry = {"EventBusName": self._name, "Source": SOURCE, "DetailType": kind}
        try:
            entry["Detail"] = json.dumps(detail, default=dict)
            answer = self._client.put_events(Entries=[entry])
        except (ClientError, BotoCoreError) as error:
            self._failed(kind, faults.code(error))
        except (TypeError, ValueError) as error:
            self._failed(kind, f"it is no JSON ({error})")
        else:
            # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html: a 200 may hold failures
            for refused in answer.get("Entries", []):
                if "ErrorCode" in refused:
                    self._failed(kind, str(refused["ErrorCode"]))

    def _failed(self, kind: str, reason: str) -> None:
        if self._telemetry is not None:
            self._telemetry.count("announcements_failed", kind=kind)
            self._telemetry.log("warning", "an event was not announced", kind=kind, bus=self._name, reason=reason)
