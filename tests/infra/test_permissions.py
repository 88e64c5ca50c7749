"""The deploying roles' rights, rendered from what the templates contain."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.tools import permissions
from tests.aws.template import transformed
from tests.infra import world

SYSTEMS = pytest.mark.parametrize(
    "system", [permissions.PLATFORM, permissions.ROUTER], ids=lambda system: system.prefix
)


def resources(system: permissions.System) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(system.rendered.read_text(encoding="utf-8"))["Resources"]
    return found


def allowed(role: str, system: permissions.System) -> set[str]:
    statements = [
        statement
        for name, resource in resources(system).items()
        if name.startswith(role)
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    return {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


@SYSTEMS
def test_it_is_what_the_templates_need_now(system: permissions.System) -> None:
    assert system.rendered.read_text(encoding="utf-8") == permissions.rendered(system), "run make render-platform"


def test_every_type_in_use_can_be_made() -> None:
    used = {resource["Type"] for resource in world.build("production").resources.values()}
    types = {name for name in used if not name.startswith(("AWS::IAM::OIDC", "AWS::S3"))}
    assert permissions.actions(types, ("create", "delete")) <= allowed("Execution", permissions.PLATFORM)


def test_the_router_can_be_made_from_what_sam_makes_of_it() -> None:
    used = {resource["Type"] for resource in transformed({"CatchAllEmail": "a@tocsin.test"})["Resources"].values()}
    assert {"AWS::Lambda::EventSourceMapping", "AWS::ApiGatewayV2::Stage", "AWS::DynamoDB::Table"} < used
    assert permissions.actions(used, ("create", "delete")) <= allowed("Execution", permissions.ROUTER)


def test_whoever_deploys_the_router_reads_nobodys_alerts() -> None:
    assert not [name for name in allowed("Execution", permissions.ROUTER) if re.search(r":(\w*Item|Query|Scan)$", name)]


@SYSTEMS
def test_the_planning_role_only_reads(system: permissions.System) -> None:
    reads = re.compile(r"[\w-]+:(Describe|Get|List)|apigateway:GET$")
    changing = {action for action in allowed("Plan", system) if not reads.match(action)}
    assert changing == set()


@SYSTEMS
def test_nothing_touches_users_and_groups(system: permissions.System) -> None:
    assert not [action for action in allowed("Execution", system) if re.search(r"(User|Group)Policy$", action)]


@SYSTEMS
def test_roles_of_others_are_out_of_reach(system: permissions.System) -> None:
    ours = re.compile(rf"(role|policy)/{system.prefix}[-/]\*|instance-profile/eks-\*|role/aws-service-role/")
    for resource in resources(system).values():
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if any(action.startswith("iam:") and not action.startswith("iam:List") for action in actions):
                names = [target["Fn::Sub"].split("AccountId}:")[1] for target in statement["Resource"]]
                assert all(map(ours.match, names))


def test_a_new_type_brings_its_rights(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: { Topic: { Type: 'AWS::SNS::Topic' } }", encoding="utf-8")
    types = permissions.resource_types([template])
    assert "sns:CreateTopic" in permissions.actions(types, ("create",))
    assert "sns:CreateTopic" not in permissions.actions(types, ("read", "list"))


@pytest.mark.parametrize(
    ("declared", "types"),
    [
        ("AWS::Serverless::Application", set()),
        ("Custom::HelmRelease", {"AWS::Lambda::Function"}),
        ("AWS::CloudFormation::CustomResource", {"AWS::Lambda::Function"}),
        ("AWS::Serverless::LayerVersion", {"AWS::Lambda::LayerVersion"}),
    ],
)
def test_types_that_are_no_resources_of_aws(declared: str, types: set[str], tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(f"Resources: {{ It: {{ Type: '{declared}' }} }}", encoding="utf-8")
    assert permissions.resource_types([template]) == types


def test_policies_are_split_before_they_are_too_long() -> None:
    long = [{"Action": ["ec2:Describe" + "x" * 40] * 60} for _ in range(5)]
    packed = permissions.packed(long)
    assert [statement for policy in packed for statement in policy] == long
    assert len(packed) > 1


def test_check_says_that_it_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PLATFORM", "ROUTER"):
        elsewhere = dataclasses.replace(getattr(permissions, name), rendered=tmp_path / f"{name}.yaml")
        monkeypatch.setattr(permissions, name, elsewhere)
    assert permissions.main(["--check"]) == 1
    assert "make render-platform" in capsys.readouterr().out
    assert permissions.main([]) == 0
    assert permissions.main(["--check"]) == 0
