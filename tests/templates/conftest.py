"""Data that Alertmanager's own amtool reads too, and amtool itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tocsin.templates import Data, load_data

BODY = {
    "receiver": "team-X",
    "status": "firing",
    "externalURL": "http://am.example:9093",
    "groupLabels": {"alertname": "HighCPU", "cluster": "eu"},
    "commonLabels": {"alertname": "HighCPU", "cluster": "eu", "job": "node", "severity": "page"},
    "commonAnnotations": {"runbook": "http://r/<1>"},
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighCPU", "cluster": "eu", "job": "node", "severity": "page", "instance": "a:1"},
            "annotations": {"summary": "cpu & <hot>", "runbook": "http://r/<1>", "description": 'it\'s "hot"'},
            "startsAt": "2026-03-04T05:06:07.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://p/graph?g0.expr=a%3E1&x=+1",
            "fingerprint": "aa",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "HighCPU", "cluster": "eu", "job": "node", "severity": "page", "instance": "b:1"},
            "annotations": {"runbook": "http://r/<1>"},
            "startsAt": "2026-03-04T05:06:07+02:00",
            "endsAt": "2026-03-04T06:06:07.5Z",
            "generatorURL": "",
            "fingerprint": "bb",
        },
        {
            "status": "firing",
            "labels": {"alertname": "HighCPU", "cluster": "eu", "job": "node", "severity": "page", "instance": "c:1"},
            "annotations": {},
            "startsAt": "2026-03-04T05:06:07Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://p/2",
            "fingerprint": "cc",
        },
    ],
}


@pytest.fixture(scope="session")
def body() -> str:
    return json.dumps(BODY)


@pytest.fixture(scope="session")
def data(body: str) -> Data:
    return load_data(body)


@dataclass(frozen=True)
class Amtool:
    """``amtool template render``: what it wrote, or None and its complaint."""

    command: str
    folder: Path

    def render(self, template: str, body: str, kind: str = "text", glob: str = "") -> tuple[str | None, str]:
        empty, stored = self.folder / "empty.tmpl", self.folder / "data.json"
        empty.touch()
        stored.write_text(body, encoding="utf-8")
        arguments = [f"--template.glob={glob or empty}", f"--template.text={template}", f"--template.type={kind}"]
        done = subprocess.run(
            [self.command, "template", "render", *arguments, f"--template.data={stored}"],
            capture_output=True,
            check=False,
            timeout=30,
        )
        said = done.stderr.decode("utf-8", "replace")
        return (done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None), said


@pytest.fixture(scope="session")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Amtool]:
    def find(command: str) -> Amtool:
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed")
        return Amtool(command, tmp_path_factory.mktemp(command))

    return find
