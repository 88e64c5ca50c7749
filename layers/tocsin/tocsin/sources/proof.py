"""Who sent this: the proof of a sender, over the raw bytes and in constant time.

On the cold path of ``receive``: standard library only.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from tocsin.errors import ProofError, SecretError
from tocsin.model import MINUTE, SECOND, Instant, Span

SecretLookup: TypeAlias = "Callable[[Any], str] | Mapping[str, str]"

# How old a signed timestamp may be; the span Slack recommends against replays.
# https://docs.slack.dev/authentication/verifying-requests-from-slack/
MAX_AGE: Span = 5 * MINUTE
_SIGNATURES = 16  # more than any rotation needs; a header of thousands is not worth the work
_ALGORITHMS = frozenset({"sha1", "sha256", "sha384", "sha512"})
_SECRET_KEY = {"bearer": "token", "basic": "password", "path": "token", "hmac": "secret"}
_SECONDS = re.compile(r"[0-9]{1,12}")


class _Request(NamedTuple):
    body: bytes
    headers: Mapping[str, str]
    path_token: str
    now: Instant


def prove(
    auth: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    body: bytes,
    headers: Mapping[str, str],
    path_token: str,
    secret: SecretLookup,
    now: Instant,
) -> str:
    """Let a sender prove who it is; a list of proofs asks for any one of them, so that secrets can be rotated.

    Args:
        auth: a source's ``auth`` from the plan (``config.plan.SourceSettings``), or a list of such. ``token``,
            ``password`` and ``secret`` may each be a list of references too.
        body: the raw body, base64-decoded if the gateway had encoded it.
        headers: names in lower case.
        path_token: the path's last segment after the source, or the empty text.
        secret: turns a reference (``{"$secret": name}``, ``{"$file": path}``) into its value; or values by name.
        now: for signatures that carry a timestamp.

    Returns the proof that held: ``bearer``, ``basic``, ``path token``, ``hmac`` or ``none``.

    Raises ``ProofError`` with a sentence that tells the sender nothing it did not know; ``SecretError`` (or whatever
    ``secret`` raises) when no proof held and a secret could not be had, for that is our fault and no 401.
    """
    asked = [auth] if isinstance(auth, Mapping) else auth
    refusals: list[str] = []
    unknown: SecretError | None = None
    for wanted in (single for each in asked for single in _singles(each)):
        try:
            return _prove_one(wanted, _Request(body, headers, path_token, now), secret)
        except ProofError as refusal:
            refusals.append(str(refusal))
        except SecretError as error:
            unknown = error
    if unknown is not None:
        raise unknown
    raise ProofError("; ".join(dict.fromkeys(refusals)) or "no proof of the sender is configured for this source")


def _singles(wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Turn a proof with several secrets into one proof a secret, so that one that cannot be had hides no other."""
    key = _SECRET_KEY.get(str(wanted.get("type")), "")
    refs = wanted.get(key)
    return [{**wanted, key: ref} for ref in refs] if isinstance(refs, list | tuple) else [wanted]


def _prove_one(wanted: Mapping[str, Any], request: _Request, secret: SecretLookup) -> str:
    kind = wanted.get("type")
    if kind == "none":
        return "none"
    if kind not in _SECRET_KEY:
        raise ProofError("this source asks for a kind of proof that is not known")
    key = _value(wanted.get(_SECRET_KEY[kind]), secret)
    if kind == "bearer":
        return _bearer(key, request.headers)
    if kind == "basic":
        return _basic(str(wanted.get("username", "")).encode(), key, request.headers)
    if kind == "path":
        return _path(key, request.path_token)
    return _hmac(wanted, key, request)


def _bearer(token: bytes, headers: Mapping[str, str]) -> str:
    if not _equal(token, _encodings(_credentials(headers, "bearer"))):
        raise ProofError("the bearer token is not the right one")
    return "bearer"


def _basic(username: bytes, password: bytes, headers: Mapping[str, str]) -> str:
    try:
        pair = base64.b64decode(_credentials(headers, "basic").encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("the basic credentials are not base64") from None
    # RFC 7617 leaves the charset open: a sender may have written Latin-1.
    if not _equal(username + b":" + password, [pair, pair.decode("latin-1").encode()]):
        raise ProofError("user name or password are not the right ones")
    return "basic"


def _path(token: bytes, path_token: str) -> str:
    if not path_token:
        raise ProofError("the path lacks its token; post to /webhooks/<source>/<token>")
    if not _equal(token, _encodings(path_token)):
        raise ProofError("the token in the path is not the right one")
    return "path token"


def _hmac(wanted: Mapping[str, Any], key: bytes, request: _Request) -> str:
    name = str(wanted.get("header", "")).lower()
    header = request.headers.get(name, "")
    if not header:
        raise ProofError(f"the header {name or 'of the signature'} is missing")
    algorithm = str(wanted.get("algorithm") or "sha256")
    if algorithm not in _ALGORITHMS:
        raise ProofError("this source asks for a signature algorithm that is not known")
    signed = _timestamp(wanted, request.headers, request.now) + request.body
    given = _signatures(header, str(wanted.get("prefix") or ""), str(wanted.get("encoding") or "hex"))
    if not given:
        raise ProofError(f"the header {name} holds no signature that can be read")
    if not _equal(hmac.digest(key, signed, algorithm), given):
        raise ProofError("the signature does not fit the body")
    return "hmac"


def _timestamp(wanted: Mapping[str, Any], headers: Mapping[str, str], now: Instant) -> bytes:
    """Give what is signed before the body, ``ts:``, where the source signs its time; refuse what is old or ahead."""
    name = str(wanted.get("timestamp_header") or "").lower()
    if not name:
        return b""
    stamped = headers.get(name, "").strip()
    if not _SECONDS.fullmatch(stamped):
        raise ProofError(f"the header {name} with the seconds since 1970 is missing or no number")
    max_age = wanted.get("max_age")
    if abs(now - int(stamped) * SECOND) > (max_age if isinstance(max_age, int) else MAX_AGE):
        raise ProofError(f"the time in the header {name} is too far from now")
    return stamped.encode("ascii") + b":"


def _signatures(header: str, prefix: str, encoding: str) -> list[bytes]:
    """Read the signatures of a header, several separated by commas; those of another prefix are another scheme's."""
    found: list[bytes] = []
    for part in header.split(",")[:_SIGNATURES]:
        signature = part.strip()
        if not signature.startswith(prefix):
            continue
        try:
            raw = signature[len(prefix) :].encode("ascii")
            found.append(base64.b64decode(raw, validate=True) if encoding == "base64" else binascii.unhexlify(raw))
        except (binascii.Error, ValueError):
            continue
    return [signature for signature in found if signature]


def _credentials(headers: Mapping[str, str], scheme: str) -> str:
    header = headers.get("authorization", "")
    if not header:
        raise ProofError(f"the Authorization header is missing; {scheme} credentials were expected")
    said, _, credentials = header.strip().partition(" ")
    if said.lower() != scheme or not credentials.strip():
        raise ProofError(f"the Authorization header is not of the form the source asks for ({scheme})")
    return credentials.strip()


def _encodings(given: str) -> list[bytes]:
    """Give the bytes a text may have been: HTTP servers read header bytes as Latin-1, gateways as UTF-8."""
    readings = [given.encode("utf-8", "surrogatepass")]
    if not given.isascii() and max(given) <= "\xff":
        readings.append(given.encode("latin-1"))
    return readings


def _equal(right: bytes, given: Sequence[bytes]) -> bool:
    """Compare with each candidate, without stopping at the first that fits."""
    held = False
    for candidate in given:
        held |= hmac.compare_digest(right, candidate)
    return held


def _value(ref: object, secret: SecretLookup) -> bytes:
    """Look a secret up. A file's trailing line break is no part of it, and an empty one never proves anything."""
    if isinstance(secret, Mapping):
        name = next((ref[key] for key in ("$secret", "$file") if key in ref), "") if isinstance(ref, Mapping) else ref
        value = secret.get(str(name), "")
    else:
        value = secret(ref)
    value = value.rstrip("\r\n")
    if not value:
        raise SecretError("the secret that would prove this source's sender is missing or empty; set it")
    return value.encode("utf-8", "surrogatepass")
