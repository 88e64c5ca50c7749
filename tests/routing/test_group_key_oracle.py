"""Group keys and fingerprints against a real Alertmanager's webhook bodies."""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tocsin.config.loader import load
from tocsin.model import fingerprint
from tocsin.routing import group_key, group_labels, match

pytestmark = pytest.mark.oracle

DEADLINE = 30.0  # seconds, far beyond what any of this takes

CLASSIC = [
    {"alertname": "High<CPU>", "cluster": "eu-1", "job": "node", "severity": "critical"},
    {"alertname": 'say "hi"\\', "cluster": "eu\n1\t", "severity": "page"},
    {"alertname": "\u00e9\u200b\U0001f642\u00a0", "team": "a"},
    {"alertname": "plain"},
    {"alertname": "dev", "env": "dev", "job": "x"},
    {"alertname": "everything", "team": "all", "zone": "z", "a": "1"},
]
UTF8 = [{"alertname": "x", "t\u00e9am": "b"}, {"alertname": "x", "a b": 'c"d'}, {"alertname": "x", "a.b": "\u2028"}]


def config(url: str, *, utf8: bool) -> str:
    routes: list[dict[str, Any]] = [
        {"matchers": ['env!="dev"', 'severity=~"crit.*|page"'], "match_re": {"alertname": ".*"}, "continue": True,
         "routes": [{"match": {"cluster": "eu-1"}, "group_by": ["alertname"]}]},
        {"matchers": ['team="all"'], "group_by": ["..."]},
        {"matchers": ['team="a"'], "group_by": ["team", "job"]},
    ]  # fmt: skip
    if utf8:
        routes.append({"matchers": ["t\u00e9am=b"], "group_by": ["t\u00e9am"]})
        routes.append({"matchers": ['"a b"!=""'], "group_by": ["a b"]})
    root = {"receiver": "w", "group_by": ["alertname", "cluster", "a.b" if utf8 else "ab"], "group_wait": "0s",
            "group_interval": "1h", "routes": routes}  # fmt: skip
    receivers = [{"name": "w", "webhook_configs": [{"url": url}]}]
    return json.dumps({"route": root, "receivers": receivers}, ensure_ascii=False)


@contextmanager
def webhook() -> Iterator[tuple[str, queue.Queue[dict[str, Any]]]]:
    bodies: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", bodies
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def alertmanager(binary: str, config_file: Path, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [binary, f"--config.file={config_file}", f"--storage.path={folder}", f"--web.listen-address={address}",
               "--cluster.listen-address="]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until_ready(f"http://{address}/-/ready", process, folder / "log")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(DEADLINE)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=1).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"Alertmanager did not come up: {log.read_text()}")


def post(url: str, alerts: list[Mapping[str, str]]) -> None:
    httpx.post(f"{url}/api/v2/alerts", json=[{"labels": labels} for labels in alerts]).raise_for_status()


@pytest.mark.parametrize(
    ("name", "alerts"), [("prometheus-alertmanager", CLASSIC), ("alertmanager-next", CLASSIC + UTF8)]
)
def test_groups_and_alerts_have_the_names_that_alertmanager_gives_them(
    tmp_path: Path, name: str, alerts: list[Mapping[str, str]]
) -> None:
    binary = shutil.which(name)
    if binary is None:
        pytest.skip(f"{name} is not installed")
    with webhook() as (url, bodies):
        config_file = tmp_path / "alertmanager.yml"
        config_file.write_text(config(url, utf8=alerts is not CLASSIC))
        root = load(config_file, {}).plan.route
        expected = {
            (group_key(route, group_labels(route, labels)), fingerprint(labels))
            for labels in alerts
            for route in match(root, labels)
        }
        told: set[tuple[str, str]] = set()
        with alertmanager(binary, config_file, tmp_path) as address:
            post(address, alerts)
            while len(told) < len(expected):
                body = bodies.get(timeout=DEADLINE)
                told |= {(body["groupKey"], alert["fingerprint"]) for alert in body["alerts"]}
    assert told == expected
