"""Every template alone through cfn-lint; every stack through the SAM CLI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from infra.tools import templates
from tests.infra.world import INFRA

TEMPLATES = sorted(
    path
    for folder in ("cluster-infrastructure", "cluster-access", "cluster-services")
    for path in (INFRA / folder).glob("**/*.yaml")
    if path.read_text(encoding="utf-8").find("\nResources:") >= 0
)
# Each can be built and deployed alone.
STACKS = [path for path in TEMPLATES if path.name in ("template.yaml", "deploy-roles.yaml")]
ROOT = INFRA.parent
OWN_SAM = ROOT / ".venv-sam" / "bin" / "sam"


def relative(path: Path) -> str:
    return path.relative_to(INFRA).as_posix()


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    assert [str(match) for match in lint_file(path, config=ManualArgs(regions=["eu-west-1"]))] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_no_template_silences_the_linter(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "ignore_checks" not in text
    assert "cfn-lint:" not in text


def test_the_linter_would_see_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "nodes.yaml"
    text = (INFRA / "cluster-infrastructure/nodes.yaml").read_text(encoding="utf-8")
    broken.write_text(text.replace("HttpTokens: required", "HttpTokens: mandatory"), encoding="utf-8")
    assert lint_file(broken, config=ManualArgs(regions=["eu-west-1"]))


def test_every_part_belongs_to_a_stack() -> None:
    reached = set(STACKS)
    for root in STACKS:
        waiting = [root]
        while waiting:
            inner = templates.nested(waiting.pop()).values()
            waiting += [path for path in inner if path not in reached]
            reached |= set(inner)
    assert sorted(set(TEMPLATES) - reached) == []


@pytest.fixture(scope="module")
def sam() -> str:
    found = str(OWN_SAM) if OWN_SAM.exists() else shutil.which("sam")
    if not found:
        pytest.skip("the SAM CLI is not installed (make a .venv-sam from requirements/sam.txt)")
    return found


def path_with_python() -> str | None:
    """Return a PATH whose python3.13 runs: what stands on it may be a shim that only names versions."""
    found = [Path(folder) / "python3.13" for folder in os.get_exec_path()]
    found += sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python3.13"))
    for python in found:
        if (
            python.exists()
            and subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0
        ):
            return f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return None


def run(*command: str | Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    quiet = {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "eu-west-1"}
    environment = os.environ | quiet | ({"PATH": path} if path else {})
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


@pytest.mark.sam
@pytest.mark.parametrize("path", STACKS, ids=relative)
def test_sam_validates(sam: str, path: Path) -> None:
    done = run(sam, "validate", "--lint", "-t", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.sam
@pytest.mark.parametrize("path", STACKS, ids=relative)
def test_sam_builds(sam: str, path: Path, tmp_path: Path) -> None:
    python = path_with_python()
    if not python and "cluster-services" in path.parts:
        pytest.skip("there is no python3.13 with pip, which its function is built with")
    done = run(sam, "build", "-t", path, "-b", tmp_path / "build", path=python)
    assert done.returncode == 0, done.stdout + done.stderr
    built = templates.load(tmp_path / "build" / "template.yaml")
    for name, part in templates.nested(path).items():
        location = tmp_path / "build" / built["Resources"][name]["Properties"]["Location"]
        assert templates.load(location)["Resources"].keys() == templates.load(part)["Resources"].keys()
