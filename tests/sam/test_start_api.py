"""A real Alertmanager posts to ``sam local start-api``: the log shows route and notification, not only a 202."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sam.conftest import Sam
from tests.sam.envelopes import EVENTS
from tests.sam.test_invoke import lines_of

pytestmark = [pytest.mark.sam, pytest.mark.docker, pytest.mark.oracle, pytest.mark.slow]

PATIENCE_SECONDS = 300.0
PAUSE_SECONDS = 0.5
ALERTMANAGER = """\
route:
  receiver: tocsin
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: tocsin
    webhook_configs:
      - url: {url}/webhooks/alertmanager
        send_resolved: true
        http_config:
          authorization:
            credentials: sample-token
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(holds: Callable[[], Any], what: str) -> None:
    """Poll, for as long as a loaded machine may need."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
        time.sleep(PAUSE_SECONDS)


def answers(url: str) -> bool:
    """Whether anybody listens, whatever the answer."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 (loopback)
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Stop a process that we started; sam removes its containers on the way."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def remove_containers(build: Path) -> None:
    """Remove what sam left: containers that have a function of this build mounted."""
    listed = subprocess.run(["docker", "ps", "-aq"], capture_output=True, text=True, check=True).stdout.split()
    for container in listed:
        mounts = subprocess.run(
            ["docker", "inspect", "--format", "{{range .Mounts}}{{.Source}} {{end}}", container],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        if str(build) in mounts:
            subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False)


@pytest.fixture
def api(sam: Sam, build: Path, image: str, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The HTTP API on a port, and its log."""
    port, log = free_port(), tmp_path / "start-api.log"
    arguments = [
        "local", "start-api", "--template-file", str(build / "template.yaml"), "--port", str(port),
        "--warm-containers", "EAGER", "--env-vars", str(EVENTS / "env.json"), "--skip-pull-image",
    ]  # fmt: skip
    with ended(sam.start(arguments, log)) as process:
        url = f"http://127.0.0.1:{port}"

        def ready() -> bool:
            assert process.poll() is None, log.read_text("utf-8")
            return answers(url)

        wait_until(ready, "sam local start-api")
        yield url, log
    remove_containers(build)


@pytest.fixture
def alertmanager(api: tuple[str, Path], tmp_path: Path) -> Iterator[str]:
    """Debian's Alertmanager, with the API as its receiver."""
    command = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if command is None:
        pytest.skip("Alertmanager is not installed")
    config, port = tmp_path / "alertmanager.yml", free_port()
    config.write_text(ALERTMANAGER.format(url=api[0]))
    arguments = [
        command, f"--config.file={config}", f"--storage.path={tmp_path / 'state'}", "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (tmp_path / "alertmanager.log").open("wb") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)
    with ended(process):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), "Alertmanager")
        yield f"http://127.0.0.1:{port}"


def post_alert(alertmanager: str, *, resolved: bool) -> None:
    now = datetime.now(UTC).isoformat()
    alert = {
        "labels": {"alertname": "DiskFull", "severity": "critical", "environment": "production", "team": "platform"},
        "annotations": {"summary": "The disk of db-1 is full."},
        "startsAt": "2026-11-02T14:00:00Z",
    } | ({"endsAt": now} if resolved else {})
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{alertmanager}/api/v2/alerts", json.dumps([alert]).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (loopback)
        assert answer.status == 200


def test_an_alert_of_a_real_alertmanager_is_routed_and_told(api: tuple[str, Path], alertmanager: str) -> None:
    _, log = api

    def shown(message: str) -> list[dict[str, Any]]:
        lines = lines_of(log.read_text("utf-8", "replace"))
        return [line["fields"] for line in lines if line.get("message") == message]

    post_alert(alertmanager, resolved=False)
    wait_until(lambda: len(shown("would send")) >= 5, "the notifications in the log")
    (routed, *_) = shown("routed")
    assert routed["alertname"] == "DiskFull"
    assert "on-call by line" in routed["routes"]
    assert {each["channel"] for each in shown("would send")} == {"pagerduty", "slack", "email", "zendesk", "webhook"}
    assert all("DiskFull" in each["body"] for each in shown("would send"))

    post_alert(alertmanager, resolved=True)
    wait_until(lambda: any(each["change"] == "resolved" for each in shown("routed")), "the resolution in the log")
    assert {each["status"] for each in shown("answered")} == {202}
