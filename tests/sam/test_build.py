"""``sam validate``, ``sam build``, and what is in the build: bytecode that is used, nothing that must not be there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sam.conftest import Sam
from tests.sam.envelopes import ROOT

pytestmark = pytest.mark.sam

DEPENDENCIES = {"DependenciesX86Layer": "x86_64-linux-gnu", "DependenciesArmLayer": "aarch64-linux-gnu"}
# https://docs.python.org/3.13/reference/import.html#cached-bytecode-invalidation and PEP 552: flag 1 says that the
# file is checked by hash, flag 2 that the hash is looked at on each import
MAGIC_313 = (3571).to_bytes(2, "little") + b"\r\n"
UNCHECKED_HASH = (1).to_bytes(4, "little")
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 250 MB, all layers of a function together
UNPACKED_LIMIT = 100 * 2**20  # far below it


def test_the_template_is_valid(sam: Sam) -> None:
    done = sam.run("validate", "--lint", "--template-file", "template.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint_finds_nothing() -> None:
    command = shutil.which("cfn-lint", path=str(Path(sys.executable).parent)) or shutil.which("cfn-lint")
    assert command is not None
    done = subprocess.run([command, "template.yaml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("layer", ["TocsinLayer", *DEPENDENCIES])
def test_every_module_comes_with_bytecode_that_is_not_checked_again(build: Path, layer: str) -> None:
    modules = [path for path in (build / layer).rglob("*.py") if "-" not in path.name]
    assert len(modules) > 50
    for module in modules:
        compiled = module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"
        header = compiled.read_bytes()[:8] if compiled.exists() else b""
        assert header == MAGIC_313 + UNCHECKED_HASH, module.relative_to(build)
    stray = [path for path in (build / layer).rglob("*.pyc") if ".cpython-313." not in path.name]
    assert not stray


@pytest.mark.parametrize(("layer", "machine"), DEPENDENCIES.items())
def test_what_is_compiled_is_for_lambdas_machine(build: Path, layer: str, machine: str) -> None:
    libraries = [path.name for path in (build / layer).rglob("*.cpython-*.so")]
    assert len(libraries) > 3
    assert not [name for name in libraries if not name.endswith(f".cpython-313-{machine}.so")]


@pytest.mark.parametrize("layer", DEPENDENCIES)
def test_what_slows_every_cold_start_is_left_out(build: Path, layer: str) -> None:
    python = build / layer / "python"
    assert (python / "boto3").is_dir(), "pinned, not whatever Lambda has today"
    assert (python / "botocore" / "data" / "sqs").is_dir()
    assert not (python / "botocore" / "data" / "ec2").exists()
    for name in ("cryptography", "OpenSSL", "awscrt", "waitress", "pytest", "moto"):
        assert not list(python.glob(f"{name}*")), name


def test_what_only_people_at_a_terminal_need_stays_at_home(build: Path) -> None:
    package = build / "TocsinLayer" / "python" / "tocsin"
    assert (package / "pipeline" / "decide.py").is_file()
    assert (package / "bootstrap" / "aws" / "example" / "sample.json").is_file()
    assert not [name for name in ("cli", "demo", "loopback", "server.py", "__main__.py") if (package / name).exists()]


@pytest.mark.parametrize("layer", DEPENDENCIES)
def test_the_layers_stay_far_below_lambdas_limit(build: Path, layer: str) -> None:
    size = sum(
        path.stat().st_size
        for folder in (layer, "TocsinLayer")
        for path in (build / folder).rglob("*")
        if path.is_file()
    )
    assert size < UNPACKED_LIMIT


@pytest.mark.parametrize("function", ["ReceiveFunction", "DecideFunction", "DeliverSlackFunction"])
def test_a_function_is_its_door_and_nothing_else(build: Path, function: str) -> None:
    assert [path.name for path in (build / function).iterdir()] == ["app.py"]
