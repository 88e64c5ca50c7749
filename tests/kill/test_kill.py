"""``kill -9`` of ``tocsin serve`` at random moments under load: what was accepted is told, and nothing acts twice."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tocsin.loopback import Vendors

ROUNDS = 100
ALERTS_A_BODY = 2
PATIENCE = 300  # seconds to tell everything after the last start; bounded polling, not a pause
SENDERS = 2

ALERTMANAGER = """
global:
  pagerduty_url: {pagerduty_url}
route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
receivers:
  - name: team
    pagerduty_configs:
      - routing_key: {routing_key}
        description: '{{{{ .CommonLabels.alertname }}}}'
"""
TOCSIN = """
receivers:
  - name: team
    zendesk_configs:
      - url: "{zendesk_url}"
        email: tocsin@example.com
        api_token: {api_token}
        subject: '{{{{ .CommonLabels.alertname }}}}'
sources:
  alertmanager: {{auth: none}}
"""


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        yield vendors


class Served:
    """One ``tocsin serve`` after the other on the same data directory."""

    def __init__(self, folder: Path, vendors: Vendors) -> None:
        urls = vendors.urls
        known = {"routing_key": "r" * 32, "api_token": "zendesk-token", **urls}
        (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(**known))
        (folder / "tocsin.yml").write_text(TOCSIN.format(**known))
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, under: list[str] | None = None) -> None:
        command = [
            *(under or []),
            sys.executable,
            "-m",
            "tocsin",
            "serve",
            "--config",
            str(self.folder / "alertmanager.yml"),
        ]
        command += ["--data", str(self.folder / "data"), "--listen", f"127.0.0.1:{self.port}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, start_new_session=True)

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)  # strace would leave what it traces behind
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sender(threading.Thread):
    """Posts new alerts as fast as they are taken, and remembers those that were accepted."""

    def __init__(self, port: int, name: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port, self.prefix, self.stop = port, name, stop
        self.accepted: list[str] = []
        self.answered = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            names = [f"{self.prefix}{number + i}" for i in range(ALERTS_A_BODY)]
            if self.post(names):
                self.accepted += names
                self.answered.set()
            number += ALERTS_A_BODY
            self.stop.wait(0.05)

    def post(self, names: list[str]) -> bool:
        alerts = [
            {"status": "firing", "labels": {"alertname": name}, "startsAt": "2026-01-01T00:00:00Z"} for name in names
        ]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("POST", "/webhooks/alertmanager", json.dumps({"alerts": alerts}))
            with connection.getresponse() as answer:
                return answer.status == 202
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.mark.slow
def test_what_was_accepted_is_told_after_a_hundred_kills(tmp_path, vendors):
    chance = random.Random(20)
    served = Served(tmp_path, vendors)
    stop = threading.Event()
    senders = [Sender(served.port, f"S{n}x", stop) for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    for _ in range(ROUNDS):
        for sender in senders:
            sender.answered.clear()
        served.start()
        assert senders[0].answered.wait(30), (tmp_path / "log").read_text()[-2000:]
        time.sleep(chance.uniform(0, 0.25))  # the random moment itself: it is what is tested
        served.kill()
    stop.set()
    for sender in senders:
        sender.join()
    accepted = {name for sender in senders for name in sender.accepted}
    assert len(accepted) > ROUNDS
    served.start()
    try:
        until = time.monotonic() + PATIENCE
        while (missing := accepted - told(vendors)) and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        served.kill()
    assert not missing, f"{len(missing)} of {len(accepted)} accepted alerts were told to nobody"
    assert max(Counter(incident_names(vendors)).values()) == 1, "a second incident"
    assert max(Counter(ticket_names(vendors)).values()) == 1, "a second ticket"


def incident_names(vendors: Vendors) -> list[str]:
    with vendors.pagerduty.lock:
        return [incident.summary for incident in vendors.pagerduty.incidents]


def ticket_names(vendors: Vendors) -> list[str]:
    with vendors.zendesk.lock:
        return [str(ticket["subject"]) for ticket in vendors.zendesk.tickets.values()]


def told(vendors: Vendors) -> set[str]:
    return set(incident_names(vendors)) & set(ticket_names(vendors))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_202_leaves_before_its_fsync(tmp_path, vendors):
    served = Served(tmp_path, vendors)
    trace = tmp_path / "trace"
    served.start(["strace", "-f", "-y", "-s", "200", "-e", "trace=fsync,fdatasync,sendto,recvfrom", "-o", str(trace)])
    sender = Sender(served.port, "T", threading.Event())
    until = time.monotonic() + 60
    while not sender.post(["T-first"]) and time.monotonic() < until:
        time.sleep(0.2)
    for number in range(20):
        assert sender.post([f"T{number}"])
    served.kill()
    synced, answers = 0, 0
    for line in trace.read_text().splitlines():
        if "recvfrom(" in line and "POST /webhooks/" in line:
            synced = 0
        elif re.search(r"f(data)?sync(\(.*tocsin\.sqlite| resumed).*= 0$", line):
            synced += 1
        elif "sendto(" in line and "HTTP/1.1 202" in line:
            answers += 1
            assert synced, f"answer {answers} left before anything was on disk: {line}"
    assert answers >= 20, "the trace shows no answers: what does the server answer by?"
