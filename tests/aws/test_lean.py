"""What a cold start of receive imports, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.aws.template import ROOT

HEAVY = ("pydantic", "yaml", "jinja2", "httpx", "slack_sdk", "zenpy", "pdpyras", "sqlite3", "cryptography", "awscrt")
BEHIND = ("tocsin.templates", "tocsin.pipeline.flush", "tocsin.pipeline.deliver", "aws_xray_sdk")


def imported(door: str) -> set[str]:
    """Name the modules that importing a door leaves behind."""
    script = (
        "import importlib.util, json, sys\n"
        f"spec = importlib.util.spec_from_file_location('app', 'functions/{door}/app.py')\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_receive_imports_nothing_that_only_the_stages_behind_it_need() -> None:
    found = imported("receive")
    assert "tocsin.pipeline.receive" in found
    assert not sorted(name for name in found if name.partition(".")[0] in HEAVY or name in BEHIND)


@pytest.mark.parametrize("door", ["decide", "deliver"])
def test_no_door_imports_a_vendors_sdk_before_it_has_anything_to_send(door: str) -> None:
    sdks = ("slack_sdk", "zenpy", "pdpyras", "sqlite3", "awscrt")
    assert not sorted(name for name in imported(door) if name.partition(".")[0] in sdks)
