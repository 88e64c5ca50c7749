"""PagerDuty by its Events API v2 (pdpyras), and v1 for keys of that kind.

Wire: the event without its key. Equal dedup keys merge, so an uncertain attempt is simply sent again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from tocsin.channels.failures import network_failure, retry_after
from tocsin.channels.http_config import SILENT, prepare_session
from tocsin.channels.pagerduty.body import event, shrink_further
from tocsin.channels.wire import canonical, seconds, secrets_of, spoken
from tocsin.model import MINUTE
from tocsin.ports import Attempt, Outcome, Permanent, Retry, Sent, Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests
    from pydantic import BaseModel

    from tocsin.rendering import Notification

TIMEOUT = 5.0  # seconds
V2_PATH = "/v2/enqueue"
# https://developer.pagerduty.com/docs/events-api-v1-overview
V1_PATH = "/generic/2010-04-15/create_event.json"
# https://developer.pagerduty.com/docs/events-api-v2-overview#response-codes--retry-logic
TOO_LARGE, TOO_MANY, V1_RATE_LIMIT, REQUEST_TIMEOUT, SERVER_ERROR = 413, 429, 403, 408, 500
THROTTLE_WAIT = MINUTE  # about 120 events a minute and key; no hint is given


class PagerDuty:
    """Triggers and resolves incidents; one request a call (two when the first was too large)."""

    name: ClassVar[str] = "pagerduty"
    config_key: ClassVar[str] = "pagerduty_configs"
    send_resolved: ClassVar[bool] = True
    merges_by_key: ClassVar[bool] = True
    tells_late_resolution: ClassVar[bool] = False
    resolve_when_muted: ClassVar[bool] = True

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """Give the model of one integration."""
        from tocsin.channels.pagerduty.settings import PagerDutySettings  # noqa: PLC0415 (only where configs are loaded)

        return PagerDutySettings

    def render(self, notification: Notification, settings: Mapping[str, Any]) -> bytes:
        """Print the event."""
        return canonical(event(notification, settings))

    def send(self, attempt: Attempt) -> Outcome:
        """Enqueue the event; once more, smaller, if PagerDuty finds it too large."""
        body = json.loads(attempt.wire)
        outcome = _enqueue(body, attempt.settings)
        if isinstance(outcome, Permanent) and outcome.status == str(TOO_LARGE):
            return _enqueue(shrink_further(body), attempt.settings)
        return outcome


def _enqueue(event: dict[str, Any], settings: Mapping[str, Any]) -> Outcome:
    from tocsin.channels.pagerduty import sdk  # noqa: PLC0415 (requests: only who pages pays for it)

    is_v1 = "event_type" in event
    key = str(settings.get("service_key" if is_v1 else "routing_key") or "").strip()
    if not key:
        return Permanent("PagerDuty: the key is empty")
    session = sdk.EventsAPISession(key)
    try:
        response = _request(session, event, key, settings)
    except sdk.PDClientError as error:
        response = error.response
        if response is None:
            return network_failure("PagerDuty", error)
    except OSError as error:
        return network_failure("PagerDuty", error)
    finally:
        session.close()
    if response is None:
        return Sent({"dedup_key": event["dedup_key"]}, "202", event["dedup_key"])
    return _judge(response, event, settings)


def _request(session: Any, event: dict[str, Any], key: str, settings: Mapping[str, Any]) -> requests.Response | None:  # noqa: ANN401
    """Make one request without the SDK's own retries; None is v2's success."""
    url = settings.get("url") or session.url + V2_PATH
    session.log = SILENT
    session.retry = dict.fromkeys((429, 500, 502, 503, 504), 1)
    session.max_http_attempts = -1
    session.max_network_attempts = 0
    session.timeout = seconds(settings.get("timeout"), TIMEOUT)
    prepare_session(session, settings.get("http_config"), url)
    if "event_type" in event:
        session.url = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        answer: requests.Response = session.post(V1_PATH, data=canonical({**event, "service_key": key}))
        return answer
    if url.endswith(V2_PATH):
        session.url = url.removesuffix(V2_PATH)
        fields = {name: value for name, value in event.items() if name not in {"event_action", "dedup_key"}}
        session.send_event(event["event_action"], dedup_key=event["dedup_key"], **fields)
        return None
    session.url = url  # a relay with a path of its own
    relayed: requests.Response = session.post(url, json=event)
    return relayed


def _judge(response: requests.Response, event: dict[str, Any], settings: Mapping[str, Any]) -> Outcome:
    code, is_v1 = response.status_code, "event_type" in event
    status = str(code)
    words = _words(response, settings)
    reason = f"PagerDuty answered {status}" + (f": {words}" if words else "")
    if response.ok:
        key = event.get("dedup_key") or event.get("incident_key") or ""
        if _echoes(response, key):
            return Sent({"dedup_key": key}, status, key)
        return Retry("PagerDuty answered with something that is not its own", status, maybe=True)
    if code == TOO_MANY or (is_v1 and code == V1_RATE_LIMIT):
        return Throttled(retry_after(response.headers, THROTTLE_WAIT), reason, status)
    if code >= SERVER_ERROR or code == REQUEST_TIMEOUT:
        return Retry(reason, status, maybe=True)
    return Permanent(reason, status)


def _echoes(response: requests.Response, key: str) -> bool:
    """Whether the answer names the incident, as PagerDuty's do; a proxy's page does not."""
    try:
        answer = response.json()
    except ValueError:
        return False
    return isinstance(answer, dict) and key in {answer.get("dedup_key"), answer.get("incident_key")}


def _words(response: requests.Response, settings: Mapping[str, Any]) -> str:
    """Say what PagerDuty objects to, which it lists under ``errors``."""
    try:
        answer = response.json()
        said = "; ".join([str(answer.get("message") or ""), *map(str, answer.get("errors") or ())])
    except (ValueError, AttributeError):
        said = response.text
    return spoken(said.strip("; "), secrets_of(settings, "routing_key", "service_key"))
