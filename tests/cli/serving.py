"""``tocsin serve`` in a process of its own, and its config; vendors are those of the loopback."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from tocsin.loopback import Vendors

TOCSIN = (sys.executable, "-c", "import sys; from tocsin.cli import main; sys.exit(main())")
PATIENCE = 60.0  # seconds; polled, never slept through
LOOK = 0.02
TOKEN = "the-alertmanager-token"

ALERTMANAGER = """
global:
  pagerduty_url: {pagerduty_url}
  smtp_smarthost: {smtp_smarthost}
  smtp_from: tocsin@example.org
  smtp_require_tls: false
route:
  receiver: four
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
  routes:
    - receiver: "null"
      matchers: [alertname="Watchdog"]
    - receiver: "hook"
      matchers: [alertname="Hooked"]
receivers:
  - name: four
    pagerduty_configs:
      - routing_key: a-routing-key
    slack_configs:
      - api_url: {slack_api_url}
        http_config: {{authorization: {{credentials: xoxb-loopback}}}}
        channel: '#alerts'
        send_resolved: true
    email_configs:
      - to: on-call@example.org
        send_resolved: true
  - name: hook
    webhook_configs:
      - url: {webhook_url}
  - name: "null"
"""
BESIDE = """
alertmanager_config: alertmanager.yml
catch_all: hook
sources:
  alertmanager: {{auth: {{bearer: {{token: the-alertmanager-token}}}}}}
  pingdom: {{auth: {{path: {{token: the-pingdom-token}}}}}}
  eventbridge: {{auth: {{bearer: {{token_file: {folder}/events-token}}}}}}
receivers:
  - name: four
    zendesk_configs:
      - url: {zendesk_url}
        email: tocsin@example.com
        api_token: zendesk-token
"""


def place(folder: Path, vendors: Vendors) -> Path:
    """Write both config files; gives the ``tocsin.yml``."""
    (folder / "events-token").write_text("the-events-token\n")
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(**vendors.urls))
    (folder / "tocsin.yml").write_text(BESIDE.format(folder=folder, **vendors.urls))
    return folder / "tocsin.yml"


def until(happened: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Poll until something is true, and give it; fail naming what did not happen."""
    deadline = time.monotonic() + patience
    while True:
        found = happened()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"within {patience:g} s this did not happen: {what}")
        time.sleep(LOOK)


class Serve:
    """A running ``tocsin serve`` on a free port; ``log`` holds its lines."""

    def __init__(self, config: Path, data: Path, *flags: str) -> None:
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [*TOCSIN, "serve", "--config", str(config), "--data", str(data), "--listen", "127.0.0.1:0", *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = "http://" + until(self._address, "tocsin serve listens")
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.log.extend(iter(lines.readline, ""))

    def _address(self) -> str:
        found = re.search(r"msg=listening address=(\S+)", "".join(self.log))
        assert found or self.process.poll() is None, "tocsin serve ended:\n" + "".join(self.log)
        return found[1] if found else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.client.close()

    def end(self, how: int = signal.SIGTERM) -> int:
        """End it; gives the exit code, which is negative for a signal."""
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.client.close()
        return code

    def alert(self, *alerts: dict[str, Any], path: str = "/webhooks/alertmanager") -> httpx.Response:
        """Post alerts as Alertmanager does."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return self.client.post(path, json={"version": "4", "alerts": list(alerts)}, headers=headers)

    def metrics(self) -> dict[str, float]:
        """Read every series."""
        lines = self.client.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))}


def firing(alertname: str, **labels: str) -> dict[str, Any]:
    """An alert that fires."""
    return {"status": "firing", "labels": {"alertname": alertname, **labels}, "annotations": {"summary": "It burns."}}


def resolved(alertname: str, **labels: str) -> dict[str, Any]:
    """The same, resolved."""
    return {**firing(alertname, **labels), "status": "resolved"}
