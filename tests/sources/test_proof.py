"""Who may send: each proof with what is right, what is wrong, and what nobody expects in a header."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tocsin
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.errors import ProofError, SecretError, StoreBusyError
from tocsin.model import MINUTE, SECOND
from tocsin.sources.proof import prove

NOW = 1_793_700_000 * SECOND
SECRETS = {
    "token": "s3cr3t-Tök€n",
    "plain": "right",
    "old": "yesterday",
    "empty": "",
    "newline": "right\n",
    "latin": "pässword",
}


def ref(name: str) -> dict[str, str]:
    return {"$secret": name}


def look_up(reference: Any) -> str:
    name = reference.get("$secret") or reference.get("$file")
    if name not in SECRETS:
        raise SecretError(f"no secret named {name}")
    return SECRETS[name]


def outcome(auth: Any, headers: Mapping[str, str] | None = None, body: bytes = b"{}", path_token: str = "") -> str:
    return prove(auth, body=body, headers=headers or {}, path_token=path_token, secret=look_up, now=NOW)


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


BEARER = {"type": "bearer", "token": ref("plain")}
UNICODE = {"type": "bearer", "token": ref("token")}
BASIC = {"type": "basic", "username": "böb", "password": ref("latin")}
PATH = {"type": "path", "token": ref("plain")}

LATIN_1 = "s3cr3t-Tök€n".encode().decode("latin-1")
FILE = {"type": "bearer", "token": {"$file": "newline"}}
TWO = {"type": "path", "token": [ref("old"), ref("plain")]}
ONE_GONE = {"type": "path", "token": [ref("gone"), ref("plain")]}

PROVEN = [
    ({"type": "none"}, {}, "", "none", "asked for nothing"),
    (BEARER, {"authorization": "Bearer right"}, "", "bearer", "the usual form"),
    (BEARER, {"authorization": "bearer   right "}, "", "bearer", "the scheme's case and spaces are no matter"),
    (FILE, {"authorization": "Bearer right"}, "", "bearer", "a file's last line break"),
    (UNICODE, {"authorization": "Bearer s3cr3t-Tök€n"}, "", "bearer", "a header read as UTF-8"),
    (UNICODE, {"authorization": f"Bearer {LATIN_1}"}, "", "bearer", "and one read as Latin-1"),
    (BASIC, {"authorization": basic("böb:pässword".encode())}, "", "basic", "UTF-8 credentials"),
    (BASIC, {"authorization": basic("böb:pässword".encode("latin-1"))}, "", "basic", "Latin-1 credentials"),
    (PATH, {}, "right", "path token", "the token in the path"),
    ([PATH, BEARER], {"authorization": "Bearer right"}, "", "bearer", "any of several proofs"),
    (TWO, {}, "yesterday", "path token", "the old secret while it is rotated"),
    (TWO, {}, "right", "path token", "and the new one"),
    (ONE_GONE, {}, "right", "path token", "one that cannot be had hides no other"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("auth", "headers", "token", "expected", "sentence"), PROVEN, ids=[case[-1] for case in PROVEN]
)
def test_proven(auth: Any, headers: dict[str, str], token: str, expected: str, sentence: str) -> None:
    assert outcome(auth, headers, path_token=token) == expected, sentence


REFUSED = [
    (BEARER, {}, "", "the Authorization header is missing; bearer credentials were expected"),
    (BEARER, {"authorization": ""}, "", "the Authorization header is missing"),
    (BEARER, {"authorization": "Bearer"}, "", "not of the form the source asks for"),
    (BEARER, {"authorization": "Bearer  "}, "", "not of the form the source asks for"),
    (BEARER, {"authorization": "right"}, "", "not of the form the source asks for"),
    (BEARER, {"authorization": "Basic right"}, "", "not of the form the source asks for"),
    (BEARER, {"authorization": "Bearer wrong"}, "", "the bearer token is not the right one"),
    (BEARER, {"authorization": "Bearer righ"}, "", "the bearer token is not the right one"),
    (BEARER, {"authorization": "Bearer right2"}, "", "the bearer token is not the right one"),
    (BEARER, {"authorization": "Bearer r\u00ffght"}, "", "the bearer token is not the right one"),
    (BEARER, {"authorization": "Bearer \ud800"}, "", "the bearer token is not the right one"),
    (BEARER, {"authorization": "Bearer 🔔"}, "", "the bearer token is not the right one"),
    (BEARER, {}, "right", "the Authorization header is missing"),
    (BASIC, {"authorization": "Basic ???"}, "", "the basic credentials are not base64"),
    (BASIC, {"authorization": "Basic bø"}, "", "the basic credentials are not base64"),
    (BASIC, {"authorization": basic(b"")}, "", "not of the form the source asks for"),
    (BASIC, {"authorization": basic(b"no colon")}, "", "user name or password are not the right ones"),
    (BASIC, {"authorization": basic("böb:wrong".encode())}, "", "user name or password are not the right ones"),
    (BASIC, {"authorization": basic("bob:pässword".encode())}, "", "user name or password are not the right ones"),
    (BASIC, {"authorization": basic("böb:".encode())}, "", "user name or password are not the right ones"),
    (BASIC, {"authorization": basic(b"\xff\x00:\xfe")}, "", "user name or password are not the right ones"),
    (PATH, {}, "", "the path lacks its token"),
    (PATH, {"authorization": "Bearer right"}, "", "the path lacks its token"),
    (PATH, {}, "Right", "the token in the path is not the right one"),
    ([BEARER, PATH], {}, "wrong", "Authorization header is missing; .* the token in the path is not the right one"),
    ([], {}, "", "no proof of the sender is configured"),
    ({}, {}, "", "a kind of proof that is not known"),
    ({"type": "palm reading"}, {}, "", "a kind of proof that is not known"),
]


@pytest.mark.parametrize(("auth", "headers", "token", "sentence"), REFUSED)
def test_refused_with_a_sentence(auth: Any, headers: dict[str, str], token: str, sentence: str) -> None:
    with pytest.raises(ProofError, match=sentence) as refusal:
        outcome(auth, headers, path_token=token)
    said = str(refusal.value)
    assert not any(value and value.strip() in said.replace("right one", "") for value in SECRETS.values())
    assert "wrong" not in said


@pytest.mark.parametrize("auth", [BEARER, BASIC, PATH])
def test_an_empty_secret_proves_nothing(auth: dict[str, Any]) -> None:
    key = "password" if auth["type"] == "basic" else "token"
    for given_ in ("", "Bearer ", basic("böb:".encode())):
        with pytest.raises(SecretError, match="missing or empty"):
            outcome(auth | {key: ref("empty")}, {"authorization": given_})


def test_a_secret_that_cannot_be_had_is_our_fault_and_no_refusal() -> None:
    """A 401 would lose the alert of a sender that may well be right."""
    with pytest.raises(SecretError, match="no secret named gone"):
        outcome([PATH, {"type": "path", "token": ref("gone")}], path_token="wrong")


def test_what_the_look_up_raises_of_its_own_comes_through() -> None:
    def busy(_: Any) -> str:
        raise StoreBusyError("throttled")

    with pytest.raises(StoreBusyError):
        prove(PATH, body=b"", headers={}, path_token="right", secret=busy, now=NOW)


@pytest.mark.parametrize("reference", [{"$secret": "plain"}, {"$file": "plain"}, "plain"])
def test_secrets_may_be_given_as_a_mapping(reference: Any) -> None:
    auth = {"type": "path", "token": reference}
    assert prove(auth, body=b"", headers={}, path_token="right", secret=SECRETS, now=NOW) == "path token"
    with pytest.raises(SecretError):
        prove(auth, body=b"", headers={}, path_token="right", secret={}, now=NOW)


BODY = b'{"alerts": []}\xff\x00'  # raw bytes, whatever they are


def signature(body: bytes = BODY, key: str = "right", algorithm: str = "sha256") -> bytes:
    return hmac.new(key.encode(), body, getattr(hashlib, algorithm)).digest()


HEX = {"type": "hmac", "secret": ref("plain"), "header": "X-Signature"}
BASE64 = HEX | {"encoding": "base64"}
GITHUB = HEX | {"prefix": "sha256="}
ROTATED = HEX | {"prefix": "v1=", "secret": [ref("old"), ref("plain")]}
STAMPED = HEX | {"timestamp_header": "X-Timestamp"}
SECONDS = str(NOW // SECOND)

SIGNED = [
    (HEX, signature().hex(), "", True, "bare hex"),
    (HEX, signature().hex().upper(), "", True, "in capitals"),
    (HEX, f"  {signature().hex()} ", "", True, "with spaces around"),
    (HEX, f"{'0' * 64}, {signature().hex()}", "", True, "the second of two"),
    (HEX, ",".join(["00"] * 40 + [signature().hex()]), "", False, "one behind a crowd"),
    (HEX | {"algorithm": "sha1"}, signature(algorithm="sha1").hex(), "", True, "another algorithm"),
    (HEX | {"algorithm": "sha1"}, signature().hex(), "", False, "the wrong algorithm"),
    (HEX | {"algorithm": "rot13"}, signature().hex(), "", False, "no algorithm at all"),
    (BASE64, base64.b64encode(signature()).decode(), "", True, "base64"),
    (BASE64, signature().hex(), "", False, "hex where base64 was agreed on"),
    (HEX, base64.b64encode(signature()).decode(), "", False, "base64 where hex was agreed on"),
    (GITHUB, f"sha256={signature().hex()}", "", True, "with its prefix"),
    (GITHUB, signature().hex(), "", False, "without its prefix"),
    (GITHUB, f"sha1={signature().hex()}", "", False, "with another prefix"),
    (ROTATED, f"v0={signature().hex()},v1={signature(key='yesterday').hex()}", "", True, "the old key"),
    (ROTATED, f"v1={'ab' * 32},v1={signature().hex()}", "", True, "the new key"),
    (ROTATED, f"v0={signature().hex()}", "", False, "another version of the scheme"),
    (HEX, signature(BODY + b" ").hex(), "", False, "another body"),
    (HEX, signature(key="wrong").hex(), "", False, "another key"),
    (HEX, signature().hex()[:-2], "", False, "cut off"),
    (HEX, signature().hex() + "00", "", False, "too long"),
    (HEX, "", "", False, "empty"),
    (HEX, ",,,", "", False, "only commas"),
    (HEX, "zz" * 32, "", False, "no hex"),
    (HEX, "ł" * 64, "", False, "no ASCII"),
    (HEX, "\ud800", "", False, "a lone surrogate"),
    (GITHUB, "sha256=", "", False, "only the prefix"),
    (STAMPED, signature(f"{SECONDS}:".encode() + BODY).hex(), SECONDS, True, "with its time"),
    (STAMPED, signature().hex(), SECONDS, False, "a time that is not signed"),
    (STAMPED, signature(f"{SECONDS}:".encode() + BODY).hex(), str(int(SECONDS) + 1), False, "another time"),
    (STAMPED, signature(f"{SECONDS}:".encode() + BODY).hex(), "", False, "no time"),
    (STAMPED, signature(b"soon:" + BODY).hex(), "soon", False, "a time that is none"),
    (STAMPED, signature("١٢٣:".encode() + BODY).hex(), "١٢٣", False, "digits that are not ours"),
]


@pytest.mark.parametrize(("auth", "header", "stamp", "good", "sentence"), SIGNED, ids=[case[-1] for case in SIGNED])
def test_signatures(auth: Any, header: str, stamp: str, good: bool, sentence: str) -> None:
    headers = {"x-signature": header} | ({"x-timestamp": stamp} if stamp else {})
    if good:
        assert outcome(auth, headers, BODY) == "hmac", sentence
    else:
        with pytest.raises(ProofError):
            outcome(auth, headers, BODY)


def test_a_missing_signature_names_the_header_that_was_expected() -> None:
    with pytest.raises(ProofError, match="the header x-signature is missing"):
        outcome(HEX, {}, BODY)


@pytest.mark.parametrize(
    ("age", "max_age", "good"),
    [
        (0, None, True),
        (299, None, True),
        (301, None, False),
        (-299, None, True),
        (-301, None, False),
        (60, MINUTE, True),
        (61, MINUTE, False),
    ],
)
def test_a_signed_time_must_be_near(age: int, max_age: int | None, good: bool) -> None:
    stamp = str(NOW // SECOND - age)
    headers = {"x-timestamp": stamp, "x-signature": signature(f"{stamp}:".encode() + BODY).hex()}
    auth = STAMPED | ({"max_age": max_age} if max_age else {})
    if good:
        assert outcome(auth, headers, BODY) == "hmac"
    else:
        with pytest.raises(ProofError, match="too far from now"):
            outcome(auth, headers, BODY)


PROOFS = [BEARER, UNICODE, BASIC, PATH, HEX, BASE64, GITHUB, ROTATED, STAMPED, HEX | {"header": "authorization"}]
header_texts = st.text(st.characters(codec=None), max_size=80)


@settings(max_examples=300, deadline=None)
@given(
    auth=st.sampled_from(PROOFS),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "x-signature", "x-timestamp"]),
        header_texts | st.builds("{} {}".format, st.sampled_from(["Bearer", "Basic", "sha256="]), header_texts),
    ),
    body=st.binary(max_size=50),
    token=header_texts,
)
def test_whatever_a_stranger_sends_is_refused(auth: Any, headers: dict[str, str], body: bytes, token: str) -> None:
    with pytest.raises(ProofError):
        outcome(auth, headers, body, "" if token == "right" else token)


@settings(max_examples=100, deadline=None)
@given(
    key=st.text(min_size=1).filter(lambda key: key.strip("\r\n") == key),
    body=st.binary(),
    encoding=st.sampled_from(["hex", "base64"]),
)
def test_what_was_signed_with_the_key_is_proven(key: str, body: bytes, encoding: str) -> None:
    raw = hmac.digest(key.encode("utf-8", "surrogatepass"), body, "sha256")
    header = raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()
    auth = HEX | {"encoding": encoding}
    assert (
        prove(auth, body=body, headers={"x-signature": header}, path_token="", secret={"plain": key}, now=NOW) == "hmac"
    )


def test_receive_pays_only_for_the_standard_library() -> None:
    """It lies on the cold path of a Lambda that Sentry gives one second."""
    root = str(Path(tocsin.__file__).parents[1])
    code = (
        f"import sys; sys.path.insert(0, {root!r}); import tocsin.sources.proof; "
        "print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    found = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert sorted(found.stdout.split()) == ["__main__", "tocsin"]
