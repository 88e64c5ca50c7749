"""A real Prometheus and a real Alertmanager page people through Tocsin, and tell them that it is over."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tocsin.loopback import Vendors

from tests.cli.serving import TOKEN, Serve, place, until

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: press
    static_configs: [{{targets: ["{target}"]}}]
"""
RULES = """
groups:
  - name: press
    rules:
      - alert: PressJammed
        expr: press_jammed == 1
        labels: {severity: critical, team: publishing}
        annotations: {summary: "The press of {{ $labels.job }} is jammed"}
"""
ALERTMANAGER = """
route: {{receiver: tocsin, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: tocsin
    webhook_configs:
      - url: {url}/webhooks/alertmanager
        http_config: {{authorization: {{type: Bearer, credentials: {token}}}}}
"""


class Press(ThreadingHTTPServer):
    """What Prometheus scrapes: one gauge."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Gauge)
        self.jammed = 0


class _Gauge(BaseHTTPRequestHandler):
    server: Press

    def do_GET(self) -> None:
        body = f"press_jammed {self.server.jammed}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def pressing() -> Iterator[Press]:
    press = Press()
    thread = threading.Thread(target=press.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield press
    finally:
        press.shutdown()
        thread.join()
        press.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def daemon(folder: Path, url: str, command: list[str]) -> Iterator[None]:
    """Run a program until the block ends; it is ready when its ``/-/ready`` says so."""
    log = folder / f"{command[0]}.log"
    with log.open("wb") as written:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=written, stderr=written)
    try:
        until(lambda: _ready(url, process, log), f"{command[0]} is ready")
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return httpx.get(f"{url}/-/ready", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextmanager
def upstream(folder: Path, alertmanager: str, tocsin: str, press: Press) -> Iterator[None]:
    """Run a Prometheus that scrapes the press, and an Alertmanager that tells Tocsin."""
    folder.mkdir()
    here, there = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(
        PROMETHEUS.format(alertmanager=there, target=f"127.0.0.1:{press.server_port}")
    )
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=tocsin, token=TOKEN))
    with ExitStack() as running:
        running.enter_context(
            daemon(folder, f"http://{there}", [
                alertmanager, "--config.file=alertmanager.yml", f"--storage.path={folder}/alertmanager",
                f"--web.listen-address={there}", "--cluster.listen-address=",
            ])
        )  # fmt: skip
        running.enter_context(
            daemon(folder, f"http://{here}", [
                "prometheus", "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/prometheus",
                f"--web.listen-address={here}",
            ])
        )  # fmt: skip
        yield


@pytest.fixture(params=["prometheus-alertmanager", "alertmanager-next"])
def alertmanager(request: pytest.FixtureRequest) -> str:
    for tool in ("prometheus", request.param):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    return str(request.param)


@pytest.mark.oracle
@pytest.mark.slow
def test_a_rule_fires_and_four_are_told_then_it_resolves_and_four_are_told(alertmanager, tmp_path):
    with (
        Vendors() as vendors,
        pressing() as press,
        Serve(place(tmp_path, vendors), tmp_path / "data") as tocsin,
        upstream(tmp_path / "upstream", alertmanager, tocsin.url, press),
    ):
        press.jammed = 1
        pager, slack, mail, desk = vendors.pagerduty, vendors.slack, vendors.smtp, vendors.zendesk
        until(lambda: pager.incidents and slack.messages and mail.mails and desk.tickets, "all four are told")
        [incident], [message], [ticket] = pager.incidents, slack.messages, desk.tickets.values()
        assert (incident.status, incident.severity) == ("triggered", "error")
        assert incident.summary.startswith("[FIRING:1] PressJammed ")
        assert message["attachments"][0]["title"].startswith("[FIRING:1] PressJammed ")
        assert mail.mails[0].subject.startswith("[FIRING:1] PressJammed ")
        assert mail.mails[0].recipients == ("on-call@example.org",)
        assert (ticket["status"], ticket["priority"]) == ("new", "urgent")
        assert "The press of press is jammed" in desk.comments[1][0]["body"]

        press.jammed = 0
        until(
            lambda: incident.status == "resolved" and message["edits"] and len(mail.mails) > 1
            and ticket["status"] == "solved",
            "all four are told that it is over",
        )  # fmt: skip
        assert message["attachments"][0]["title"].startswith("[RESOLVED] PressJammed ")
        assert mail.mails[1].subject.startswith("[RESOLVED] PressJammed ")
        assert tocsin.end() == 0
    told = [len(pager.incidents), len(slack.messages), len(mail.mails), len(desk.tickets)]
    assert told == [1, 1, 2, 1], "PagerDuty's incidents, Slack's messages, mails, tickets"


@pytest.mark.oracle
@pytest.mark.slow
def test_alertmanager_keeps_what_tocsin_could_not_take_and_the_page_comes_late_but_once(alertmanager, tmp_path):
    with Vendors() as vendors, pressing() as press:
        config, data = place(tmp_path, vendors), tmp_path / "data"
        with Serve(config, data) as tocsin:
            port = tocsin.url.rpartition(":")[2]
        with upstream(tmp_path / "upstream", alertmanager, f"http://127.0.0.1:{port}", press):
            press.jammed = 1
            until(
                lambda: "connection refused" in (tmp_path / "upstream" / f"{alertmanager}.log").read_text(),
                "Alertmanager is refused",
            )
            with Serve(config, data, "--listen", f"127.0.0.1:{port}"):
                until(lambda: vendors.pagerduty.incidents, "PagerDuty is told in the end")
    assert [i.status for i in vendors.pagerduty.incidents] == ["triggered"]
