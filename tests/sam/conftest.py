"""The SAM CLI, a build of template.yaml and Docker with the Lambda image; what is missing is said plainly."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.sam.envelopes import ROOT

IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
BUILD_SECONDS, INVOKE_SECONDS = 900, 180


class Sam:
    """The SAM CLI, run in the repository."""

    def __init__(self, command: str, python_folder: str) -> None:
        self.command = command
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PATH": f"{python_folder}{os.pathsep}{os.environ['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }

    def run(self, *arguments: str, seconds: int = INVOKE_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [self.command, *arguments], cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def start(self, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start it, its output in a file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [self.command, *arguments], cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip


@pytest.fixture(scope="session")
def sam() -> Sam:
    """The command of ``make sam-tools``, or one on PATH; a python3.13 that runs stands first on its PATH."""
    own = ROOT / ".venv-sam" / "bin" / "sam"
    command = str(own) if own.exists() else shutil.which("sam")
    if command is None:
        pytest.skip("the SAM CLI is not installed: run make sam-tools")
    asked = subprocess.run(
        ["make", "-s", "-f", "sam.mk", "python313"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    if not asked:
        pytest.skip("no python3.13 that runs is on PATH: sam build needs one")
    return Sam(command, str(Path(asked).parent))


@pytest.fixture(scope="session")
def build(sam: Sam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain ``sam build`` into a folder of its own."""
    folder = tmp_path_factory.mktemp("build")
    done = sam.run("build", "--build-dir", str(folder), seconds=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def image() -> str:
    """The image that sam local runs functions in."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    asked = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip(f"Docker has no image {IMAGE}, or does not answer: {asked.stderr.strip().splitlines()[-1]}")
    return IMAGE
