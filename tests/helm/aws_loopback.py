"""What the release function needs of AWS, on loopback: EKS's DescribeCluster, and the address that takes the answer."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote


class AwsLoopback:
    """``clusters`` is what EKS knows, ``answers`` what CloudFormation was told, ``refusals`` codes it says first."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.clusters: dict[str, dict[str, Any]] = {}
        self.answers: list[bytes] = []
        self.content_types: list[str | None] = []
        self.refusals: list[int] = []
        self._server = _Server((host, 0), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}"

    @property
    def answer(self) -> dict[str, Any]:
        """The last answer."""
        return json.loads(self.answers[-1])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    loopback: AwsLoopback


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = unquote(self.path.removeprefix("/clusters/"))
        cluster = self.server.loopback.clusters.get(name)
        if cluster is None:
            self._answer(404, {"message": f"No cluster found for name: {name}."}, "ResourceNotFoundException")
        else:
            self._answer(200, {"cluster": {"name": name, **cluster}})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        loopback = self.server.loopback
        if loopback.refusals:
            self._answer(loopback.refusals.pop(0), {})
            return
        loopback.answers.append(body)
        loopback.content_types.append(self.headers.get("Content-Type"))
        self._answer(200, {})

    def _answer(self, code: int, told: dict[str, Any], error: str = "") -> None:
        text = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(text)
