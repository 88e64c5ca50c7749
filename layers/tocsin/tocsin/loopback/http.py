"""A small threaded HTTP server that a vendor is made of: it records, plays faults, and asks the vendor."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tocsin.loopback.faults import Fault, Faults

POLL_SECONDS = 0.02  # how often the server looks whether it should stop
READ_TIMEOUT = 30.0  # seconds a connection may stay idle
GARBAGE = b"<html>this is not the answer you were looking for"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 (JSON is any)
        """Read the body as JSON; raises ``ValueError`` for what is none."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """Read the body as a form, or as a JSON object, whichever the content type says."""
        if "json" in self.headers.get("content-type", ""):
            parsed = self.json()
            return parsed if isinstance(parsed, dict) else {}
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. ``body`` is text, or what is to be printed as JSON."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpVendor:
    """A vendor that is spoken to by HTTP. Subclasses say in ``answer`` what it does; the lock is held then."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.faults = Faults()
        self.lock = threading.RLock()
        self._stopping = threading.Event()
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; slow answers that are still waiting are let go."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def answer(self, request: Request) -> Response:
        """Act on a request. The base class knows no path."""
        return Response(404, {"error": f"no such path: {request.path}"})

    def respond(self, request: Request) -> Response | None:
        """Record a request and answer it, faults first; None drops the connection."""
        fault = self.faults.take(request.path) or Fault()
        self._stopping.wait(fault.delay) if fault.delay else None
        with self.lock:
            self.requests.append(request)
            if fault.reset == "before":
                return None
            if fault.status and not fault.acts:
                return Response(fault.status, "" if fault.body is None else fault.body, fault.headers)
            response = self.answer(request)
        if fault.reset == "after":
            return None
        if fault.malformed:
            return Response(response.status, GARBAGE, {"Content-Type": "text/html"})
        if fault.status:
            return Response(fault.status, "" if fault.body is None else fault.body, fault.headers)
        return Response(response.status, response.body, {**response.headers, **fault.headers})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, vendor: HttpVendor, port: int) -> None:
        self.vendor = vendor
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's signature)
        """Say nothing when a client hangs up: that is what tests make it do."""


class _Handler(BaseHTTPRequestHandler):
    timeout = READ_TIMEOUT
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 (http.server's signature)
        """Say nothing: the record is the log."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        request = Request(
            self.command,
            url.path,
            dict(parse_qsl(url.query)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        response = self.server.vendor.respond(request)
        if response is None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
            return
        self._print(response)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 (http.server names them so)

    def _print(self, response: Response) -> None:
        headers = dict(response.headers)
        if isinstance(response.body, bytes):
            body = response.body
        elif isinstance(response.body, str):
            body = response.body.encode()
            headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        else:
            body = json.dumps(response.body).encode()
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
        self.send_response(response.status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
