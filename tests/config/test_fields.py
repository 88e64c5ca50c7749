from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError
from tocsin.config.fields import (
    AnyYaml,
    Bool,
    Duration,
    GoDuration,
    HttpConfig,
    Int,
    Quoted,
    SecretText,
    Settings,
    Strict,
    TlsConfig,
)
from tocsin.model import MINUTE, SECOND


class Sample(Strict):
    flag: Bool = False
    count: Int = 0
    span: Duration = 0
    go_span: GoDuration = 0
    anything: AnyYaml = None
    secret: SecretText | None = None


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("flag", "yes", True),
        ("flag", "OFF", False),
        ("flag", True, True),
        ("count", "5", 5),
        ("count", "0x1F", 31),
        ("count", "010", 8),
        ("count", "08", 8),
        ("count", "5.0", 5),
        ("count", "1_000", 1000),
        ("count", "-3", -3),
        ("span", "5m", 5 * MINUTE),
        ("span", 7, 7),
        ("go_span", "1.5s", 3 * SECOND // 2),
        ("anything", "5", 5),
        ("anything", Quoted("5"), "5"),
        ("anything", {"a": ["yes", "1.5", "x", {"b": "0x10"}]}, {"a": [True, 1.5, "x", {"b": 16}]}),
        ("secret", {"$file": "/x"}, {"$file": "/x"}),
    ],
)
def test_text_gets_the_type_that_the_field_asks_for(name: str, given: Any, read: Any) -> None:
    value = getattr(Sample.model_validate({name: given}), name)
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("flag", "maybe", '"maybe" is neither true nor false'),
        ("flag", Quoted("true"), "write true or false, without quotes"),
        ("flag", [], "must be true or false"),
        ("count", "many", '"many" is not a whole number'),
        ("count", "1.5", "is not a whole number"),
        ("count", Quoted("5"), "without quotes"),
        ("span", "5", "not a valid duration"),
        ("go_span", "5d", "not a valid duration"),
        ("secret", "hunter2", "a secret must be text"),
        ("secret", {"$secret": "x", "more": "y"}, "a secret must be text"),
    ],
)
def test_what_does_not_fit_is_a_sentence(name: str, given: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({name: given})
    assert sentence in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"basic_auth": {}, "oauth2": {"client_id": "x", "token_url": "y"}}, "at most one of basic_auth and oauth2"),
        ({"bearer_token": {"$secret": "x"}, "authorization": {}}, "at most one of authorization and bearer_token"),
        ({"oauth2": {"client_id": "x"}}, "oauth2 token_url must be configured"),
        ({"no_proxy": "x"}, "proxy_url must also be configured"),
        ({"proxy_from_environment": "true", "proxy_url": {"$secret": "x"}}, "proxy_url must not be configured"),
        ({"proxy_from_environment": "true", "no_proxy": "x"}, "no_proxy must not be configured"),
        ({"proxy_connect_header": {"a": [{"$secret": "x"}]}}, "must also be configured"),
        ({"tls_config": {"min_version": "TLS14"}}, "unknown TLS version"),
        ({"tls_config": {"cert": "x"}}, "a client certificate needs both"),
    ],
)
def test_http_config_refuses_what_prometheus_refuses(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HttpConfig.model_validate(settings)
    assert sentence in caught.value.errors()[0]["msg"]


def test_a_bearer_token_becomes_an_authorization() -> None:
    read = HttpConfig.model_validate({"bearer_token": {"$secret": "x"}})
    assert read.authorization is not None
    assert (read.authorization.type, read.authorization.credentials) == ("Bearer", {"$secret": "x"})
    assert read.bearer_token is None


def test_a_certificate_may_be_text_or_a_file() -> None:
    read = TlsConfig.model_validate({"ca": "PEM", "cert": {"$file": "/c"}, "key": {"$secret": "k"}})
    assert (read.ca, read.cert, read.key) == ("PEM", {"$file": "/c"}, {"$secret": "k"})


def test_globals_fill_only_what_is_unset() -> None:
    class Channel(Settings):
        globals_: ClassVar[dict[str, str]] = {"url": "channel_url", "key": "channel_key"}
        url: str = "default"
        key: str = "default"
        http_config: HttpConfig | None = None

    global_ = {"channel_url": "global", "channel_key": None, "http_config": {"no_proxy": ""}}
    assert Channel.with_globals({}, global_) == {"url": "global", "http_config": {"no_proxy": ""}}
    assert Channel.with_globals({"url": "own", "http_config": {}}, global_) == {"url": "own", "http_config": {}}
