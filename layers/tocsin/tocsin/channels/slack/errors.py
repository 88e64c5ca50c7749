"""Slack's errors, and what each means for a delivery (https://docs.slack.dev/reference/methods/chat.postMessage#errors)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tocsin.channels.failures import retry_after
from tocsin.channels.wire import secrets_of, spoken
from tocsin.model import SECOND
from tocsin.ports import Outcome, Permanent, Retry, Throttled

# https://docs.slack.dev/apis/web-api/rate-limits: one message a second and channel; Retry-After is always given
THROTTLE_WAIT = 30 * SECOND
TOO_MANY, SERVER_ERROR, SUCCESS = 429, 500, 300
THROTTLED = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded"))
# Slack may have posted all the same.
TRANSIENT = frozenset(("internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"))
# Our rendering, not the destination: once more as plain text.
RENDERING = frozenset(
    (
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "attachment_payload_limit_exceeded",
        "too_many_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "invalid_payload",
        "no_text",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
    )
)
# https://docs.slack.dev/reference/methods/chat.update#errors: the message is beyond reach, so it is posted anew.
UPDATE_IMPOSSIBLE = frozenset(
    (
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "update_failed",
        "channel_not_found",
        "is_inactive",
        "streaming_state_conflict",
    )
)
ADVICE = {
    "invalid_auth": "the token is not valid",
    "not_authed": "no token was sent",
    "account_inactive": "the token's account is deactivated",
    "token_revoked": "the token was revoked",
    "token_expired": "the token has expired",
    "missing_scope": "the app lacks a scope (chat:write; channels:history to look up uncertain posts)",
    "channel_not_found": "no such channel, or the app is not in it",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "the channel is archived",
    "channel_is_archived": "the channel is archived",
    "no_service": "the webhook was removed",
}
SDK_WORDS = "Received a response in a non-JSON format:"
_ERROR_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def judge(status: int, error: str, headers: Mapping[str, str], settings: Mapping[str, Any]) -> Outcome:
    """Name what an answer that is no success means."""
    known = _ERROR_NAME.match(error)
    error = error.removeprefix(SDK_WORDS)
    said = f"{error} ({ADVICE[error]})" if error in ADVICE else error
    words = spoken(said, secrets_of(settings, "api_url", "app_token"))
    answered = "Slack answered" if status < SUCCESS else f"Slack answered {status}"
    reason = f"{answered}: {words}" if words else answered
    code = error if known else str(status)
    if status == TOO_MANY or error in THROTTLED:
        return Throttled(retry_after(headers, THROTTLE_WAIT), reason, code)
    if status >= SERVER_ERROR or error in TRANSIENT:
        return Retry(reason, code, maybe=True)
    if status < SUCCESS and not known:
        return Retry("Slack answered with something that is not its own", code, maybe=True)
    return Permanent(reason, code)
