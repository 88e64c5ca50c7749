"""The sample events of the release function: through the handler, through Lambda's door, and under the SAM CLI."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from helm_release import handling

from infra.tools import templates
from tests.helm import platform
from tests.helm.aws_loopback import AwsLoopback
from tests.helm.conftest import TOOLS, Function, countdown
from tests.helm.kubernetes_api import KubernetesApi

EVENTS = platform.ROOT / "events" / "helm_release"
CLUSTER = "platform-integration"
SAM = platform.ROOT / ".venv-sam" / "bin" / "sam"


def sample(name: str, aws: AwsLoopback) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text()) | {"ResponseURL": f"{aws.address}/answer"}


def known(aws: AwsLoopback, cluster: KubernetesApi) -> None:
    """Tell EKS of the samples' cluster, and the cluster of their namespace."""
    authority = {"certificateAuthority": {"data": cluster.authority}}
    aws.clusters[CLUSTER] = {"status": "ACTIVE", "endpoint": cluster.address, **authority}
    cluster.store.put(("v1", "namespaces", "", "monitoring"), {})


@pytest.mark.helm
def test_the_samples_are_one_life(function: Function) -> None:
    known(function.aws, function.cluster)
    tools = replace(function.tools, first_party=platform.INFRA / "charts")
    told = []
    for name in ("create", "update", "delete", "too-long"):
        handling.serve(sample(name, function.aws), countdown(895), tools)
        told.append((name, function.aws.answer["Status"], function.aws.answer["Data"].get("Outcome")))
    assert told == [
        ("create", "SUCCESS", "installed"),
        ("update", "SUCCESS", "upgraded"),
        ("delete", "SUCCESS", "uninstalled"),
        ("too-long", "FAILED", None),
    ]


def test_every_function_of_the_platform_has_a_sample_event() -> None:
    parts = [path for folder in platform.INFRA.glob("cluster-*") for path in folder.glob("*.yaml")]
    folders = {
        Path(resource["Properties"]["CodeUri"]).name
        for path in parts
        for resource in templates.load(path).get("Resources", {}).values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert folders == {"helm_release"}
    for folder in folders:
        assert list((platform.ROOT / "events" / folder).glob("*.json"))


@pytest.mark.helm
def test_lambdas_door_reads_the_environment_and_answers(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    known(function.aws, function.cluster)
    for name, value in {
        "HELM": str(TOOLS / "helm"),
        "KUBECTL": str(TOOLS / "kubectl"),
        "CHARTS": str(platform.INFRA / "charts"),
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    file = platform.ROOT / "functions" / "helm_release" / "app.py"
    assert len(file.read_text().splitlines()) <= 40
    specification = importlib.util.spec_from_file_location("helm_release_door", file)
    door = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(door)
    remaining = countdown(895)
    context = SimpleNamespace(get_remaining_time_in_millis=remaining)
    report = door.handler(sample("create", function.aws), context)
    assert report["Outcome"] == "installed"
    assert function.aws.answer["Status"] == "SUCCESS"


# ---- under the SAM CLI -----------------------------------------------------------------------------------------------


def _bridge() -> str:
    """The host's address as containers see it; empty without a Docker engine."""
    if shutil.which("docker") is None:
        return ""
    command = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        return ""
    network = json.loads(told.stdout)[0]
    # An older engine does not name the gateway; it is the network's first address.
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


def _python313() -> str:
    """A folder with the Python that the function runs on; `sam build` wants it on PATH."""
    asked = ["make", "--silent", "--no-print-directory", "python313"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=platform.ROOT).stdout.strip()
    return str(Path(found).parent) if found.startswith("/") else ""


def _sam(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{_python313()}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [str(SAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=platform.ROOT)


@pytest.mark.docker
@pytest.mark.sam
@pytest.mark.slow
def test_the_built_function_installs_a_release_under_sam_local_invoke(tmp_path: Path) -> None:
    """Layer, charts, handler and helm as Lambda would run them, against a cluster and an EKS on this machine."""
    host = _bridge()
    if not host or not SAM.exists():
        pytest.skip("needs a Docker engine and the SAM CLI (make sam-tools)")
    build = tmp_path / "build"
    template = platform.INFRA / "cluster-services" / "function.yaml"
    built = _sam("build", "--template-file", template, "--build-dir", build, "--cache-dir", tmp_path / "cache")
    assert built.returncode == 0, built.stderr
    _bring_boto3(build / "HelmReleaseFunction")
    with AwsLoopback(host) as aws, KubernetesApi(tmp_path, host) as cluster:
        known(aws, cluster)
        _ask_instead(build / "template.yaml", aws.address)
        for name in ("create", "too-long"):
            event = tmp_path / f"{name}.json"
            event.write_text(json.dumps(sample(name, aws)))
            invoked = _sam(
                *("local", "invoke", "HelmReleaseFunction", "--template-file", build / "template.yaml"),
                *("--event", event, "--skip-pull-image", "--container-host-interface", "0.0.0.0"),
            )
            assert invoked.returncode == 0, invoked.stderr
            assert len(aws.answers) == {"create": 1, "too-long": 2}[name], invoked.stderr
        created, refused = map(json.loads, aws.answers)
    assert (created["Status"], created["Data"]["Outcome"]) == ("SUCCESS", "installed")
    assert ("v1", "configmaps", "monitoring", "dashboard-router") in cluster.store.objects
    assert "let Argo CD carry the release" in refused["Reason"]
    assert cluster.failures == []


def _bring_boto3(function: Path) -> None:
    """Lambda's own image has boto3, one that stands in for it need not."""
    for package in ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3"):
        found = importlib.util.find_spec(package)
        shutil.copytree(Path(found.origin).parent, function / package, dirs_exist_ok=True)
    shutil.copy(importlib.util.find_spec("six").origin, function)


def _ask_instead(template: Path, address: str) -> None:
    """Give the built function an address for EKS: the SAM CLI passes on only variables that the template has."""
    document = templates.load(template)
    variables = document["Resources"]["HelmReleaseFunction"]["Properties"]["Environment"]["Variables"]
    variables["AWS_ENDPOINT_URL_EKS"] = address
    template.write_text(yaml.safe_dump(document, sort_keys=False))
