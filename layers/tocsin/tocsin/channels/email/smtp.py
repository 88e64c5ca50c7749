"""SMTP as Alertmanager's settings describe it: STARTTLS or implicit TLS, CRAM-MD5, PLAIN or LOGIN."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tocsin.channels.failures import network_failure
from tocsin.channels.tls import tls_context
from tocsin.channels.wire import secrets_of, spoken
from tocsin.model import MINUTE
from tocsin.ports import Outcome, Permanent, Retry, Sent, Throttled

IMPLICIT_TLS_PORT = 465  # https://www.rfc-editor.org/rfc/rfc8314#section-3.3
PERMANENT_FROM = 500  # https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
THROTTLED = frozenset((421, 454))
THROTTLE_WAIT = MINUTE
LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))

Settings = Mapping[str, Any]


class SmtpTransport:
    """One session with the smarthost."""

    stops: ClassVar[frozenset[str]] = frozenset(("530", "535"))  # it does not know us

    def __init__(self, settings: Settings, timeout: float) -> None:
        self._settings, self._timeout = settings, timeout
        self._client: smtplib.SMTP | None = None
        self._secrets = secrets_of(settings, "auth_password", "auth_secret")

    def open(self) -> Outcome | None:
        """Connect, encrypt and log in; an outcome is why that failed (nothing was sent then)."""
        try:
            self._client = self._connect()
            return self._encrypt(self._client) or self._log_in(self._client)
        except smtplib.SMTPResponseException as error:
            return self._refused(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            failure = network_failure("email", error)
            return Retry(failure.reason, failure.status)

    def close(self) -> None:
        """End the session, politely if it still lives."""
        if self._client is not None:
            try:
                self._client.quit()
            except (OSError, smtplib.SMTPException):
                self._client.close()

    def deliver(self, sender: str, recipient: str, identity: str, message: bytes) -> Outcome:
        """Hand one message over for one recipient."""
        client = self._client
        if client is None:
            return Retry("email: not connected")
        options = [] if (sender + recipient).isascii() else ["SMTPUTF8"]
        try:
            steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
                lambda: client.mail(sender, options),
                lambda: client.rcpt(recipient),
            )
            for step in steps:
                code, words = step()
                if code not in {250, 251}:
                    self._reset(client)
                    return self._refused(code, words)
        except (OSError, smtplib.SMTPException) as error:
            return Retry(network_failure("email", error).reason)  # no message was handed over
        try:
            code, words = client.data(message)
        except smtplib.SMTPResponseException as error:
            self._reset(client)
            return self._refused(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return Retry(network_failure("email", error).reason, maybe=True)  # the server may have taken it
        return Sent({}, str(code), identity) if code == 250 else self._refused(code, words)  # noqa: PLR2004 (RFC 5321)

    def _reset(self, client: smtplib.SMTP) -> None:
        try:
            client.rset()
        except (OSError, smtplib.SMTPException):
            client.close()

    def _connect(self) -> smtplib.SMTP:
        host, _, port = str(self._settings.get("smarthost") or "").rpartition(":")
        host, number = host.strip("[]") or "localhost", int(port)
        hello = str(self._settings.get("hello") or "") or None
        implicit = self._settings.get("force_implicit_tls")
        if number == IMPLICIT_TLS_PORT if implicit is None else implicit:
            context = tls_context(self._settings.get("tls_config"))
            return smtplib.SMTP_SSL(host, number, hello, timeout=self._timeout, context=context)
        return smtplib.SMTP(host, number, hello, timeout=self._timeout)

    def _encrypt(self, client: smtplib.SMTP) -> Outcome | None:
        client.ehlo_or_helo_if_needed()
        if isinstance(client, smtplib.SMTP_SSL) or not self._settings.get("require_tls", True):
            return None
        if not client.has_extn("starttls"):
            return Permanent("email: require_tls is true, but the smarthost does not offer STARTTLS")
        tls = self._settings.get("tls_config") or {}
        if tls.get("server_name"):
            client._host = tls["server_name"]  # type: ignore[attr-defined]  # noqa: SLF001 (what smtplib verifies against)
        client.starttls(context=tls_context(tls))
        client.ehlo()
        return None

    def _log_in(self, client: smtplib.SMTP) -> Outcome | None:
        """Use the first mechanism on offer that we have the secret for."""
        user = str(self._settings.get("auth_username") or "")
        if not user or not client.has_extn("auth"):
            return None
        password = str(self._settings.get("auth_password") or "").strip()
        secret = str(self._settings.get("auth_secret") or "").strip()
        identity = str(self._settings.get("auth_identity") or "")
        host = str(self._settings.get("smarthost") or "").rpartition(":")[0].strip("[]")
        encrypted = isinstance(client, smtplib.SMTP_SSL) or client.sock.__class__.__name__ == "SSLSocket"
        plain = f"{identity}\0{user}\0{password}"
        for mechanism in client.esmtp_features["auth"].split():
            client.user, client.password = user, password  # where smtplib looks
            if mechanism == "CRAM-MD5" and secret:
                client.password = secret
                client.auth(mechanism, client.auth_cram_md5)
                return None
            if mechanism in {"PLAIN", "LOGIN"} and password:
                if not encrypted and host not in LOCAL:
                    return Permanent("email: a password is not sent unencrypted: let the smarthost offer STARTTLS")
                client.auth(mechanism, (lambda _=None: plain) if mechanism == "PLAIN" else client.auth_login)
                return None
        return Permanent("email: no secret is set for any way to log in that the smarthost offers")

    def _refused(self, code: int, words: bytes | str) -> Outcome:
        said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        reason = spoken(f"email: the server answered {code} {said}", self._secrets)
        if code in THROTTLED:
            return Throttled(THROTTLE_WAIT, reason, str(code))
        if code >= PERMANENT_FROM:
            return Permanent(reason, str(code))
        return Retry(reason, str(code))
