"""Alertmanager's webhook, version 4: what every tool around Prometheus understands.

Wire: the body itself; a custom ``payload`` stands beside the data that a templated URL may ask for.
The URL is a secret and stays out of it. An endpoint that honours ``Idempotency-Key`` (or our own
``X-Tocsin-Delivery``) never acts twice on one delivery.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from tocsin.channels.failures import network_failure, retry_after
from tocsin.channels.http_config import httpx_client, verified_name
from tocsin.channels.webhook.url import address
from tocsin.channels.wire import canonical, render_tree, seconds, secrets_of, spoken
from tocsin.errors import TemplateError
from tocsin.model import MINUTE
from tocsin.ports import Attempt, Outcome, Permanent, Retry, Sent, Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from pydantic import BaseModel

    from tocsin.rendering import Notification

TIMEOUT = 10.0  # seconds
CUSTOM = "tocsin:payload"  # no key of the v4 body
THROTTLE_WAIT = MINUTE  # when a 429 does not say how long
TOO_MANY_REQUESTS = 429
# The server gave up on us, or the network did: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
REQUEST_TIMEOUT = 408
TOO_EARLY = 425
SERVER_ERROR = 500


class Webhook:
    """POSTs JSON. 2xx is sent, 429 throttled, 5xx and 408 may pass, every other answer is final."""

    name: ClassVar[str] = "webhook"
    config_key: ClassVar[str] = "webhook_configs"
    send_resolved: ClassVar[bool] = True
    merges_by_key: ClassVar[bool] = False
    tells_late_resolution: ClassVar[bool] = True
    resolve_when_muted: ClassVar[bool] = False

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """Give the model of one webhook."""
        from tocsin.channels.webhook.settings import WebhookSettings  # noqa: PLC0415 (only where configs are loaded)

        return WebhookSettings

    def render(self, notification: Notification, settings: Mapping[str, Any]) -> bytes:
        """Print the v4 body, or the custom ``payload``; a note to the person stands under ``note``."""
        if settings.get("payload") is not None:
            body = render_tree(settings["payload"], notification)
            if notification.note and isinstance(body, dict):
                body.setdefault("note", notification.note)
            return canonical({CUSTOM: body, "data": {**notification.webhook_v4(), "alerts": []}})
        body = notification.webhook_v4(int(settings.get("max_alerts") or 0))
        if notification.note:
            body["note"] = notification.note
        return canonical(body)

    def send(self, attempt: Attempt) -> Outcome:
        """POST the body as it is."""
        import httpx  # noqa: PLC0415 (37 ms that only a webhook pays)

        settings = attempt.settings
        wire = json.loads(attempt.wire)
        custom = CUSTOM in wire
        try:
            url = address(str(settings.get("url") or "").strip(), wire["data"] if custom else wire)
        except TemplateError:
            return Permanent("webhook: the template of the URL fails")
        content = canonical(wire[CUSTOM]) if custom else attempt.wire
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Tocsin",
            "Idempotency-Key": attempt.delivery_id,
            "X-Tocsin-Delivery": attempt.delivery_id,
        }
        try:
            config = settings.get("http_config")
            with httpx_client(config, url, seconds(settings.get("timeout"), TIMEOUT)) as client:
                answer = client.post(url, content=content, headers=headers, extensions=verified_name(config))
            return _judge(answer, {**settings, "url": url})
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            return Permanent("webhook: the URL is not one that can be used")
        except (httpx.HTTPError, OSError) as error:
            return network_failure("webhook", error)


def _judge(response: httpx.Response, settings: Mapping[str, Any]) -> Outcome:
    status = str(response.status_code)
    if response.is_success:
        return Sent(status=status)
    reason = f"webhook answered {status}"
    words = spoken(response.text, secrets_of(settings, "url"))
    reason += f": {words}" if words else ""
    if response.status_code == TOO_MANY_REQUESTS:
        return Throttled(retry_after(response.headers, THROTTLE_WAIT), reason, status)
    if response.status_code >= SERVER_ERROR or response.status_code in {REQUEST_TIMEOUT, TOO_EARLY}:
        return Retry(reason, status, maybe=True)
    return Permanent(reason, status)
