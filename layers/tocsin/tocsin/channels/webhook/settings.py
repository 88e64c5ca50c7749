"""``webhook_configs`` (Alertmanager ``notify/webhook/config.go``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from tocsin.config.fields import AnyYaml, GoDuration, HttpConfig, Int, SecretTemplateUrl, Settings, Template


class WebhookSettings(Settings):
    """One webhook. ``timeout`` 0 is the channel's own; ``payload`` replaces the v4 body."""

    http_config: HttpConfig | None = None
    url: SecretTemplateUrl | None = None
    max_alerts: Int = 0
    timeout: GoDuration = 0
    payload: Annotated[AnyYaml, Template()] = None

    @model_validator(mode="after")
    def _check(self) -> WebhookSettings:
        if self.url is None:
            raise ValueError("one of url or url_file must be configured: set one")
        if self.max_alerts < 0:
            raise ValueError("max_alerts must not be negative: 0 sends them all")
        return self
