"""``slack_configs`` (Alertmanager ``config/notifiers.go``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from tocsin.config.fields import (
    Bool,
    GoDuration,
    HttpConfig,
    SecretText,
    SecretUrl,
    Settings,
    Strict,
    TemplateText,
    Url,
)

DEFAULT_APP_URL = "https://slack.com/api/chat.postMessage"


class SlackConfirmation(Strict):
    """What a button asks before it acts."""

    text: TemplateText = Field(min_length=1)
    title: TemplateText = ""
    ok_text: TemplateText = ""
    dismiss_text: TemplateText = ""


class SlackAction(Strict):
    """A button: a link (``url``), or a message to the app (``name``)."""

    type: TemplateText = ""
    text: TemplateText = ""
    url: TemplateText = ""
    style: TemplateText = ""
    name: TemplateText = ""
    value: TemplateText = ""
    confirm: SlackConfirmation | None = None

    @model_validator(mode="after")
    def _check(self) -> SlackAction:
        if not self.type:
            raise ValueError("missing type in Slack action configuration: set type, such as button")
        if not self.text:
            raise ValueError("missing text in Slack action configuration: set text, what the button says")
        if not self.url and not self.name:
            raise ValueError("missing name or url in Slack action configuration: set url, where the button leads")
        if self.url:
            self.name, self.value, self.confirm = "", "", None
        return self


class SlackField(Strict):
    """A titled value within the message."""

    title: TemplateText = ""
    value: TemplateText = ""
    short: Bool | None = None

    @model_validator(mode="after")
    def _check(self) -> SlackField:
        if not self.title:
            raise ValueError("missing title in Slack field configuration: set title")
        if not self.value:
            raise ValueError("missing value in Slack field configuration: set value")
        return self


class SlackSettings(Settings):
    """One channel of one workspace, by a bot token (``app_token``, ``http_config.authorization``) or incoming webhook.

    ``update_message`` true edits the message always, false never; unset, a resolution edits the message that it
    resolves and whatever is new or repeated is posted anew, so that somebody notices.
    """

    globals_: ClassVar[dict[str, str]] = {"app_url": "slack_app_url"}

    http_config: HttpConfig | None = None
    api_url: SecretUrl | None = None
    app_token: SecretText | None = None
    app_url: Url = DEFAULT_APP_URL
    channel: TemplateText = ""
    username: TemplateText = '{{ template "slack.default.username" . }}'
    color: TemplateText = '{{ template "slack.default.color" . }}'
    title: TemplateText = '{{ template "slack.default.title" . }}'
    title_link: TemplateText = '{{ template "slack.default.titlelink" . }}'
    pretext: TemplateText = '{{ template "slack.default.pretext" . }}'
    text: TemplateText = '{{ template "slack.default.text" . }}'
    message_text: TemplateText = ""
    fields: list[SlackField] = Field(default_factory=list)
    short_fields: Bool = False
    footer: TemplateText = '{{ template "slack.default.footer" . }}'
    fallback: TemplateText = '{{ template "slack.default.fallback" . }}'
    callback_id: TemplateText = '{{ template "slack.default.callbackid" . }}'
    icon_emoji: TemplateText = '{{ template "slack.default.iconemoji" . }}'
    icon_url: TemplateText = '{{ template "slack.default.iconurl" . }}'
    image_url: TemplateText = ""
    thumb_url: TemplateText = ""
    link_names: Bool = False
    mrkdwn_in: list[str] = Field(default_factory=list)
    actions: list[SlackAction] = Field(default_factory=list)
    update_message: Bool | None = None
    timeout: GoDuration = 0

    @classmethod
    def with_globals(cls, settings: Mapping[str, Any], global_: Mapping[str, Any]) -> dict[str, Any]:
        """Take the global token or URL only where the entry has none of its own kind (``config/config.go``)."""
        filled = super().with_globals(settings, global_)
        own = (settings.get("http_config") or {}).get("authorization")
        if not filled.get("app_token") and not own and not filled.get("api_url") and global_.get("slack_app_token"):
            filled["app_token"] = global_["slack_app_token"]
        if not filled.get("api_url") and not filled.get("app_token") and global_.get("slack_api_url"):
            filled["api_url"] = global_["slack_api_url"]
        return filled

    @model_validator(mode="after")
    def _check(self) -> SlackSettings:
        if self.api_url is None and self.app_token is None:
            raise ValueError(
                "no Slack API URL nor App token set either inline or in a file: set api_url, or globally slack_api_url"
            )
        if self.api_url is not None and self.app_token is not None:
            raise ValueError(
                "at most one of api_url/api_url_file & app_token/app_token_file must be configured: drop one"
            )
        if self.app_token is not None and self.http_config is not None and self.http_config.authorization is not None:
            raise ValueError("http authorization can't be set when using Slack App tokens: drop either")
        return self
