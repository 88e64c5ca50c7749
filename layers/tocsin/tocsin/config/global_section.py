"""The ``global:`` section: what stands in for what receivers leave unset.

Source: Alertmanager ``config/config.go`` (``GlobalConfig``, ``DefaultGlobalConfig``).
"""

from __future__ import annotations

from pydantic import Field, model_validator

from tocsin.config.fields import Bool, Duration, HttpConfig, SecretText, SecretUrl, Strict, TlsConfig, Url
from tocsin.model import MINUTE


class GlobalSection(Strict):
    """Every key of the section; ``_file`` siblings of secrets are folded into the secret's own key by the loader."""

    resolve_timeout: Duration = 5 * MINUTE
    http_config: HttpConfig | None = None

    smtp_from: str = ""
    smtp_hello: str = "localhost"
    smtp_smarthost: str = ""
    smtp_auth_username: str = ""
    smtp_auth_password: SecretText | None = None
    smtp_auth_secret: SecretText | None = None
    smtp_auth_identity: str = ""
    smtp_require_tls: Bool = True
    smtp_tls_config: TlsConfig | None = None
    smtp_force_implicit_tls: Bool | None = None

    slack_api_url: SecretUrl | None = None
    slack_app_token: SecretText | None = None
    slack_app_url: Url = "https://slack.com/api/chat.postMessage"
    pagerduty_url: Url = "https://events.pagerduty.com/v2/enqueue"

    jira_api_url: Url | None = None
    opsgenie_api_url: Url = "https://api.opsgenie.com/"
    opsgenie_api_key: SecretText | None = None
    wechat_api_url: Url = "https://qyapi.weixin.qq.com/cgi-bin/"
    wechat_api_secret: SecretText | None = None
    wechat_api_corp_id: str = ""
    victorops_api_url: Url = "https://alert.victorops.com/integrations/generic/20131114/alert/"
    victorops_api_key: SecretText | None = None
    telegram_api_url: Url = "https://api.telegram.org"
    telegram_bot_token: SecretText | None = None
    webex_api_url: Url = "https://webexapis.com/v1/messages"
    rocketchat_api_url: Url = "https://open.rocket.chat/"
    rocketchat_token: SecretText | None = None
    rocketchat_token_id: SecretText | None = None
    mattermost_webhook_url: SecretUrl | None = Field(default=None)

    @model_validator(mode="after")
    def _check(self) -> GlobalSection:
        if self.slack_app_token is not None and self.slack_api_url is not None:
            raise ValueError(
                "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be "
                "configured: remove one of them"
            )
        if self.smtp_smarthost:
            check_host_port(self.smtp_smarthost)
        return self


def check_host_port(text: str) -> str:
    """Let ``host:port`` pass; ValueError says what is missing."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f'address "{text}": missing port in address: write host:port, such as smtp.example.org:587')
    if not port:
        raise ValueError(f'address "{text}": port cannot be empty: write host:port, such as smtp.example.org:587')
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f'address "{text}": too many colons in address: write an IPv6 host in brackets')
    return text
