"""Slack by slack-sdk: a bot token (posts and edits) or an incoming webhook (posts only).

Wire: ``message`` (Alertmanager's attachment), ``plain`` to fall back to, and ``edit``. A post may act twice only where
the answer was lost and Slack does not let us look.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from tocsin.channels.slack.body import body
from tocsin.channels.wire import canonical, seconds
from tocsin.ports import Attempt, Outcome, Permanent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from tocsin.rendering import Notification

TIMEOUT = 5.0  # seconds
POST_MESSAGE = "/chat.postMessage"


class Slack:
    """Posts what fires, edits what resolves."""

    name: ClassVar[str] = "slack"
    config_key: ClassVar[str] = "slack_configs"
    send_resolved: ClassVar[bool] = False
    merges_by_key: ClassVar[bool] = False
    tells_late_resolution: ClassVar[bool] = True
    resolve_when_muted: ClassVar[bool] = False

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """Give the model of one channel."""
        from tocsin.channels.slack.settings import SlackSettings  # noqa: PLC0415 (only where configs are loaded)

        return SlackSettings

    def render(self, notification: Notification, settings: Mapping[str, Any]) -> bytes:
        """Print the message."""
        return canonical(body(notification, settings))

    def send(self, attempt: Attempt) -> Outcome:
        """Post or edit, by whichever way the settings name."""
        settings, wire = attempt.settings, json.loads(attempt.wire)
        timeout = math.ceil(seconds(settings.get("timeout"), TIMEOUT))
        token = str(settings.get("app_token") or "").strip()
        url = str((settings.get("app_url") if token else settings.get("api_url")) or "").strip()
        if not urlsplit(url).path.endswith(POST_MESSAGE):
            from tocsin.channels.slack import incoming  # noqa: PLC0415 (as below)

            return incoming.deliver(wire, url, timeout, settings)
        authorization = (settings.get("http_config") or {}).get("authorization") or {}
        token = token or str(authorization.get("credentials") or "").strip()
        if not token:
            return Permanent("Slack: chat.postMessage needs a bot token: set app_token or http_config.authorization")
        from tocsin.channels.slack.bot import Bot  # noqa: PLC0415 (only who posts pays for the SDK)

        return Bot(token, url, timeout, settings).deliver(wire, attempt)
