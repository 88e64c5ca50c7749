"""``pagerduty_configs`` (Alertmanager ``notify/pagerduty/config.go``)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from tocsin.config.fields import (
    AnyYaml,
    GoDuration,
    HttpConfig,
    SecretText,
    Settings,
    Strict,
    Template,
    TemplateText,
    Url,
)

DEFAULT_DETAILS = {
    "firing": "{{ .Alerts.Firing | toJson }}",
    "resolved": "{{ .Alerts.Resolved | toJson }}",
    "num_firing": "{{ .Alerts.Firing | len }}",
    "num_resolved": "{{ .Alerts.Resolved | len }}",
}
DEFAULT_URL = "https://events.pagerduty.com/v2/enqueue"


class PagerDutyLink(Strict):
    """A link on the incident."""

    href: TemplateText = ""
    text: TemplateText = ""


class PagerDutyImage(Strict):
    """An image on the incident."""

    src: TemplateText = ""
    alt: TemplateText = ""
    href: TemplateText = ""


class PagerDutySettings(Settings):
    """One integration: ``routing_key`` for the Events API v2, ``service_key`` for the older v1."""

    globals_: ClassVar[dict[str, str]] = {"url": "pagerduty_url"}

    http_config: HttpConfig | None = None
    service_key: SecretText | None = None
    routing_key: SecretText | None = None
    url: Url = DEFAULT_URL
    client: TemplateText = '{{ template "pagerduty.default.client" . }}'
    client_url: TemplateText = '{{ template "pagerduty.default.clientURL" . }}'
    description: TemplateText = '{{ template "pagerduty.default.description" .}}'
    details: Annotated[dict[str, AnyYaml], Template()] = Field(default_factory=dict)
    images: list[PagerDutyImage] = Field(default_factory=list)
    links: list[PagerDutyLink] = Field(default_factory=list)
    source: TemplateText = ""
    severity: TemplateText = ""
    class_: TemplateText = Field(default="", alias="class")
    component: TemplateText = ""
    group: TemplateText = ""
    timeout: GoDuration = 0

    @model_validator(mode="after")
    def _check(self) -> PagerDutySettings:
        if self.routing_key is None and self.service_key is None:
            raise ValueError("missing service or routing key in PagerDuty config: set routing_key or routing_key_file")
        self.details = {**DEFAULT_DETAILS, **self.details}
        self.source = self.source or self.client
        return self
