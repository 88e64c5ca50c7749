"""Finding what was changed by hand."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.tools import drift, stacks

ACCESS = "arn:aws:cloudformation:eu-west-1:1:stack/platform-staging-access/x"


class CloudFormation:
    """Stands for the service: nested stacks, what has drifted in each, and how detection ends."""

    def __init__(self, nested: dict[str, list[str]] | None = None, drifts: dict[str, list[dict]] | None = None) -> None:
        self.nested, self.drifts = nested or {}, drifts or {}
        self.endings = ["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"]
        self.looked_at: list[str] = []
        self.missing: set[str] = set()
        self._asked = ""

    def describe_stacks(self, **given: Any) -> dict:
        if given["StackName"] in self.missing:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "it does not exist"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}

    def detect_stack_drift(self, **given: Any) -> dict:
        self.looked_at.append(given["StackName"])
        self._endings = list(self.endings)
        return {"StackDriftDetectionId": given["StackName"]}

    def describe_stack_drift_detection_status(self, **given: Any) -> dict:
        ending = self._endings.pop(0) if len(self._endings) > 1 else self._endings[0]
        drifted = "DRIFTED" if self.drifts.get(given["StackDriftDetectionId"]) else "IN_SYNC"
        return {"DetectionStatus": ending, "StackDriftStatus": drifted, "DetectionStatusReason": "no right to read"}

    def get_paginator(self, name: str) -> "CloudFormation":
        self._asked = name
        return self

    def paginate(self, **given: Any) -> list[dict]:
        if self._asked == "list_stack_resources":
            inner = self.nested.get(given["StackName"], [])
            rows = [{"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": name} for name in inner]
            return [
                {"StackResourceSummaries": [*rows, {"ResourceType": "AWS::EC2::VPC", "PhysicalResourceId": "vpc-1"}]}
            ]
        return [{"StackResourceDrifts": self.drifts[given["StackName"]]}]


def modified(name: str, kind: str, path: str, found: str, meant: str) -> dict:
    difference = {"PropertyPath": path, "ActualValue": found, "ExpectedValue": meant}
    return {
        "LogicalResourceId": name,
        "ResourceType": kind,
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": [difference],
    }


def look(cloud: CloudFormation) -> list[str]:
    return drift.of_environment(cloud, "staging", lambda: None)


def test_nested_stacks_are_looked_into() -> None:
    cloud = CloudFormation({"platform-staging-access": ["arn:people"], "arn:people": ["arn:deeper"]})
    assert look(cloud) == []
    assert cloud.looked_at == [
        "platform-staging-infrastructure",
        "platform-staging-access",
        "arn:people",
        "arn:deeper",
        "platform-staging-services",
    ]


def test_a_changed_and_a_deleted_resource_are_told() -> None:
    gone = {"LogicalResourceId": "FlowLog", "ResourceType": "AWS::EC2::FlowLog", "StackResourceDriftStatus": "DELETED"}
    opened = modified("Cluster", "AWS::EKS::Cluster", "/ResourcesVpcConfig/EndpointPublicAccess", "true", "false")
    cloud = CloudFormation({"platform-staging-access": [ACCESS]}, {ACCESS: [gone, opened]})
    where = "platform-staging-access/Cluster (AWS::EKS::Cluster): /ResourcesVpcConfig/EndpointPublicAccess"
    assert look(cloud) == [
        "platform-staging-access/FlowLog (AWS::EC2::FlowLog) is gone",
        f"{where} is true, should be false",
    ]


def test_the_router_is_one_stack_and_looked_at_by_itself() -> None:
    cloud = CloudFormation()
    assert drift.of_environment(cloud, "staging", lambda: None, ("router",)) == []
    assert cloud.looked_at == ["tocsin-staging"]


def test_the_autoscalers_work_is_no_drift() -> None:
    scaled = modified("BlueNodes", "AWS::EKS::Nodegroup", "/ScalingConfig/DesiredSize", "9", "6")
    assert look(CloudFormation(drifts={"platform-staging-infrastructure": [scaled]})) == []
    squeezed = modified("BlueNodes", "AWS::EKS::Nodegroup", "/ScalingConfig/MaxSize", "9", "12")
    assert len(look(CloudFormation(drifts={"platform-staging-infrastructure": [squeezed]}))) == 1


@pytest.mark.parametrize(
    ("endings", "missing", "sentence"),
    [
        (["DETECTION_FAILED"], set(), "no right to read"),
        (["DETECTION_IN_PROGRESS"], set(), "did not end"),
        (["DETECTION_COMPLETE"], {"platform-staging-services"}, "the platform is not whole"),
    ],
)
def test_what_cannot_be_found_out_is_an_error_and_never_silence(
    endings: list[str], missing: set[str], sentence: str
) -> None:
    cloud = CloudFormation()
    cloud.endings, cloud.missing = endings, missing
    with pytest.raises(drift.DriftError, match=sentence):
        look(cloud)


@pytest.mark.parametrize(
    ("drifts", "missing", "code", "text"),
    [
        ({}, set(), 0, "Nothing has drifted."),
        (
            {"platform-staging-access": [modified("A", "T", "/P", "1", "2")]},
            set(),
            drift.DRIFTED,
            "/P is 1, should be 2",
        ),
        ({}, {"platform-staging-access"}, drift.UNKNOWN, "not found out"),
    ],
)
def test_the_exit_code_says_which(
    drifts: dict, missing: set[str], code: int, text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = CloudFormation(drifts=drifts)
    cloud.missing = missing
    monkeypatch.setattr(drift.boto3, "client", lambda *_, **__: cloud)
    monkeypatch.setattr(drift.time, "sleep", lambda _: None)
    report = tmp_path / "drift.md"
    assert drift.main(["staging", "--markdown", str(report)]) == code
    assert text in report.read_text(encoding="utf-8")
    assert stacks.LAYERS[0] not in text
