"""Debian's Alertmanager posts to a loopback receiver: what it really sends is read as it means it."""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tocsin.model import fingerprint
from tocsin.observation import observe
from tocsin.sources.alertmanager import Alertmanager
from tocsin.sources.proof import prove
from tocsin.sources.times import instant

PATIENCE = 30.0  # seconds; polled, never slept through
TOKEN = "pröof-of-the-sender"

CONFIG = """
route: {{receiver: tocsin, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: tocsin
  webhook_configs:
  - url: {url}
    http_config: {{authorization: {{credentials_file: {token_file}}}}}
"""


class Receiver(ThreadingHTTPServer):
    """Keeps every request: headers in lower case, body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Keeping)
        self.requests: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()


class Keeping(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["prometheus-alertmanager", "alertmanager-next"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Receiver]]:
    """Run an Alertmanager that tells a loopback receiver; gives its address and the receiver."""
    tool = shutil.which(request.param)
    if tool is None:
        pytest.skip(f"{request.param} is not installed")
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    (tmp_path / "token").write_text(TOKEN + "\n")
    url = f"http://127.0.0.1:{receiver.server_port}/webhooks/alertmanager"
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIG.format(url=url, token_file=tmp_path / "token"))
    port = free_port()
    options = [f"--config.file={config}", f"--storage.path={tmp_path}", f"--web.listen-address=127.0.0.1:{port}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([tool, *options, "--cluster.listen-address="], stdout=log, stderr=log)
    try:
        until_ready(f"http://127.0.0.1:{port}/-/ready", process)
        yield f"http://127.0.0.1:{port}", receiver
    finally:
        process.terminate()
        process.wait(10)
        receiver.shutdown()
        thread.join()
        receiver.server_close()


def until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "Alertmanager ended"
        try:
            if httpx.get(url, timeout=1).is_success:
                return
        except httpx.TransportError:
            threading.Event().wait(0.05)
    pytest.fail("Alertmanager did not become ready")


def post(address: str, **alert: Any) -> None:
    httpx.post(f"{address}/api/v2/alerts", json=[alert], timeout=5).raise_for_status()


LABELS = {
    "alertname": "Weird",
    "severity": "critical",
    "quote": 'a "b" \\ {c}',
    "place": "Zürich 🔔",
    "_x1": "line\nbreak",
}


@pytest.mark.oracle
def test_fire_resolve_and_fire_again_as_alertmanager_really_sends_it(running: tuple[str, Receiver]) -> None:
    address, receiver = running
    start = datetime.now(UTC) - timedelta(minutes=2)
    state = None
    for step, firing in enumerate([True, False, True]):
        end = datetime.now(UTC) + timedelta(hours=1) if firing else datetime.now(UTC)
        post(address, labels=LABELS, startsAt=start.isoformat(), endsAt=end.isoformat(), annotations={"summary": "<&>"})
        headers, body = receiver.requests.get(timeout=PATIENCE)
        stamp = time.time_ns()
        auth = {"type": "bearer", "token": {"$secret": "t"}}
        assert prove(auth, body=body, headers=headers, path_token="", secret={"t": TOKEN}, now=stamp) == "bearer"
        (observation,) = Alertmanager().parse(body, headers, stamp)
        (sent,) = json.loads(body)["alerts"]
        assert observation.labels == LABELS, f"step {step}"
        assert fingerprint(observation.labels) == sent["fingerprint"]
        assert observation.annotations == {"summary": "<&>"}
        assert (observation.firing, observation.seen) == (firing, stamp)
        assert observation.start == instant(start.isoformat())
        assert (observation.end is None) is firing
        state = observe(state, observation, stamp)
        assert state.fires is firing
