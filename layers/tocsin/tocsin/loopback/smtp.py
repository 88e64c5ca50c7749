"""A mail server that takes everything: RFC 5321 with STARTTLS and AUTH, and faults by command."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tocsin.loopback.faults import Fault, Faults
from tocsin.loopback.http import POLL_SECONDS, READ_TIMEOUT, RESET
from tocsin.loopback.mail import Mail

LINE_LIMIT = 65_536
CHALLENGE = b"<loopback.challenge@127.0.0.1>"
_PATH = re.compile(r"<([^>]*)>")


class SmtpVendor:
    """A mail server. ``mails`` hold what it took, ``commands`` every command (secrets and all) in order."""

    def __init__(
        self, port: int = 0, *, users: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False, mechanisms: str = "CRAM-MD5 PLAIN LOGIN",
    ) -> None:  # fmt: skip
        """Ask these ``users`` (name → password) to log in, if any are given; offer STARTTLS with a ``tls`` context."""
        self.users = dict(users or {})
        self.tls = tls
        self.implicit_tls = implicit_tls
        self.mechanisms = mechanisms
        self.mails: list[Mail] = []
        self.commands: list[str] = []
        self.faults = Faults()
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True)

    @property
    def smarthost(self) -> str:
        """What ``smtp_smarthost`` is."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self.stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, vendor: SmtpVendor, port: int) -> None:
        self.vendor = vendor
        super().__init__(("127.0.0.1", port), _Session)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's signature)
        """Say nothing when a client hangs up."""


class _HangUp(Exception):  # noqa: N818 (not an error: the session is over)
    """The session is over; with ``reset`` it ends rudely."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class _Session(socketserver.StreamRequestHandler):
    server: _Server
    timeout = READ_TIMEOUT

    def setup(self) -> None:
        self.vendor = self.server.vendor
        self.encrypted = self.vendor.implicit_tls and self.vendor.tls is not None
        if self.encrypted and self.vendor.tls:
            self.request = self.vendor.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        self.sender = ""
        self.recipients: list[str] = []
        self.known = not self.vendor.users

    def handle(self) -> None:
        try:
            self.say(220, "loopback ESMTP")
            while True:
                self.obey(self.hear())
        except _HangUp as end:
            if end.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def finish(self) -> None:
        super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            self.request.close()  # the server knows only the socket that was wrapped

    def say(self, code: int, *lines: str) -> None:
        texts = lines or ("ok",)
        printed = [f"{code}{'-' if text is not texts[-1] else ' '}{text}\r\n" for text in texts]
        self.wfile.write("".join(printed).encode())

    def hear(self) -> str:
        line = self.rfile.readline(LINE_LIMIT)
        if not line:
            raise _HangUp
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        with self.vendor.lock:
            self.vendor.commands.append(line)
        if verb != "DATA" and self.faulty(verb):
            return
        command = getattr(self, f"do_{verb}", None)
        if command is None:
            self.say(502, "command not implemented")
        else:
            command(rest)

    def faulty(self, verb: str) -> bool:
        """Play a fault before acting; says whether it answered."""
        fault = self.vendor.faults.take(verb) or Fault()
        if fault.delay:
            self.vendor.stopping.wait(fault.delay)
        if fault.reset:
            raise _HangUp(reset=True)
        if fault.status:
            self.say(fault.status, str(fault.body or "not now"))
            if fault.status == 421:  # noqa: PLR2004 (RFC 5321: service closing)
                raise _HangUp
        return bool(fault.status)

    def do_EHLO(self, _: str) -> None:
        offers = ["loopback", "8BITMIME", "SMTPUTF8"]
        if self.vendor.tls and not self.encrypted:
            offers.append("STARTTLS")
        if self.vendor.users:
            offers.append(f"AUTH {self.vendor.mechanisms}")
        self.say(250, *offers)

    def do_HELO(self, _: str) -> None:
        self.say(250, "loopback")

    def do_NOOP(self, _: str) -> None:
        self.say(250)

    def do_RSET(self, _: str) -> None:
        self.sender, self.recipients = "", []
        self.say(250)

    def do_QUIT(self, _: str) -> None:
        self.say(221, "bye")
        raise _HangUp

    def do_STARTTLS(self, _: str) -> None:
        if self.vendor.tls is None:
            self.say(454, "TLS not available")
            return
        self.say(220, "go ahead")
        self.request = self.vendor.tls.wrap_socket(self.request, server_side=True)
        self.encrypted = True
        super().setup()

    def do_AUTH(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        try:
            self.known = self.proven(mechanism.upper(), initial)
        except (binascii.Error, UnicodeDecodeError, ValueError):
            self.known = False
        self.say(*((235, "welcome") if self.known else (535, "who are you?")))

    def proven(self, mechanism: str, initial: str) -> bool:
        if mechanism == "PLAIN":
            _, user, password = (base64.b64decode(initial) if initial else self.ask(b"")).decode().split("\0")
            return self.vendor.users.get(user) == password
        if mechanism == "LOGIN":
            user = (base64.b64decode(initial) if initial else self.ask(b"Username:")).decode()
            return self.vendor.users.get(user) == self.ask(b"Password:").decode()
        if mechanism == "CRAM-MD5":
            user, _, digest = self.ask(CHALLENGE).decode().partition(" ")
            password = self.vendor.users.get(user, "")
            return hmac.compare_digest(hmac.new(password.encode(), CHALLENGE, hashlib.md5).hexdigest(), digest)
        return False

    def ask(self, challenge: bytes) -> bytes:
        self.say(334, base64.b64encode(challenge).decode())
        return base64.b64decode(self.hear())

    def do_MAIL(self, rest: str) -> None:
        if not self.known:
            self.say(530, "authentication required")
            return
        self.sender, self.recipients = _address(rest), []
        self.say(250)

    def do_RCPT(self, rest: str) -> None:
        address = _address(rest)
        if not address:
            self.say(501, "an address is missing")
            return
        self.recipients.append(address)
        self.say(250)

    def do_DATA(self, _: str) -> None:
        if not self.recipients:
            self.say(503, "no recipients")
            return
        if self.faulty("DATA"):
            return
        self.say(354, "end with a dot")
        lines: list[bytes] = []
        while (line := self.rfile.readline(LINE_LIMIT)) != b".\r\n":
            if not line:
                raise _HangUp
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.keep(b"".join(lines))

    def keep(self, raw: bytes) -> None:
        """Take the mail; a fault that matches ``END`` strikes here: ``reset`` "after" keeps the mail first."""
        fault = self.vendor.faults.take("END") or Fault()
        if fault.delay:
            self.vendor.stopping.wait(fault.delay)
        if fault.reset == "before":
            raise _HangUp(reset=True)
        if fault.status and not fault.acts:
            self.say(fault.status, str(fault.body or "not now"))
            return
        with self.vendor.lock:
            self.vendor.mails.append(Mail(self.sender, tuple(self.recipients), raw))
            number = len(self.vendor.mails)
        if fault.reset:
            raise _HangUp(reset=True)
        self.say(fault.status or 250, f"queued as {number}")


def _address(text: str) -> str:
    found = _PATH.search(text)
    return found[1] if found else ""
