"""The way of a deployment, told to a CloudFormation that remembers what it was asked."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.tools import bootstrap, changes, deploy, stacks


def change(
    name: str, kind: str = "AWS::Logs::LogGroup", action: str = "Modify", replacement: str = "False", **more: Any
) -> dict:
    given = {
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Action": action,
        "Replacement": replacement,
        "Details": [],
    } | more
    return {"Type": "Resource", "ResourceChange": given}


NESTED = change("Network", changes.STACK_TYPE, ChangeSetId="arn:network")
REPLACED = change(
    "Cluster",
    "AWS::EKS::Cluster",
    "Modify",
    "True",
    Details=[{"Target": {"Attribute": "Properties", "Name": "RoleArn"}}],
)


class CloudFormation:
    """Stands for the service: what change sets hold, how stacks are, and every call that was made."""

    def __init__(self, change_sets: dict[str, list[dict]], statuses: list[str], *, standing: bool = True) -> None:
        self.change_sets, self.statuses, self.standing = change_sets, list(statuses), standing
        self.refusal: str | None = None
        self.calls: list[tuple[str, dict]] = []
        self.events: dict[str, list[dict]] = {}

    def __getattr__(self, name: str) -> Callable[..., dict]:
        def call(**given: Any) -> dict:
            self.calls.append((name, given))
            return {}

        return call

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def describe_stacks(self, **given: Any) -> dict:
        if not self.standing:
            message = f"Stack with id {given['StackName']} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]}]}

    def create_change_set(self, **given: Any) -> dict:
        self.calls.append(("create_change_set", given))
        return {"Id": "arn:root"}

    def describe_change_set(self, **_: Any) -> dict:
        if self.refusal:
            return {"Status": "FAILED", "StatusReason": self.refusal}
        return {"Status": "CREATE_COMPLETE"}

    def get_paginator(self, name: str) -> "CloudFormation":
        assert name == "describe_change_set"
        return self

    def paginate(self, **given: Any) -> list[dict]:
        found = self.change_sets[given["ChangeSetName"]]
        return [{"Changes": found[:1]}, {"Changes": found[1:]}]

    def describe_stack_events(self, **given: Any) -> dict:
        return {"StackEvents": self.events[given["StackName"]]}


def run(
    cloud: CloudFormation, environment: str = "staging", *, answer: bool = True, replace: bool = False
) -> list[str]:
    asked: list[str] = []
    deployment = deploy.Deployment(
        cloud, environment, ask=lambda question: bool(asked.append(question)) or answer, wait=lambda: None
    )
    deployment.deploy("cluster-access", "https://bucket/template", "arn:aws:iam::1:role/execution", replace=replace)
    return asked


def test_changes_are_shown_with_those_of_parts_then_asked_then_executed(capsys: pytest.CaptureFixture[str]) -> None:
    sets = {
        "arn:root": [NESTED, change("Role", "AWS::IAM::Role")],
        "arn:network": [change("Vpc", "AWS::EC2::VPC", "Add")],
    }
    cloud = CloudFormation(sets, ["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"])
    assert run(cloud) == ["platform-staging-access: execute? "]
    shown = capsys.readouterr().out
    assert "1 to add, 1 to modify" in shown
    assert "Network/Vpc" in shown
    assert cloud.names() == ["create_change_set", "execute_change_set"]
    request = cloud.calls[0][1]
    assert request["ChangeSetType"] == "UPDATE"
    assert request["IncludeNestedStacks"] is True
    assert request["RoleARN"] == "arn:aws:iam::1:role/execution"
    assert {"ParameterKey": "Environment", "ParameterValue": "staging"} in request["Parameters"]


@pytest.mark.parametrize(
    "reason", ["The submitted information didn't contain changes.", "No updates are to be performed."]
)
def test_nothing_to_do_is_no_failure(reason: str) -> None:
    cloud = CloudFormation({}, ["UPDATE_COMPLETE"])
    cloud.refusal = reason
    assert run(cloud) == []
    assert cloud.names() == ["create_change_set", "delete_change_set"]


def test_a_refused_change_set_says_why_and_leaves_none_behind() -> None:
    cloud = CloudFormation({}, ["UPDATE_COMPLETE"])
    cloud.refusal = "Template error: no such export"
    with pytest.raises(deploy.DeployError, match="no such export"):
        run(cloud)
    assert cloud.names()[-1] == "delete_change_set"


def test_what_cannot_be_undone_needs_a_second_word(capsys: pytest.CaptureFixture[str]) -> None:
    cloud = CloudFormation({"arn:root": [change("Role", "AWS::IAM::Role"), REPLACED]}, ["UPDATE_COMPLETE"])
    with pytest.raises(deploy.DeployError, match="would replace or remove Cluster"):
        run(cloud)
    assert "execute_change_set" not in cloud.names()
    first = capsys.readouterr().out.splitlines()[1]
    assert first.split() == ["!!", "REPLACE", "Cluster", "AWS::EKS::Cluster", "(RoleArn)"]
    assert run(CloudFormation({"arn:root": [REPLACED]}, ["UPDATE_COMPLETE"]), replace=True)


def test_a_no_leaves_nothing_behind() -> None:
    cloud = CloudFormation({"arn:root": [change("Role")]}, ["UPDATE_COMPLETE"])
    with pytest.raises(deploy.DeployError, match="not executed"):
        run(cloud, answer=False)
    assert cloud.names() == ["create_change_set", "delete_change_set"]


def test_a_failed_deployment_tells_the_reason_from_the_part_where_it_arose() -> None:
    cloud = CloudFormation({"arn:root": [change("Role")]}, ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
    part = {"StackId": "arn:stack", "ResourceType": changes.STACK_TYPE, "PhysicalResourceId": "arn:part"}
    cloud.events = {
        "platform-staging-access": [
            {
                "LogicalResourceId": "Nodes",
                "ResourceStatus": "UPDATE_FAILED",
                "ResourceStatusReason": "embedded",
                **part,
            },
            {"LogicalResourceId": "Role", "ResourceStatus": "UPDATE_COMPLETE", "ResourceType": "AWS::IAM::Role"},
        ],
        "arn:part": [
            {
                "LogicalResourceId": "Blue",
                "ResourceStatus": "UPDATE_FAILED",
                "ResourceStatusReason": "no capacity",
                "ResourceType": "X",
            },
        ],
    }
    with pytest.raises(deploy.DeployError, match=r"(?s)UPDATE_ROLLBACK_COMPLETE.*Nodes: embedded.*Blue: no capacity"):
        run(cloud)


def test_a_stack_that_never_ends_is_told_after_a_while() -> None:
    with pytest.raises(deploy.DeployError, match="still not finished"):
        run(CloudFormation({"arn:root": [change("Role")]}, ["UPDATE_IN_PROGRESS"]))


@pytest.mark.parametrize(("environment", "protected"), [("production", True), ("staging", False)])
def test_production_is_protected_from_deletion(environment: str, protected: bool) -> None:
    cloud = CloudFormation({"arn:root": [change("Role")]}, ["UPDATE_COMPLETE"])
    run(cloud, environment)
    assert ("update_termination_protection" in cloud.names()) is protected


@pytest.mark.parametrize(
    ("statuses", "standing", "kind"),
    [(["UPDATE_COMPLETE"], True, "UPDATE"), (["REVIEW_IN_PROGRESS"], True, "CREATE"), ([], False, "CREATE")],
)
def test_a_stack_without_resources_is_created(statuses: list[str], standing: bool, kind: str) -> None:
    cloud = CloudFormation({}, statuses, standing=standing)
    request = deploy.Deployment(cloud, "staging", ask=lambda _: True, wait=lambda: None).request(
        "cluster-access", "url", None
    )
    assert request["ChangeSetType"] == kind
    assert "RoleARN" not in request


def test_other_errors_of_the_service_are_not_taken_for_a_missing_stack() -> None:
    cloud = CloudFormation({}, [])
    cloud.describe_stacks = lambda **_: (_ for _ in ()).throw(
        ClientError({"Error": {"Code": "X", "Message": "denied"}}, "D")
    )
    with pytest.raises(ClientError, match="denied"):
        deploy.exists(cloud, "any")


def test_a_plan_shows_and_deletes() -> None:
    cloud = CloudFormation({"arn:root": [change("Role"), REPLACED]}, ["UPDATE_COMPLETE"])
    deployment = deploy.Deployment(
        cloud, "staging", ask=lambda _: pytest.fail("a plan asks nothing"), wait=lambda: None
    )
    deployment.plan("cluster-access", "url", None)
    assert cloud.names() == ["create_change_set", "delete_change_set"]
    (comment,) = deployment.report
    assert "| :warning: | REPLACE | `Cluster` | AWS::EKS::Cluster | `RoleArn` |" in comment


def test_a_plan_of_what_does_not_stand_makes_no_change_set() -> None:
    cloud = CloudFormation({}, [], standing=False)
    deployment = deploy.Deployment(cloud, "staging", ask=lambda _: True, wait=lambda: None)
    deployment.plan("cluster-access", "url", None)
    assert cloud.names() == []
    assert "everything in it would be added" in deployment.report[0]


def test_a_comment_stays_within_what_github_takes() -> None:
    many = [
        changes.Change("Part/" * 5, f"Resource{number}" * 3, "AWS::EC2::Subnet", "Modify", "True", ("CidrBlock",))
        for number in range(900)
    ]
    comment = changes.as_markdown("stack", many)
    assert len(comment) < 65_536
    assert "700 more" in comment


@pytest.mark.parametrize(
    ("action", "replacement", "verb"),
    [
        ("Add", "False", "add"),
        ("Modify", "False", "modify"),
        ("Modify", "True", "REPLACE"),
        ("Modify", "Conditional", "maybe REPLACE"),
        ("Remove", "False", "REMOVE"),
    ],
)
def test_verbs(action: str, replacement: str, verb: str) -> None:
    assert changes.Change("", "It", "AWS::EC2::VPC", action, replacement, ()).verb == verb


def test_no_changes_are_told_too() -> None:
    assert changes.as_text("stack", []) == "stack: no changes\n"
    assert "No changes" in changes.as_markdown("stack", [])


def test_layers_keep_their_order_however_they_are_named() -> None:
    assert deploy.chosen_layers(["cluster-access", "cluster-infrastructure"]) == [
        "cluster-infrastructure",
        "cluster-access",
    ]
    assert deploy.chosen_layers([])[:2] == ["cluster-infrastructure", "cluster-access"]


def test_names_of_stacks() -> None:
    assert stacks.stack_name("router", "staging") == "tocsin-staging"
    assert stacks.stack_name("cluster-infrastructure", "production") == "platform-production-infrastructure"


@pytest.mark.parametrize(
    "arguments", [["somewhere"], ["staging", "cluster-acess"], ["staging", "cluster-access", "router"]]
)
def test_unknown_names_are_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        deploy.main(arguments)
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


def test_a_large_template_goes_by_the_bucket() -> None:
    stored: dict[str, Any] = {}

    class Storage:
        def put_object(self, **given: Any) -> None:
            stored.update(given)

    url = deploy.publish(Storage(), "Resources: {}", "bucket", "plan/cluster-access", "eu-west-1")
    assert url == f"https://bucket.s3.eu-west-1.amazonaws.com/{stored['Key']}"
    assert stored["Key"].startswith("plan/cluster-access/")


def test_the_bootstrap_hands_sam_the_parameters_that_have_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "sam_cli", lambda: "sam")
    command = bootstrap.command("staging")
    values = json.loads((stacks.INFRA / "parameters/staging/deploy-roles.json").read_text(encoding="utf-8"))
    assert command[command.index("--parameter-overrides") + 1 :] == [
        f"{key}={value}" for key, value in values.items() if value
    ]
    assert Path(command[command.index("--template-file") + 1]).exists()
    assert Path(command[command.index("--config-file") + 1]).exists()


def test_make_asks_for_the_environment() -> None:
    root = stacks.INFRA.parent
    done = subprocess.run(
        ["make", "-f", "infra/infra.mk", "env-given"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "ENV=integration, staging or production" in done.stderr
