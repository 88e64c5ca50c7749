"""The three environments may stand in one account: no name that is unique there is taken twice."""

import re
from collections.abc import Iterator

import pytest

from infra.tools import resolve, stacks
from tests.infra import world

ACCOUNT = "111111111111"
# Unique in an account, or in an account and region. Others are named by AWS itself, or only within their parent.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::EKS::Cluster": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::ResourcePolicy": "PolicyName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SES::ConfigurationSet": "Name",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SecretsManager::Secret": "Name",
}


def named(environment: str) -> Iterator[tuple[str, str]]:
    """Kind and name of what has a name of ours in an environment, the router's stack included."""
    resources = dict(world.build(environment).resources)
    given = stacks.values("router", environment) | {"CatchAllEmail": "somebody@tocsin.test"}
    resources |= resolve.resolve(stacks.template_of("router"), given).resources
    cluster = world.parameters_of(environment, "cluster-infrastructure")["ClusterName"]
    for resource in resources.values():
        name = resource["Properties"].get(NAMES.get(resource["Type"], ""))
        if name:
            name = re.sub(r"\d{12}", ACCOUNT, str(name)).replace("<stack>", stacks.stack_name("router", environment))
            yield resource["Type"], name.replace("<ControlPlane/Cluster>", cluster)


@pytest.mark.parametrize(
    ("one", "other"), [("integration", "staging"), ("staging", "production"), ("production", "integration")]
)
def test_no_name_is_taken_twice(one: str, other: str) -> None:
    assert sorted(set(named(one)) & set(named(other))) == []


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
def test_within_an_environment_neither(environment: str) -> None:
    found = list(named(environment))
    assert sorted(each for each in set(found) if found.count(each) > 1) == []
    assert {kind for kind, _ in found} >= {"AWS::IAM::Role", "AWS::SecretsManager::Secret", "AWS::SQS::Queue"}
