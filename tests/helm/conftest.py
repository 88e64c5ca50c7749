"""A cluster, an AWS and the release function's own modules, for the tests of this directory."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "functions" / "helm_release"))  # as in Lambda, where it is the task's root

from helm_release import handling  # noqa: E402 - found by the line above
from helm_release.cluster import EksClusters  # noqa: E402
from helm_release.deadline import Reserves  # noqa: E402

from tests.helm.aws_loopback import AwsLoopback  # noqa: E402
from tests.helm.kubernetes_api import KubernetesApi  # noqa: E402

TOOLS = ROOT / ".tools" / "bin"
CLUSTER = "tocsin-test"
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/services/5f1c2d3e-0000-4000-8000-000000000001"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this directory that need the layer's programs say so, and are skipped without them."""
    if (TOOLS / "helm").exists():
        return
    for test in items:
        if test.get_closest_marker("helm"):
            test.add_marker(pytest.mark.skip(reason="helm and kubectl are not there: make helm-tools"))


@dataclass
class Function:
    """The release function with a cluster to work on; each call is one invocation."""

    aws: AwsLoopback
    cluster: KubernetesApi
    tools: handling.Tools
    placed: dict[str, str] = field(default_factory=dict)

    def __call__(
        self,
        kind: str,
        values: dict[str, Any] | str | None = None,
        *,
        seconds: float = 200,
        reserves: Reserves | None = None,
        stack: str = STACK,
        **properties: str,
    ) -> dict[str, Any]:
        """One invocation; returns what CloudFormation was told.

        With ``reserves`` the clock stands still, so that each program gets the same time however busy the machine is.
        """
        event = self.event(kind, values, stack=stack, **properties)
        tools = self.tools
        if reserves:
            tools = handling.Tools(**{**_fields(tools), "reserves": reserves})
        handling.serve(event, (lambda: seconds * 1000) if reserves else countdown(seconds), tools)
        answer = self.aws.answer
        self.placed[event["LogicalResourceId"]] = answer["PhysicalResourceId"]
        return answer

    def event(self, kind: str, values: dict[str, Any] | str | None, *, stack: str, **properties: str) -> dict[str, Any]:
        text = values if isinstance(values, str) else json.dumps(values or {})
        wanted = {
            "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:helm-release",
            "Cluster": CLUSTER,
            "Namespace": "apps",
            "Release": "greeter",
            "Chart": "greeter",
            "Repository": "first-party",
            "Version": "1.0.0",
            "Timeout": "20",
            "Values": text,
            **properties,
        }
        event = {
            "RequestType": kind,
            "ResponseURL": f"{self.aws.address}/answer?X-Amz-Signature=signature-of-the-address",
            "StackId": stack,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": "Greeter",
            "ResourceType": "Custom::HelmRelease",
            "ResourceProperties": {name: value for name, value in wanted.items() if value},
        }
        if kind != "Create":
            event["PhysicalResourceId"] = self.placed.get("Greeter", f"{CLUSTER}/apps/greeter")
        return event

    def config(self) -> dict[str, Any]:
        """The chart's ConfigMap, which shows the values that the cluster has."""
        return self.cluster.named("configmaps", "apps", "greeter")["data"]

    def revisions(self) -> list[tuple[str, str]]:
        """Helm's records, oldest first: (revision, status)."""
        found = self.cluster.store.select(("v1", "secrets", "apps"), "owner=helm")
        labels = [each["metadata"]["labels"] for each in found]
        return sorted(((each["version"], each["status"]) for each in labels), key=lambda pair: int(pair[0]))


def _fields(tools: handling.Tools) -> dict[str, Any]:
    return {name: getattr(tools, name) for name in handling.Tools.__dataclass_fields__}


def countdown(seconds: float) -> Callable[[], float]:
    """Lambda's clock: milliseconds left of ``seconds`` that begin now."""
    end = time.monotonic() + seconds
    return lambda: (end - time.monotonic()) * 1000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path) as api:
        api.store.put(("v1", "namespaces", "", "apps"), {})
        yield api
    assert not api.failures, "the pretended API server itself failed"


@pytest.fixture
def aws() -> Iterator[AwsLoopback]:
    with AwsLoopback() as loopback:
        yield loopback


@pytest.fixture
def session(aws: AwsLoopback, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EKS", aws.address)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    return boto3.Session(
        aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="the-secret-access-key", region_name="eu-west-1"
    )


@pytest.fixture
def function(aws: AwsLoopback, cluster: KubernetesApi, session: boto3.Session, tmp_path: Path) -> Function:
    aws.clusters[CLUSTER] = {
        "status": "ACTIVE",
        "endpoint": cluster.address,
        "certificateAuthority": {"data": cluster.authority},
    }
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tools = handling.Tools(
        clusters=EksClusters(session),
        helm=str(TOOLS / "helm"),
        kubectl=str(TOOLS / "kubectl"),
        first_party=Path(__file__).parent / "charts",
        scratch=scratch,
    )
    return Function(aws, cluster, tools)
