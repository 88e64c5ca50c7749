"""The webhook's own rules: Alertmanager's body, custom payloads, templated URLs, and ``http_config``."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tocsin.loopback.http import Request, Response
from tocsin.loopback.webhook import WebhookVendor
from tocsin.ports import Outcome, Permanent, Retry, Sent

from tests.channels.rig import GROUP_KEY, SECRET, Rig, alert, notification
from tests.channels.tls import self_signed

MakeRig = Callable[..., Rig]


def test_the_body_is_alertmanagers(make_rig: MakeRig) -> None:
    rig = make_rig("webhook")
    told = notification(alert(), alert(firing=False, labels={"instance": "b"}))
    assert isinstance(rig.send(told), Sent)
    (body,) = rig.vendor.bodies
    assert body == told.webhook_v4()
    assert (body["version"], body["groupKey"], body["status"], body["truncatedAlerts"]) == ("4", GROUP_KEY, "firing", 0)
    assert "note" not in body


def test_what_is_posted_is_the_wire_body_byte_for_byte(make_rig: MakeRig) -> None:
    rig = make_rig("webhook")
    wire = rig.render(notification(note="hello"))
    rig.channel.send(rig.attempt(wire))
    assert rig.vendor.requests[0].body == wire
    assert json.loads(wire)["note"] == "hello"


def test_max_alerts_cuts_and_counts(make_rig: MakeRig) -> None:
    rig = make_rig("webhook", max_alerts=2)
    rig.send(notification(*[alert(labels={"instance": str(number)}) for number in range(5)]))
    (body,) = rig.vendor.bodies
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (2, 3)


def test_a_delivery_names_itself_the_same_way_every_time(make_rig: MakeRig) -> None:
    rig = make_rig("webhook")
    rig.send()
    rig.send(uncertain=True)
    assert rig.vendor.deliveries == ["lane-1", "lane-1"]
    assert {request.headers["idempotency-key"] for request in rig.vendor.requests} == {"lane-1"}


def test_a_custom_payload_takes_any_shape(make_rig: MakeRig) -> None:
    payload = {"text": "{{ .CommonLabels.alertname }}", "count": "{{ len .Alerts }}", "list": ["{{ .Status }}"]}
    rig = make_rig("webhook", payload=payload)
    rig.send(notification(note="hello"))
    assert rig.vendor.bodies == [{"text": "DiskFull", "count": 1, "list": ["firing"], "note": "hello"}]


@pytest.mark.parametrize("payload", [None, {"text": "hi"}])
def test_a_urls_template_is_rendered_when_the_secret_is_there(make_rig: MakeRig, payload: object) -> None:
    rig = make_rig("webhook", payload=payload)
    url = rig.vendor.url + "/{{ .GroupLabels.alertname | toLower }}"
    assert isinstance(rig.send(settings={**rig.settings, "url": url}), Sent)
    assert rig.vendor.requests[0].path == "/diskfull"


@pytest.mark.parametrize(
    ("sentence", "url"),
    [
        ("a template that does not parse", "http://127.0.0.1/{{ .Broken"),
        ("a template that leads nowhere", "{{ .CommonLabels.nothing }}"),
        ("no URL at all", "nonsense"),
        ("another scheme", "ftp://127.0.0.1/x"),
    ],
)
def test_a_url_that_cannot_be_used_is_final(make_rig: MakeRig, sentence: str, url: str) -> None:
    rig = make_rig("webhook")
    outcome = rig.send(settings={**rig.settings, "url": url})
    assert isinstance(outcome, Permanent), sentence
    assert url not in outcome.reason, "it is a secret"


# ---- http_config ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "config", "header", "value"),
    [
        (
            "basic",
            {"basic_auth": {"username": "u", "password": "p"}},
            "authorization",
            "Basic " + base64.b64encode(b"u:p").decode(),
        ),
        ("bearer", {"authorization": {"type": "Bearer", "credentials": "t0ken\n"}}, "authorization", "Bearer t0ken"),
        ("another scheme", {"authorization": {"type": "ApiKey", "credentials": "k"}}, "authorization", "ApiKey k"),
        (
            "any header, its parts together",
            {"http_headers": {"X-Team": {"values": ["a"], "secrets": ["b"], "files": ["c\n"]}}},
            "x-team",
            "a, b, c",
        ),
    ],
)
@pytest.mark.parametrize("name", ["webhook", "slack-webhook", "pagerduty"])
def test_http_config_proves_who_we_are(
    make_rig: MakeRig, name: str, sentence: str, config: Mapping[str, Any], header: str, value: str
) -> None:
    rig = make_rig(name)
    assert isinstance(rig.send(settings={**rig.settings, "http_config": config}), Sent), sentence
    assert rig.vendor.requests[0].headers[header] == value, sentence


class TokenVendor(WebhookVendor):
    """Gives tokens by client credentials, and takes webhooks that bear one."""

    def answer(self, request: Request) -> Response:
        if request.path != "/token":
            return super().answer(request)
        basic = "Basic " + base64.b64encode(b"client:oauth-secret").decode()
        if request.headers.get("authorization") != basic or request.form()["grant_type"] != "client_credentials":
            return Response(401, {"error": "invalid_client"})
        return Response(200, {"access_token": f"token-for-{request.form()['scope']}"})


@pytest.mark.parametrize(("secret", "kind"), [("oauth-secret", Sent), ("wrong-secret", Retry)])
def test_oauth2_fetches_a_token_first(make_rig: MakeRig, secret: str, kind: type[Outcome]) -> None:
    rig = make_rig("webhook")
    with TokenVendor() as vendor:
        oauth2 = {
            "client_id": "client",
            "client_secret": secret,
            "token_url": f"{vendor.url}/token",
            "scopes": ["alerts"],
        }
        outcome = rig.send(settings={**rig.settings, "url": f"{vendor.url}/hook", "http_config": {"oauth2": oauth2}})
    assert isinstance(outcome, kind)
    if isinstance(outcome, Retry):
        assert not outcome.maybe, "the webhook itself was never called"
        assert secret not in outcome.reason
    else:
        assert vendor.requests[-1].headers["authorization"] == "Bearer token-for-alerts"


class Redirecting(WebhookVendor):
    def answer(self, request: Request) -> Response:
        if request.path == "/old":
            return Response(307, "", {"Location": f"{self.url}/new"})
        return super().answer(request)


@pytest.mark.parametrize(("follow", "kind"), [(True, Sent), (False, Permanent)])
def test_redirects_are_followed_if_that_is_wanted(make_rig: MakeRig, follow: bool, kind: type[Outcome]) -> None:
    rig = make_rig("webhook")
    with Redirecting() as vendor:
        config = {"follow_redirects": follow}
        outcome = rig.send(settings={**rig.settings, "url": f"{vendor.url}/old", "http_config": config})
    assert isinstance(outcome, kind)
    assert bool(vendor.bodies) is follow


def test_a_proxy_is_used_unless_the_host_is_exempt(make_rig: MakeRig) -> None:
    rig = make_rig("webhook")
    with WebhookVendor() as proxy:
        config: dict[str, Any] = {"proxy_url": proxy.url}
        away = {**rig.settings, "url": "http://alerts.example.invalid/hook"}
        assert isinstance(rig.send(settings={**away, "http_config": config}), Sent)
        config["no_proxy"] = "example.invalid"
        outcome = rig.send(settings={**away, "http_config": config})
    assert len(proxy.bodies) == 1
    assert isinstance(outcome, Retry)
    assert "does not resolve" in outcome.reason


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


def encrypted(rig: Rig, certificate: Path, *, client: bool = False) -> str:
    """Put the rig's vendor behind TLS; with ``client`` it asks for our certificate too."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED if client else ssl.CERT_NONE
    server = rig.vendor._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"https://localhost:{rig.vendor.port}"


def tls_table(pem: str) -> list[tuple[str, dict[str, Any], bool]]:
    key, _, certificate = pem.partition("-----BEGIN CERTIFICATE-----")
    ours = {"ca": pem, "cert": "-----BEGIN CERTIFICATE-----" + certificate, "key": key}
    return [
        ("nobody trusts it", {}, False),
        ("its CA is trusted", {"ca": pem}, True),
        ("anybody is trusted", {"insecure_skip_verify": True}, True),
        ("it is not who we want", {"ca": pem, "server_name": "elsewhere.example.org"}, False),
        ("a client certificate is shown where it is not asked for", ours, True),
    ]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # that is what the setting is for
@pytest.mark.parametrize(
    ("name", "row"),
    [
        (name, row)
        for name in ("webhook", "pagerduty", "slack-webhook", "zendesk")
        for row in range(5)
        if (name, row) != ("slack-webhook", 3)  # urllib, below slack-sdk, verifies the URL's own host name only
    ],
)
def test_tls_config_decides_whom_we_trust(make_rig: MakeRig, certificate: Path, name: str, row: int) -> None:
    sentence, tls, trusted = tls_table(certificate.read_text())[row]
    rig = make_rig(name)
    plain = rig.vendor.url
    url = encrypted(rig, certificate)
    where = {key: value.replace(plain, url) for key, value in rig.settings.items() if isinstance(value, str)}
    if name == "zendesk":
        where["url"] = url.replace("localhost", "127.0.0.1")
    outcome = rig.send(settings={**rig.settings, **where, "http_config": {"tls_config": tls}})
    assert isinstance(outcome, Sent) is trusted, (sentence, outcome)
    if not trusted:
        assert isinstance(outcome, Retry)
        assert not outcome.maybe
        assert "certificate" in outcome.reason
        assert not rig.told()


@pytest.mark.parametrize("name", ["webhook", "pagerduty"])
def test_a_client_certificate_is_shown_where_it_is_asked_for(make_rig: MakeRig, certificate: Path, name: str) -> None:
    rig = make_rig(name)
    plain = rig.vendor.url
    url = encrypted(rig, certificate, client=True)
    tls = tls_table(certificate.read_text())[-1][1]
    where = {key: value.replace(plain, url) for key, value in rig.settings.items() if isinstance(value, str)}
    assert isinstance(rig.send(settings={**rig.settings, **where, "http_config": {"tls_config": tls}}), Sent)
    without = {"tls_config": {"ca": tls["ca"]}}
    assert isinstance(rig.send(settings={**rig.settings, **where, "http_config": without}), Retry)


def test_the_url_is_kept_out_of_reasons_in_every_part(make_rig: MakeRig) -> None:
    rig = make_rig("webhook")
    rig.fault(status=404, body=f"cannot POST /hooks/{SECRET}")
    outcome = rig.send()
    assert isinstance(outcome, Permanent)
    assert SECRET not in outcome.reason
    assert "cannot POST" in outcome.reason
