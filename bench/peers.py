"""The two routers under test, as processes on loopback, with the same configuration."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG = """
route:
  receiver: hook
  group_by: [{group_by}]
  group_wait: {group_wait}
  group_interval: 1h
  repeat_interval: 4h
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}"}}]
"""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Peer:
    """A running router."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str

    def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Hand over alerts in one request; anything but a 2xx is an error."""
        body = json.dumps(alerts if self.path.startswith("/api") else {"version": "4", "alerts": alerts})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", self.path, body, {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            said = answer.read()
        connection.close()
        if answer.status // 100 != 2:  # noqa: PLR2004 (2xx)
            raise RuntimeError(f"{self.name} answers {answer.status}: {said[:200]!r}")

    def cpu(self) -> float:
        """CPU seconds used so far, all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self) -> float:
        """Resident memory now, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


@contextlib.contextmanager
def running(name: str, folder: Path, url: str, *, group_by: str, group_wait: str) -> Iterator[Peer]:
    """Start ``tocsin`` or ``alertmanager`` and stop it in the end."""
    folder.mkdir(parents=True)
    config = folder / "alertmanager.yml"
    config.write_text(CONFIG.format(group_by=group_by, group_wait=group_wait, url=url))
    port = free_port()
    if name == "tocsin":
        command = [sys.executable, "-m", "tocsin", "serve", "--listen", f"127.0.0.1:{port}", "--config", str(config)]
        command += ["--data", str(folder / "data")]
        path = "/webhooks/alertmanager"
    else:
        command = [alertmanager(), f"--config.file={config}", f"--storage.path={folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"]
        path = "/api/v2/alerts"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until_ready(port, folder / "log")
        yield Peer(name, process, port, path)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def alertmanager() -> str:
    """Find Debian's Alertmanager; ``SystemExit`` with a sentence when it is not installed."""
    found = shutil.which("prometheus-alertmanager")
    if found is None:
        raise SystemExit("make bench measures beside Alertmanager: apt-get install prometheus-alertmanager")
    return found


def free_port() -> int:
    """Give a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(port: int, log: Path) -> None:
    """Poll ``/-/ready``; ``RuntimeError`` shows the log when nobody answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == http.client.OK:
                return
        connection.close()
        time.sleep(0.05)
    raise RuntimeError(f"not ready: {log.read_text()[-2000:]}")
