"""What the third layer asks of AWS: rights, times, logs. Each check is proven by a seeded mistake."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helm_release.deadline import Reserves

from infra.tools import releases
from tests.helm import platform

Resources = dict[str, dict[str, Any]]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in resources.items():
        for policy in resource["Properties"].get("Policies", []):
            if isinstance(policy, dict):
                yield from ((name, each) for each in policy["PolicyDocument"]["Statement"])
        document = resource["Properties"].get("PolicyDocument")
        if isinstance(document, dict):
            yield from ((name, each) for each in document["Statement"])


def findings(resources: Resources) -> list[str]:
    """What is wrong, a sentence each."""
    found = []
    for name, statement in statements(resources):
        if statement["Effect"] == "Allow":
            found += [f"{name} allows {action}" for action in listed(statement["Action"]) if action.endswith("*")]
            if "*" in listed(statement["Resource"]):
                found.append(f"{name} allows on everything")
    for name, resource in resources.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Logs::LogGroup" and not (
            properties.get("RetentionInDays") and properties.get("KmsKeyId")
        ):
            found.append(f"{name} is not encrypted or never ends")
        if resource["Type"] == "AWS::Serverless::Function":
            found += [f"{name}: {each}" for each in function_findings(properties)]
        if resource["Type"] == "Custom::HelmRelease" and properties["ServiceTimeout"] < 1560:
            found.append(f"{name} is given up before the function answers")
        ingress = properties.get("SecurityGroupIngress")
        if resource["Type"] == "AWS::EC2::SecurityGroup" and ingress:
            found.append(f"{name} lets somebody in")
    return sorted(found)


def function_findings(properties: dict[str, Any]) -> Iterator[str]:
    if properties["Architectures"] != ["x86_64"]:
        yield "the layer's programs do not run there"
    if properties["Timeout"] != 900:
        yield "it has less time than Lambda gives"
    if not properties.get("VpcConfig", {}).get("SubnetIds"):
        yield "it does not reach a private API server"
    if properties.get("EventInvokeConfig", {}).get("MaximumRetryAttempts") != 1:
        yield "a crash is not tried once more"
    if not properties.get("LoggingConfig"):
        yield "its log is not its own"


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_nothing_is_wrong(environment: str) -> None:
    assert findings(platform.services(environment).resources) == []


def _function(resources: Resources) -> dict[str, Any]:
    return resources["Helm/HelmReleaseFunction"]["Properties"]


def _role(resources: Resources) -> dict[str, Any]:
    return resources["Helm/HelmReleaseRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]


SEEDED: list[tuple[str, Callable[[Resources], Any]]] = [
    ("Helm/HelmReleaseRole allows eks:*", lambda r: _role(r).update(Action="eks:*")),
    ("Helm/HelmReleaseRole allows on everything", lambda r: _role(r).update(Resource="*")),
    ("Helm/HelmReleaseFunction: the layer's programs", lambda r: _function(r).update(Architectures=["arm64"])),
    ("Helm/HelmReleaseFunction: it has less time", lambda r: _function(r).update(Timeout=60)),
    ("Helm/HelmReleaseFunction: it does not reach", lambda r: _function(r).pop("VpcConfig")),
    ("Helm/HelmReleaseFunction: a crash is not", lambda r: _function(r).pop("EventInvokeConfig")),
    ("Helm/HelmReleaseFunction: its log is not", lambda r: _function(r).pop("LoggingConfig")),
    ("Helm/HelmReleaseLogs is not", lambda r: r["Helm/HelmReleaseLogs"]["Properties"].pop("KmsKeyId")),
    ("Releases/Dex is given up", lambda r: r["Releases/Dex"]["Properties"].update(ServiceTimeout=600)),
    (
        "Helm/HelmReleaseSecurityGroup lets somebody in",
        lambda r: r["Helm/HelmReleaseSecurityGroup"]["Properties"].update(SecurityGroupIngress=[{"IpProtocol": "-1"}]),
    ),
]


@pytest.mark.parametrize(("sentence", "seed"), SEEDED, ids=[sentence for sentence, _ in SEEDED])
def test_each_check_sees_its_mistake(sentence: str, seed: Callable[[Resources], Any]) -> None:
    resources = copy.deepcopy(platform.services("staging").resources)
    seed(resources)
    assert [each for each in findings(resources) if each.startswith(sentence)]


def test_only_the_functions_own_interfaces_are_denied_to_its_code() -> None:
    """Lambda makes them with the same role; the condition tells the two apart."""
    every = [s for _, s in statements(platform.services("production").resources) if s["Effect"] == "Deny"]
    denied = [s for s in every if any(action.startswith("ec2:") for action in s["Action"])]
    (statement,) = denied
    assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_a_release_that_fits_the_table_fits_the_invocation() -> None:
    assert 900 - Reserves().helm >= releases.LONGEST_TIMEOUT
    function = _function(platform.services("staging").resources)
    latest_retry = function["EventInvokeConfig"]["MaximumEventAgeInSeconds"] + 60
    assert latest_retry + function["Timeout"] <= releases.SERVICE_TIMEOUT
