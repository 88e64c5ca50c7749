"""Every key that Alertmanager 0.34 knows of our channels, through the real loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tocsin.channels import REGISTRY, channel_class
from tocsin.config.loader import Loaded, load
from tocsin.config.receivers import ChannelSchema
from tocsin.errors import ConfigError
from tocsin.model import SECOND

ROUTE = "route: {receiver: team}\n"
BESIDE = "catch_all: team\nreceivers:\n- name: team\n"
SMTP = "global: {smtp_smarthost: 'mail:25', smtp_from: a@example.org}\n"
EVERYTHING = """
global:
  pagerduty_url: https://events.eu.pagerduty.com/v2/enqueue
  slack_app_token: xoxb-of-everybody
  smtp_smarthost: mail.example.org:587
  smtp_from: tocsin@example.org
  smtp_hello: tocsin.example.org
  smtp_auth_username: tocsin
  smtp_auth_password: smtp-secret
  smtp_auth_secret: cram-secret
  smtp_auth_identity: tocsin
  smtp_require_tls: false
  http_config: {follow_redirects: false}
route: {receiver: team}
receivers:
- name: team
  pagerduty_configs:
  - {send_resolved: true, routing_key: r0uting, client: c, client_url: u, description: d,
     details: {a: {b: '{{ .Status }}'}}, images: [{src: s, alt: a, href: h}], links: [{href: h, text: t}], source: s,
     severity: '{{ .CommonLabels.severity }}', class: c, component: c, group: g, timeout: 3s,
     url: https://relay.example.org/v2/enqueue, http_config: {}}
  - {service_key_file: /etc/key}
  slack_configs:
  - {send_resolved: false, channel: '#alerts', username: u, color: c, title: t, title_link: l, pretext: p, text: x,
     message_text: m, fields: [{title: t, value: v, short: true}], short_fields: yes, footer: f, fallback: f,
     callback_id: c, icon_emoji: i, icon_url: i, image_url: i, thumb_url: t, link_names: on, mrkdwn_in: [text],
     actions: [{type: button, text: t, url: u, style: s},
               {type: button, text: t, name: n, value: v, confirm: {text: t}}],
     timeout: 4s}
  - {api_url: https://hooks.slack.com/services/T/B/hook-secret}
  - {api_url_file: /etc/slack}
  - {app_token_file: /etc/token, app_url: https://slack.example.org/api/chat.postMessage}
  email_configs:
  - {to: 'a@example.org, b@example.org', headers: {subject: hello, reply-to: r@example.org}, html: h, text: t}
  - {to: a@example.org, from: b@example.org, hello: h, smarthost: '[::1]:465', auth_username: u, auth_password_file: /p,
     auth_secret_file: /s, auth_identity: i, require_tls: true, tls_config: {insecure_skip_verify: true},
     force_implicit_tls: true, threading: {enabled: true, thread_by_date: daily}}
  webhook_configs:
  - {url: 'https://hook.example.org/{{ .GroupLabels.team }}', max_alerts: 0x10, timeout: 2s,
     payload: {a: ['{{ .Status }}']}}
  - {url_file: /etc/url, send_resolved: false}
"""


def read(folder: Path, text: str, beside: str = "") -> Loaded:
    (folder / "alertmanager.yml").write_text(text)
    if beside:
        (folder / "tocsin.yml").write_text(beside)
    channels = {channel_class(name).config_key: ChannelSchema.of(channel_class(name)) for name in REGISTRY}
    return load(folder / "alertmanager.yml", channels)


def settings(loaded: Loaded) -> dict[str, dict[str, Any]]:
    return {each.id: dict(each.settings) for each in loaded.plan.receivers["team"].integrations}


@pytest.fixture
def everything(tmp_path: Path) -> Loaded:
    return read(tmp_path, EVERYTHING)


def test_every_key_is_known_and_no_secret_stays_in_the_plan(everything: Loaded) -> None:
    assert len(settings(everything)) == 10
    for secret in ("r0uting", "xoxb-of-everybody", "smtp-secret", "cram-secret", "hook-secret", "hook.example.org"):
        assert secret not in repr(everything.plan)
        assert any(secret in value for value in everything.secrets.values()), secret


def test_send_resolved_defaults_are_alertmanagers(everything: Loaded) -> None:
    wanted = {each.id: each.send_resolved for each in everything.plan.receivers["team"].integrations}
    assert wanted["pagerduty/1"]
    assert not wanted["slack/1"]
    assert not wanted["email/0"]
    assert wanted["webhook/0"]
    assert not wanted["webhook/1"]


def test_the_global_section_fills_in_what_is_unset(everything: Loaded) -> None:
    found = settings(everything)
    assert found["pagerduty/0"]["url"] == "https://relay.example.org/v2/enqueue"
    assert found["pagerduty/1"]["url"] == "https://events.eu.pagerduty.com/v2/enqueue"
    assert found["pagerduty/1"]["http_config"]["follow_redirects"] is False
    mail, other = found["email/0"], found["email/1"]
    assert (mail["smarthost"], mail["from"], mail["hello"]) == (
        "mail.example.org:587", "tocsin@example.org", "tocsin.example.org",
    )  # fmt: skip
    assert mail["auth_password"].keys() == mail["auth_secret"].keys() == {"$secret"}
    assert (mail["require_tls"], other["require_tls"]) == (False, True)
    assert other["auth_password"] == {"$file": "/p"}


def test_a_global_slack_token_serves_only_who_has_nothing_of_their_own(everything: Loaded) -> None:
    found = settings(everything)
    assert found["slack/0"]["app_token"]
    assert found["slack/1"]["app_token"] is None
    assert found["slack/3"]["app_token"] == {"$file": "/etc/token"}


def test_defaults_of_upstream(everything: Loaded) -> None:
    found = settings(everything)
    assert set(found["pagerduty/0"]["details"]) == {"a", "firing", "resolved", "num_firing", "num_resolved"}
    assert found["pagerduty/1"]["source"] == found["pagerduty/1"]["client"]
    assert found["email/0"]["headers"] == {"Subject": "hello", "Reply-To": "r@example.org"}
    assert found["email/1"]["headers"] == {"Subject": '{{ template "email.default.subject" . }}'}
    assert (found["webhook/0"]["max_alerts"], found["webhook/0"]["timeout"]) == (16, 2 * SECOND)
    assert found["slack/0"]["actions"][0]["name"] == ""
    assert found["slack/0"]["short_fields"] is True


def test_zendesk_and_ses_stand_in_tocsin_yml(tmp_path: Path) -> None:
    beside = (
        "receivers:\n- name: team\n  zendesk_configs:\n"
        "  - {url: 'https://example.zendesk.com/', email: e@example.org, api_token: zendesk-secret, tags: [a],"
        " custom_fields: {'360': x}, group_id: 7}\n"
        "  email_configs:\n  - {to: a@example.org, from: b@example.org, transport: ses, ses_region: eu-west-1}\n"
    )
    loaded = read(tmp_path, ROUTE + "receivers: [{name: team}]\n", beside)
    found = settings(loaded)
    assert found["zendesk/0"]["url"] == "https://example.zendesk.com"
    assert found["zendesk/0"]["group_id"] == 7
    assert "zendesk-secret" in loaded.secrets.values()
    assert found["email/0"]["transport"] == "ses"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("pagerduty_configs: [{client: c}]", "missing service or routing key in PagerDuty config"),
        ("pagerduty_configs: [{routing_key: a, routing_key_file: b}]", "at most one of routing_key & routing_key_file"),
        ("pagerduty_configs: [{routing_key: a, url: nowhere}]", "not a URL that can be used here"),
        ("pagerduty_configs: [{routing_key: a, description: '{{ .X'}]", "description"),
        ("pagerduty_configs: [{routing_key: a, details: {x: {y: '{{ .X'}}}]", "details"),
        ("slack_configs: [{channel: c}]", "no Slack API URL nor App token set"),
        ("slack_configs: [{api_url: 'https://a', app_token: b}]", "at most one of api_url"),
        ("slack_configs: [{api_url: nowhere}]", "not a URL that can be used here"),
        (
            "slack_configs: [{app_token: a, http_config: {authorization: {credentials: b}}}]",
            "http authorization can't be set",
        ),
        ("slack_configs: [{api_url: 'https://a', actions: [{text: t, url: u}]}]", "missing type in Slack action"),
        ("slack_configs: [{api_url: 'https://a', actions: [{type: t, url: u}]}]", "missing text in Slack action"),
        (
            "slack_configs: [{api_url: 'https://a', actions: [{type: t, text: t}]}]",
            "missing name or url in Slack action",
        ),
        ("slack_configs: [{api_url: 'https://a', fields: [{value: v}]}]", "missing title in Slack field"),
        ("slack_configs: [{api_url: 'https://a', fields: [{title: v}]}]", "missing value in Slack field"),
        ("email_configs: [{from: a@example.org}]", "missing to address in email config"),
        ("email_configs: [{to: a@example.org, smarthost: mail}]", "write the smarthost as host:port"),
        ("email_configs: [{to: a@example.org, headers: {subject: a, Subject: b}}]", 'duplicate header "Subject"'),
        ("email_configs: [{to: a@example.org, threading: {enabled: true}}]", "either 'none' or 'daily'"),
        (
            (
                "email_configs: [{to: a@example.org, headers: {references: x},"
                " threading: {enabled: true, thread_by_date: none}}]"
            ),
            "conflicts with custom References header",
        ),
        ("webhook_configs: [{max_alerts: 1}]", "one of url or url_file must be configured"),
        ("webhook_configs: [{url: 'http://a', url_file: b}]", "at most one of url & url_file"),
        ("webhook_configs: [{url: 'http://a', max_alerts: -1}]", "max_alerts must not be negative"),
        ("webhook_configs: [{url: 'http://a', payload: {x: '{{ .X'}}]", "payload"),
    ],
)
def test_a_mistake_is_named_in_a_sentence(tmp_path: Path, entry: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"{SMTP}{ROUTE}receivers:\n- name: team\n  {entry}\n")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{email: e, api_token: t}", "url"),
        ("{url: 'https://example.zendesk.com', api_token: t}", "email"),
        ("{url: 'https://example.zendesk.com', email: e}", "api_token"),
        ("{url: 'https://example.zendesk.com/agent', email: e, api_token: t}", "write the account's address alone"),
        ("{url: 'https://localhost', email: e, api_token: t}", "write the account's address alone"),
        (
            "{url: 'https://example.zendesk.com', email: e, api_token: t, custom_fields: {a: b}}",
            "keyed by the field's number",
        ),
        ("{url: 'https://example.zendesk.com', email: e, api_token: t, status_when_resolved: x}", "solved or pending"),
    ],
)
def test_a_mistake_about_zendesk_is_named_in_a_sentence(tmp_path: Path, entry: str, sentence: str) -> None:
    beside = f"receivers:\n- name: team\n  zendesk_configs: [{entry}]\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, ROUTE + "receivers: [{name: team}]\n", beside)
    assert sentence in str(caught.value)


def test_without_a_smarthost_or_a_sender_a_mail_cannot_be(tmp_path: Path) -> None:
    mail = ROUTE + "receivers:\n- name: team\n  email_configs: [{to: a@example.org}]\n"
    with pytest.raises(ConfigError, match="no global SMTP from set"):
        read(tmp_path, mail)
    with pytest.raises(ConfigError, match="no global SMTP smarthost set"):
        read(tmp_path, "global: {smtp_from: a@example.org}\n" + mail)
