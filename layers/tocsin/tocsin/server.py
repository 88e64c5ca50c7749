"""Plain HTTP on one machine: webhooks, health, metrics and ``explain`` as a WSGI application (waitress serves it)."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from tocsin.bootstrap.local import Home, is_loopback
from tocsin.pipeline.receive import MAX_BODY, Receive

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Respond = tuple[int, str, str]  # status, content type, body

THREADS = 16  # requests at once; each waits for one fsync, which they share
LARGEST = 64 * 1024 * 1024  # bytes that are read at all; above MAX_BODY only to answer with a sentence
DRAIN = 5.0  # seconds that requests in flight may take when the server is told to stop
_STEP = 0.05  # seconds between looks at the requests in flight
_IDLE = 30.0  # seconds the loop sleeps when nobody calls; whoever stops it wakes it

_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
_REASONS = {
    200: "OK", 202: "Accepted", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip

INDEX = """Tocsin is listening.

POST /webhooks/alertmanager    Alertmanager's webhook_config sends here
POST /webhooks/pingdom/<token> Pingdom
POST /webhooks/eventbridge     an EventBridge event (at home this stands for the bus)
GET  /-/healthy /-/ready /metrics
"""


class Application:
    """The WSGI application. Reads of state and the reload are for this machine alone."""

    def __init__(
        self,
        *,
        receive: Receive,
        ready: Callable[[], str],
        metrics: Callable[[], str],
        reload: Callable[[], str],
        explain: Callable[[Mapping[str, str]], Any],
    ) -> None:
        """Take what answers.

        Args:
            receive: the door.
            ready: gives "" when ready, else a sentence why not.
            metrics: gives the Prometheus text exposition.
            reload: reads the config again; gives "" or a sentence what is wrong with it.
            explain: gives JSON for a query of labels and/or ``fingerprint``.
        """
        self._receive, self._ready, self._metrics = receive, ready, metrics
        self._reload, self._explain = reload, explain

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        status, kind, body = self._answer(environ)
        raw = body.encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(raw)))]
        if status == 405:  # noqa: PLR2004 (HTTP)
            headers.append(("Allow", "POST" if _is_told(environ.get("PATH_INFO", "/")) else "GET, HEAD"))
        start_response(f"{status} {_REASONS.get(status, 'Status')}", headers)
        return [raw] if environ["REQUEST_METHOD"] != "HEAD" else []

    def _answer(self, environ: Mapping[str, Any]) -> Respond:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        if path.startswith("/webhooks/"):
            return self._webhook(environ, path) if method == "POST" else (405, _TEXT, "webhooks are sent by POST\n")
        if path == "/-/reload":
            return self._reloaded(environ) if method in {"POST", "PUT"} else (405, _TEXT, "reload by POST\n")
        if method not in {"GET", "HEAD"}:
            return 405, _TEXT, "only GET here\n"
        if path == "/-/healthy":
            return 200, _TEXT, "OK\n"
        if path == "/-/ready":
            why = self._ready()
            return (503, _TEXT, why + "\n") if why else (200, _TEXT, "OK\n")
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics()
        if path == "/-/explain":
            return self._explained(environ)
        if path == "/":
            return 200, _TEXT, INDEX
        return 404, _TEXT, "nothing is here; GET / says what is\n"

    def _webhook(self, environ: Mapping[str, Any], path: str) -> Respond:
        source, _, token = path.removeprefix("/webhooks/").partition("/")
        length = _length(environ)
        too_large = length > MAX_BODY
        body = environ["wsgi.input"].read(min(length, MAX_BODY + 1))
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        answer = self._receive.handle(source, token, headers, body, too_large=too_large)
        return answer.status, _TEXT, answer.text + "\n"

    def _reloaded(self, environ: Mapping[str, Any]) -> Respond:
        if not is_loopback(environ.get("REMOTE_ADDR", "")):
            return 403, _TEXT, "reload is for this machine alone\n"
        problem = self._reload()
        return (500, _TEXT, f"the old configuration is kept: {problem}\n") if problem else (200, _TEXT, "reloaded\n")

    def _explained(self, environ: Mapping[str, Any]) -> Respond:
        if not is_loopback(environ.get("REMOTE_ADDR", "")):
            return 403, _TEXT, "explain is for this machine alone\n"
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        return 200, _JSON, json.dumps(self._explain(query))


def application_of(home: Home) -> Application:
    """Make the application that answers for a home."""
    return Application(
        receive=home.app.receive,
        ready=home.ready,
        metrics=home.telemetry.render,
        reload=home.reload,
        explain=home.explain,
    )


class HttpServer:
    """Waitress around an application, for a thread of its own or the main one; stopped from any thread or signal."""

    def __init__(self, application: Application, host: str, port: int) -> None:
        """Bind the address; ``OSError`` says why that is not possible. Requests wait until ``run``."""
        from waitress import create_server, wasyncore  # noqa: PLC0415 (only who serves needs it)

        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue of requests is no news
        self._open: dict[int, Any] = {}  # by file descriptor: the listener, its waker, every connection
        try:
            self._server = create_server(
                application, map=self._open, host=host, port=port, threads=THREADS, max_request_body_size=LARGEST,
                ident=None, clear_untrusted_proxy_headers=True,
            )  # fmt: skip
        except OSError:
            wasyncore.close_all(self._open, ignore_all=True)
            raise
        listening = getattr(self._server, "effective_listen", None) or [("", self._server.effective_port)]
        self.port = int(listening[0][1])
        self._asked = threading.Event()

    def run(self) -> None:
        """Answer until ``stop``; then finish what is in flight and close."""
        while not self._asked.is_set():
            self._turn(_IDLE)
        self.close()

    def stop(self) -> None:
        """Ask ``run`` to end; safe in a signal's handler."""
        self._asked.set()
        for each in list(self._open.values()):
            if hasattr(each, "pull_trigger"):
                each.pull_trigger()
                return

    def close(self) -> None:
        """Take no new connection, let the requests that are being worked be answered, then close everything."""
        from waitress import wasyncore  # noqa: PLC0415 (as above)

        for each in self._open.values():
            each.accepting = False
        until = time.monotonic() + DRAIN
        while time.monotonic() < until and any(_busy(each) for each in list(self._open.values())):
            self._turn(_STEP)
        self._server.task_dispatcher.shutdown(timeout=DRAIN)
        wasyncore.close_all(self._open, ignore_all=True)

    def _turn(self, timeout: float) -> None:
        from waitress import wasyncore  # noqa: PLC0415 (as above)

        wasyncore.loop(timeout=timeout, use_poll=True, map=self._open, count=1)


def _busy(connection: Any) -> bool:  # noqa: ANN401 (waitress has no types)
    return bool(getattr(connection, "requests", None) or getattr(connection, "total_outbufs_len", 0))


def _is_told(path: str) -> bool:
    """Whether a path is for those who tell us something."""
    return path.startswith("/webhooks/") or path == "/-/reload"


def _length(environ: Mapping[str, Any]) -> int:
    try:
        return max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0
