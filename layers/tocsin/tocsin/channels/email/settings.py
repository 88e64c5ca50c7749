"""``email_configs`` (Alertmanager ``config/notifiers.go``), and how to send by SES instead of SMTP."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tocsin.config.fields import (
    Bool,
    GoDuration,
    SecretText,
    Settings,
    Strict,
    TemplateHtml,
    TemplateText,
    TlsConfig,
    Url,
)

DEFAULT_SUBJECT = '{{ template "email.default.subject" . }}'


class Threading(Strict):
    """Alertmanager's own threading: all mails of a group (of a day) hang below a mail that never was."""

    enabled: Bool = False
    thread_by_date: str = ""


class EmailSettings(Settings):
    """One mail to one or more addresses.

    ``transport: ses`` sends by Amazon SES v2 with the credentials of the process; ``smarthost`` is then not needed.
    """

    globals_: ClassVar[dict[str, str]] = {
        "from": "smtp_from",
        "hello": "smtp_hello",
        "smarthost": "smtp_smarthost",
        "auth_username": "smtp_auth_username",
        "auth_password": "smtp_auth_password",
        "auth_secret": "smtp_auth_secret",
        "auth_identity": "smtp_auth_identity",
        "require_tls": "smtp_require_tls",
        "tls_config": "smtp_tls_config",
        "force_implicit_tls": "smtp_force_implicit_tls",
    }

    to: TemplateText = ""
    from_: TemplateText = Field(default="", alias="from")
    hello: str = "localhost"
    smarthost: str = ""
    auth_username: str = ""
    auth_password: SecretText | None = None
    auth_secret: SecretText | None = None
    auth_identity: str = ""
    headers: dict[str, TemplateText] = Field(default_factory=dict)
    html: TemplateHtml = '{{ template "email.default.html" . }}'
    text: TemplateText = ""
    require_tls: Bool = True
    tls_config: TlsConfig | None = None
    force_implicit_tls: Bool | None = None
    threading: Threading = Field(default_factory=Threading)
    transport: Literal["smtp", "ses"] = "smtp"
    ses_region: str = ""
    ses_configuration_set: str = ""
    ses_endpoint_url: Annotated[Url | None, Field()] = None
    timeout: GoDuration = 0

    @field_validator("smarthost")
    @classmethod
    def _check_smarthost(cls, smarthost: str) -> str:
        host, _, port = smarthost.rpartition(":")
        if smarthost and (not port.isdigit() or (not host and smarthost[0] != ":")):
            raise ValueError(f'"{smarthost}" lacks a port: write the smarthost as host:port')
        return smarthost

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for name, value in headers.items():
            canonical = "-".join(part.capitalize() for part in name.split("-"))
            if canonical in known:
                raise ValueError(f'duplicate header "{canonical}" in email config')
            known[canonical] = value
        return known

    @model_validator(mode="after")
    def _check(self) -> EmailSettings:
        if not self.to:
            raise ValueError("missing to address in email config: set to, such as team@example.org")
        if not self.from_:
            raise ValueError("no global SMTP from set: set smtp_from, or from in the receiver")
        if self.transport == "smtp" and not self.smarthost:
            raise ValueError("no global SMTP smarthost set: set smtp_smarthost, or smarthost in the receiver")
        if self.threading.enabled:
            for name in ("References", "In-Reply-To"):
                if name in self.headers:
                    raise ValueError(
                        f"conflicting configuration: threading.enabled conflicts with custom {name} header"
                    )
            if self.threading.thread_by_date not in {"none", "daily"}:
                raise ValueError("threading.thread_by_date must be either 'none' or 'daily'")
        self.headers.setdefault("Subject", DEFAULT_SUBJECT)
        return self
