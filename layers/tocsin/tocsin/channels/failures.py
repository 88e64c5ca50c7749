"""What became of a request that got no answer, and when to come back after one that says so."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from tocsin.model import HOUR, SECOND, Span
from tocsin.ports import Retry

LONGEST_WAIT = HOUR  # nobody waits longer for a vendor's word; the retry finds out
# The libraries' own names for "it never got there": urllib3, requests, httpx, botocore.
_NEVER_REACHED = frozenset(
    (
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ConnectTimeout",
        "ConnectError",
        "ProxyError",
        "UnsupportedProtocol",
        "InvalidURL",
        "MissingSchema",
        "EndpointConnectionError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "NoRegionError",
        "TokenError",
    )
)
_NO_ROUTE = frozenset((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EADDRNOTAVAIL))


def network_failure(vendor: str, error: BaseException) -> Retry:
    """Name a failure below HTTP, without the library's words: they may hold a secret URL.

    ``maybe`` is False only where the request cannot have left: the name does not resolve, the connection was refused or
    never came about, TLS was not agreed upon.
    """
    chain = tuple(_chain(error))
    return Retry(f"{vendor}: {_named(chain)}", maybe=not any(_never_reached(link) for link in chain))


def retry_after(headers: Mapping[str, str], default: Span) -> Span:
    """Read ``Retry-After``, seconds or a date (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)."""
    lower = {name.lower(): value for name, value in headers.items()}
    said = lower.get("retry-after", "").strip()
    try:
        wait = int(float(said) * SECOND)
    except (ValueError, OverflowError):
        try:
            until, now = parsedate_to_datetime(said), parsedate_to_datetime(lower.get("date", ""))
            wait = int((until - now).total_seconds()) * SECOND
        except (ValueError, TypeError):
            return default
    return min(max(wait, SECOND), LONGEST_WAIT)


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        related = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args)
        waiting.extend(part for part in related if isinstance(part, BaseException))


def _never_reached(link: BaseException) -> bool:
    if isinstance(link, socket.gaierror | ConnectionRefusedError):
        return True
    if isinstance(link, ssl.SSLError):
        return not isinstance(link, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    if isinstance(link, OSError) and link.errno in _NO_ROUTE:
        return True
    return any(kind.__name__ in _NEVER_REACHED for kind in type(link).__mro__)


def _named(chain: tuple[BaseException, ...]) -> str:
    for kind, name in (
        (socket.gaierror, "the name does not resolve"),
        (ssl.SSLCertVerificationError, "its certificate is not trusted"),
        (ssl.SSLError, "TLS could not be agreed upon"),
        (ConnectionRefusedError, "connection refused"),
        (ConnectionResetError, "connection reset"),
        (TimeoutError, "timed out"),
    ):
        if any(isinstance(link, kind) for link in chain):
            return name
    names = {kind.__name__ for link in chain for kind in type(link).__mro__}
    if names & {"NewConnectionError", "ConnectError", "EndpointConnectionError"}:
        return "could not connect"
    if any(name.endswith(("Timeout", "TimeoutError", "TimeoutException")) for name in names):
        return "timed out"
    if names & {
        "RemoteDisconnected", "RemoteProtocolError", "ProtocolError", "ConnectionClosedError", "SMTPServerDisconnected",
    }:  # fmt: skip
        return "the connection was closed without an answer"
    return type(chain[0]).__name__
