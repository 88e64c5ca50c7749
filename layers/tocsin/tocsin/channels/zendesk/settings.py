"""``zendesk_configs`` of ``tocsin.yml``: Alertmanager has none."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tocsin.config.fields import GoDuration, HttpConfig, Int, SecretText, Settings, TemplateText, Url


class ZendeskSettings(Settings):
    """One kind of ticket in one Zendesk account.

    ``url`` is ``https://ACCOUNT.zendesk.com``, ``email`` the agent whose ``api_token(_file)`` it is. ``priority`` maps
    freely (critical is urgent, warning is normal); ``status_when_resolved`` may be ``solved`` or ``pending``.
    """

    http_config: HttpConfig | None = None
    url: Url
    email: str = Field(min_length=1)
    api_token: SecretText
    subject: TemplateText = '{{ template "pagerduty.default.description" . }}'
    description: TemplateText = (
        "{{ range .Alerts }}{{ .Status | toUpper }}: "
        "{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}\n"
        "{{ range .Annotations.SortedPairs }}{{ .Name }}: {{ .Value }}\n{{ end }}"
        "{{ with .GeneratorURL }}{{ . }}\n{{ end }}\n{{ end }}"
    )
    priority: TemplateText = "{{ .CommonLabels.severity }}"
    type: TemplateText = "incident"
    tags: list[TemplateText] = Field(default_factory=list)
    assignee_id: Int | None = None
    assignee_email: str = ""
    group_id: Int | None = None
    requester_email: str = ""
    requester_name: str = ""
    ticket_form_id: Int | None = None
    custom_fields: dict[str, TemplateText] = Field(default_factory=dict)
    status_when_resolved: str = "solved"
    timeout: GoDuration = 0

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if "." not in (parts.hostname or "") or parts.path.strip("/") or parts.query:
            raise ValueError("write the account's address alone, such as https://example.zendesk.com")
        return url.rstrip("/")

    @field_validator("status_when_resolved")
    @classmethod
    def _check_status(cls, status: str) -> str:
        if status not in {"solved", "pending"}:
            raise ValueError("status_when_resolved is solved or pending")
        return status

    @field_validator("custom_fields")
    @classmethod
    def _check_fields(cls, fields: dict[str, Any]) -> dict[str, Any]:
        for name in fields:
            if not name.isdigit():
                raise ValueError(f"custom_fields are keyed by the field's number, which {name!r} is not")
        return fields
