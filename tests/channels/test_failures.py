"""What became of a request without an answer, and when to come back."""

from __future__ import annotations

import base64
import errno
import socket
import ssl
import urllib.error

import httpx
import pytest
import requests
import urllib3
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from tocsin.channels.failures import LONGEST_WAIT, network_failure, retry_after
from tocsin.channels.wire import canonical, clip, secrets_of, spoken
from tocsin.model import SECOND

DATE = {"Date": "Mon, 24 Nov 2025 16:00:00 GMT"}


@pytest.mark.parametrize(
    ("sentence", "headers", "wait"),
    [
        ("seconds", {"Retry-After": "17"}, 17 * SECOND),
        ("in any case of letters", {"retry-AFTER": "17"}, 17 * SECOND),
        ("a fraction", {"Retry-After": "1.5"}, 3 * SECOND // 2),
        ("a date, by the vendor's own clock", {"Retry-After": "Mon, 24 Nov 2025 16:00:30 GMT", **DATE}, 30 * SECOND),
        ("a date without a clock to compare with", {"Retry-After": "Mon, 24 Nov 2025 16:00:30 GMT"}, 5 * SECOND),
        ("a date that has passed", {"Retry-After": "Mon, 24 Nov 2025 15:00:00 GMT", **DATE}, SECOND),
        ("nothing", {}, 5 * SECOND),
        ("nonsense", {"Retry-After": "soon"}, 5 * SECOND),
        ("not a number", {"Retry-After": "nan"}, 5 * SECOND),
        ("for ever", {"Retry-After": "inf"}, 5 * SECOND),
        ("zero is not at once", {"Retry-After": "0"}, SECOND),
        ("negative is not at once", {"Retry-After": "-3"}, SECOND),
        ("a year is too long", {"Retry-After": "31536000"}, LONGEST_WAIT),
    ],
)
def test_retry_after(sentence: str, headers: dict[str, str], wait: int) -> None:
    assert retry_after(headers, 5 * SECOND) == wait, sentence


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


NEW_CONNECTION = urllib3.exceptions.NewConnectionError(None, "no")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentence", "error", "maybe", "named"),
    [
        ("nobody listens", ConnectionRefusedError(), False, "connection refused"),
        ("a name that leads nowhere", socket.gaierror(), False, "the name does not resolve"),
        ("no way there", OSError(errno.EHOSTUNREACH, "no route"), False, "OSError"),
        ("a certificate nobody trusts", ssl.SSLCertVerificationError(), False, "its certificate is not trusted"),
        ("TLS that nobody speaks", ssl.SSLError(), False, "TLS could not be agreed upon"),
        ("TLS that ends in the middle", ssl.SSLEOFError(), True, "TLS could not be agreed upon"),
        ("a reset", ConnectionResetError(), True, "connection reset"),
        ("a broken pipe", BrokenPipeError(), True, "BrokenPipeError"),
        ("too late", TimeoutError(), True, "timed out"),
        ("urllib, refused", urllib.error.URLError(ConnectionRefusedError()), False, "connection refused"),
        ("urllib, reset", urllib.error.URLError(ConnectionResetError()), True, "connection reset"),
        ("httpx, no connection", httpx.ConnectError("no"), False, "could not connect"),
        ("httpx, a connection that never came", httpx.ConnectTimeout("no"), False, "timed out"),
        ("httpx, no answer in time", httpx.ReadTimeout("no"), True, "timed out"),
        ("requests, no connection", requests.ConnectionError(NEW_CONNECTION), False, "could not connect"),
        ("requests, a connection that never came", requests.ConnectTimeout(), False, "timed out"),
        ("requests, no answer in time", requests.ReadTimeout(), True, "timed out"),
        ("boto, no connection", EndpointConnectionError(endpoint_url="u"), False, "could not connect"),
        ("boto, nobody we could be", NoCredentialsError(), False, "NoCredentialsError"),
        ("any, wrapped by an SDK", caused(RuntimeError(), ConnectionRefusedError()), False, "connection refused"),
    ],
)
def test_a_network_failure_is_in_doubt_only_if_the_request_may_have_left(
    sentence: str, error: BaseException, maybe: bool, named: str
) -> None:
    failure = network_failure("vendor", error)
    assert (failure.maybe, failure.reason) == (maybe, f"vendor: {named}"), sentence


def test_a_failure_says_nothing_that_the_library_said() -> None:
    assert "secret" not in network_failure("vendor", OSError("https://host/secret failed")).reason


def test_errors_that_are_each_others_cause_do_not_loop() -> None:
    first, second = RuntimeError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert network_failure("vendor", first).maybe


def test_canonical_bytes_are_equal_for_equal_bodies() -> None:
    assert canonical({"b": 1, "a": ["ü"]}) == canonical({"a": ["ü"], "b": 1}) == b'{"a":["\\u00fc"],"b":1}'


@pytest.mark.parametrize(
    ("text", "limit", "cut"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abcd", 0, "…"), ("a\0b", 9, "ab")]
)
def test_clip(text: str, limit: int, cut: str) -> None:
    assert clip(text, limit) == cut


def test_secrets_are_found_in_settings_http_config_and_urls() -> None:
    config = {
        "authorization": {"type": "Bearer", "credentials": "credentials-1"},
        "basic_auth": {"username": "somebody", "password": "password-1"},
        "http_headers": {"X": {"values": [], "secrets": ["header-1"], "files": []}},
    }
    settings = {"url": "https://host.example/path/hook-id-1?q=query-1", "key": "k", "http_config": config}
    words = "credentials-1 password-1 header-1 hook-id-1 /path/hook-id-1 q=query-1 somebody Bearer k"
    assert spoken(words, secrets_of(settings, "url", "key")) == (
        "<secret> <secret> <secret> <secret> <secret> <secret> somebody Bearer k"
    )


@pytest.mark.parametrize(
    ("credentials", "sentence"),
    [
        (b"u:SECRETbasic", "padded"),
        (b"us:SECRETbasic", "otherwise padded"),
        (b"use:SECRETbasi", "without padding"),
        (b"a@example.org/token:SECRETbasi?>~", "as Zendesk wants them"),
    ],
)
def test_basic_credentials_that_a_vendor_repeats_are_no_words_of_its(credentials: bytes, sentence: str) -> None:
    for encoded in (base64.b64encode(credentials), base64.urlsafe_b64encode(credentials)):
        for text in (encoded.decode(), encoded.decode().rstrip("=")):
            said = spoken(f"you sent {{'Authorization': 'Basic {text}'}}", ["SECRETbasi"])
            assert said.replace("=", "") == "you sent {'Authorization': 'Basic <secret>'}", sentence
    assert spoken("cHVibGljLXRleHQ= 0123456789 /a/path/of/words x", ["SECRETbasi"]).startswith("cHVibGljLXRleHQ= 012")


def test_a_vendors_words_are_one_short_line() -> None:
    said = spoken("<html>\n\n" + "x" * 5000, ())
    assert "\n" not in said
    assert len(said) == 300
