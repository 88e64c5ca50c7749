"""A bot token: post, edit by the recorded ``ts``, and look an uncertain post up before posting again."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from tocsin.channels.failures import network_failure
from tocsin.channels.http_config import SILENT, headers
from tocsin.channels.slack.errors import RENDERING, UPDATE_IMPOSSIBLE, judge
from tocsin.channels.tls import proxy_for, tls_context
from tocsin.ports import Attempt, Outcome, Permanent, Sent

METADATA_TYPE = "tocsin_delivery"
HISTORY_PAGE = 100  # messages back that an uncertain post is looked for
CHANNEL_PAGES, CHANNEL_PAGE = 3, 200  # https://docs.slack.dev/reference/methods/conversations.list
_CHANNEL_ID = ("C", "G", "D")

Wire = Mapping[str, Any]


class Bot:
    """One workspace for the length of one delivery. Every method may raise ``SlackApiError`` or ``OSError``."""

    def __init__(self, token: str, url: str, timeout: int, settings: Mapping[str, Any]) -> None:
        config = settings.get("http_config") or {}
        extra = {name: value for name, value in headers(config).items() if name != "Authorization"}
        self._settings = settings
        self._client = WebClient(
            token=token,
            base_url=url.rsplit("/", 1)[0] + "/",
            timeout=timeout,
            ssl=tls_context(config.get("tls_config")),
            proxy=proxy_for(config, url),
            headers=extra,
            retry_handlers=[],  # the default posts again after a reset: twice, if Slack had acted
            logger=SILENT,
        )

    def deliver(self, wire: Wire, attempt: Attempt) -> Outcome:
        """Edit or post; a message that Slack cannot render goes once more as plain text."""
        message = {**wire["message"], "metadata": self._metadata(attempt)}
        outcome = self._once(message, wire, attempt)
        if isinstance(outcome, Permanent) and outcome.status in RENDERING:
            kept = ("channel", "username", "icon_emoji", "icon_url")
            plain = {name: message[name] for name in kept if name in message}
            return self._once({**plain, "text": wire["plain"], "attachments": []}, wire, attempt)
        return outcome

    def _metadata(self, attempt: Attempt) -> dict[str, Any]:
        return {"event_type": METADATA_TYPE, "event_payload": {"delivery_id": attempt.delivery_id}}

    def _once(self, message: dict[str, Any], wire: Wire, attempt: Attempt) -> Outcome:
        try:
            ref = attempt.ref
            if wire.get("edit") and ref.get("ts") and ref.get("channel"):
                edited = self._edit(message, ref)
                if edited:
                    return edited
            found = self._find(message, attempt) if attempt.uncertain else None
            return found or self._call("chat.postMessage", message)
        except SlackApiError as error:
            answer: Any = error.response
            return judge(answer.status_code, str(answer.get("error") or ""), answer.headers, self._settings)
        except (OSError, HTTPException, SlackClientError) as error:
            return network_failure("Slack", error)

    def _call(self, method: str, call: dict[str, Any]) -> Sent:
        answer: Any = self._client.api_call(method, json=call)
        ref = {"channel": str(answer.get("channel") or ""), "ts": str(answer.get("ts") or "")}
        return Sent(ref, "ok", f"{ref['channel']}/{ref['ts']}")

    def _edit(self, message: dict[str, Any], ref: Mapping[str, Any]) -> Sent | None:
        """Edit the earlier message; None if it is out of reach."""
        try:
            return self._call("chat.update", {**message, "channel": ref["channel"], "ts": ref["ts"]})
        except SlackApiError as error:
            if str(error.response.get("error")) in UPDATE_IMPOSSIBLE:
                return None
            raise

    def _find(self, message: dict[str, Any], attempt: Attempt) -> Sent | None:
        """Look for this delivery among the newest messages; None where it is not, or where we may not look."""
        channel = self._channel_id(str(attempt.ref.get("channel") or message.get("channel") or ""))
        call = {"channel": channel, "include_all_metadata": True, "limit": HISTORY_PAGE}
        try:
            answer: Any = self._client.api_call("conversations.history", params=call) if channel else {}
        except SlackApiError as error:
            if isinstance(judge(error.response.status_code, str(error.response.get("error")), {}, {}), Permanent):
                return None
            raise
        for posted in answer.get("messages") or ():
            payload = (posted.get("metadata") or {}).get("event_payload") or {}
            if payload.get("delivery_id") == attempt.delivery_id:
                ref = {"channel": channel, "ts": str(posted["ts"])}
                return Sent(ref, "found", f"{channel}/{ref['ts']}")
        return None

    def _channel_id(self, named: str) -> str:
        """Turn ``#name`` into an id, for Slack's history knows no names; empty if it is not to be had."""
        name = named.removeprefix("#")
        if name.startswith(_CHANNEL_ID) and name.isupper() and name.isalnum():
            return name
        cursor = ""
        for _ in range(CHANNEL_PAGES):
            call = {"limit": CHANNEL_PAGE, "exclude_archived": True, "types": "public_channel,private_channel"}
            try:
                answer: Any = self._client.api_call("conversations.list", params={**call, "cursor": cursor})
            except SlackApiError as error:
                if isinstance(judge(error.response.status_code, str(error.response.get("error")), {}, {}), Permanent):
                    return ""
                raise
            found = [str(channel["id"]) for channel in answer.get("channels") or () if channel.get("name") == name]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if found or not cursor:
                return found[0] if found else ""
        return ""
