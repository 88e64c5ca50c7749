"""The deploying roles' rights, rendered from what the templates contain."""

import re
from pathlib import Path

import pytest
import yaml

from infra.tools import permissions
from tests.infra import world

RENDERED = yaml.safe_load(permissions.RENDERED.read_text(encoding="utf-8"))


def allowed(role: str) -> set[str]:
    statements = [
        statement
        for name, resource in RENDERED["Resources"].items()
        if name.startswith(role)
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    return {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_it_is_what_the_templates_need_now() -> None:
    assert permissions.RENDERED.read_text(encoding="utf-8") == permissions.rendered(), "run make render-platform"


def test_every_type_in_use_can_be_made() -> None:
    used = {resource["Type"] for resource in world.build("production").resources.values()}
    types = {name for name in used if not name.startswith(("AWS::IAM::OIDC", "AWS::S3"))}
    assert permissions.actions(types, ("create", "delete")) <= allowed("Execution")


def test_the_planning_role_only_reads() -> None:
    changing = {action for action in allowed("Plan") if not re.match(r"[\w-]+:(Describe|Get|List)", action)}
    assert changing == set()


def test_nothing_touches_users_and_groups() -> None:
    assert not [action for action in allowed("Execution") if re.search(r"(User|Group)Policy$", action)]


def test_roles_outside_the_platform_are_out_of_reach() -> None:
    for resource in RENDERED["Resources"].values():
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if any(action.startswith("iam:") and not action.startswith("iam:List") for action in actions):
                names = [target["Fn::Sub"].split("AccountId}:")[1] for target in statement["Resource"]]
                assert all(
                    re.match(r"(role|policy)/platform[-/]\*|instance-profile/eks-\*|role/aws-service-role/", name)
                    for name in names
                )


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
    monkeypatch.setattr(permissions, "RENDERED", tmp_path / "execution-policies.yaml")
    assert permissions.main(["--check"]) == 1
    assert "make render-platform" in capsys.readouterr().out
    assert permissions.main([]) == 0
    assert permissions.main(["--check"]) == 0
