"""An incoming webhook: it answers only "ok", so nothing can be edited and no uncertain post be looked up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from tocsin.channels.failures import network_failure
from tocsin.channels.http_config import SILENT, headers
from tocsin.channels.slack.errors import RENDERING, SUCCESS, judge
from tocsin.channels.tls import proxy_for, tls_context
from tocsin.ports import Outcome, Permanent, Sent


def deliver(wire: Mapping[str, Any], url: str, timeout: int, settings: Mapping[str, Any]) -> Outcome:
    """Post; a message that Slack cannot render goes once more as plain text."""
    outcome = _post(wire["message"], url, timeout, settings)
    if isinstance(outcome, Permanent) and outcome.status in RENDERING:
        return _post({"text": wire["plain"]}, url, timeout, settings)
    return outcome


def _post(message: Mapping[str, Any], url: str, timeout: int, settings: Mapping[str, Any]) -> Outcome:
    config = settings.get("http_config") or {}
    try:
        client = WebhookClient(
            url,
            timeout=timeout,
            ssl=tls_context(config.get("tls_config")),
            proxy=proxy_for(config, url),
            default_headers=headers(config),
            retry_handlers=[],  # as for the bot
            logger=SILENT,
        )
        answer = client.send_dict(dict(message))
    except (OSError, HTTPException, SlackClientError, ValueError) as error:
        return network_failure("Slack", error)
    return _judge(answer, settings)


def _judge(answer: WebhookResponse, settings: Mapping[str, Any]) -> Outcome:
    text = answer.body.strip()
    if answer.status_code < SUCCESS and text == "ok":
        return Sent(status="ok")
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict):  # what is compatible with Slack often answers like its Web API
        if said.get("ok") is True and answer.status_code < SUCCESS:
            return Sent(status="ok")
        text = str(said.get("error") or "")
    return judge(answer.status_code, text, answer.headers, settings)
