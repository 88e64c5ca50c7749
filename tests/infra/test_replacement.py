"""The guard that names what a change of templates would make anew or remove."""

import subprocess
from pathlib import Path

import pytest

from infra.tools import replacement, stacks
from tests.infra import policy, world


def losses(mutate: world.Mutation) -> list[replacement.Loss]:
    return list(replacement.losses(world.build("production").resources, world.build("production", mutate).resources))


REPLACED = [
    (policy.parameter("ClusterName", "other"), "infrastructure/ControlPlane/Cluster", "Name"),
    (policy.parameter("ServiceCidr", "172.21.0.0/16"), "infrastructure/ControlPlane/Cluster", "ServiceIpv4Cidr"),
    (
        policy.parameter("BootstrapCreatorAdmin", "true"),
        "infrastructure/ControlPlane/Cluster",
        "BootstrapClusterCreatorAdmin",
    ),
    (
        policy.parameter("PrivateSubnetCidrs", "10.13.16.0/22,10.13.8.0/22,10.13.12.0/22"),
        "infrastructure/Network/PrivateSubnetA",
        "CidrBlock",
    ),
    (
        policy.parameter("AvailabilityZones", "eu-west-1b,eu-west-1a,eu-west-1c"),
        "infrastructure/Network/PublicSubnetA",
        "AvailabilityZone",
    ),
    (policy.parameter("BlueInstanceTypes", "m9g.4xlarge"), "infrastructure/Nodes/BlueNodes", "InstanceTypes"),
    (policy.parameter("BlueAmiType", "AL2023_x86_64_STANDARD"), "infrastructure/Nodes/BlueNodes", "AmiType"),
    (policy.parameter("ZoneName", "other.example.org"), "infrastructure/Dns/Zone", "Name"),
    (
        policy.put("identities.yaml", "ContainerLogs", "LogGroupName", "/else"),
        "infrastructure/Identities/ContainerLogs",
        "LogGroupName",
    ),
    (
        policy.put("addons.yaml", "GrafanaIdentity", "ServiceAccount", "grafana"),
        "infrastructure/Addons/GrafanaIdentity",
        "ServiceAccount",
    ),
]


@pytest.mark.parametrize(
    ("mutate", "path", "because"), REPLACED, ids=[f"{path} {because}" for _, path, because in REPLACED]
)
def test_a_replacement_is_named(mutate: world.Mutation, path: str, because: str) -> None:
    found = {loss.path: loss for loss in losses(mutate)}
    assert because in ",".join(found[path].properties)


UPDATED = [
    (policy.parameter("KubernetesVersion", "1.37"), "the control plane is upgraded in place"),
    (policy.parameter("BlueKubernetesVersion", "1.37"), "nodes roll within their group"),
    (policy.parameter("BlueMax", "30"), "more nodes"),
    (policy.parameter("DiskSizeGib", "200"), "a new version of the launch template"),
    (policy.parameter("CoreDnsVersion", "v1.13.2-eksbuild.3"), "an add-on is pinned"),
    (policy.parameter("PublicAccessCidrs", "192.0.2.0/24"), "the endpoint opens"),
    (policy.parameter("GreenEnabled", "true"), "the other colour starts"),
    (policy.parameter("LogRetentionDays", "1096"), "logs are kept longer"),
]


@pytest.mark.parametrize(("mutate", "sentence"), UPDATED, ids=[sentence for _, sentence in UPDATED])
def test_an_update_in_place_loses_nothing(mutate: world.Mutation, sentence: str) -> None:
    assert losses(mutate) == [], sentence


def test_a_removed_resource_is_named_and_what_is_precious_marked() -> None:
    found = {loss.path: loss for loss in losses(policy.remove("network.yaml", "FlowLog"))}
    assert (
        str(found["infrastructure/Network/FlowLog"])
        == "infrastructure/Network/FlowLog (AWS::EC2::FlowLog) would be removed"
    )
    (cluster, *_) = [
        loss for loss in losses(policy.parameter("ClusterName", "other")) if loss.resource_type == "AWS::EKS::Cluster"
    ]
    assert cluster.is_precious
    assert str(cluster).startswith("!! ")


def test_another_type_under_the_same_name_is_a_replacement() -> None:
    def retyped(sources: world.Templates, _: world.Parameters) -> None:
        sources["network.yaml"]["Resources"]["FlowLog"]["Type"] = "AWS::Logs::LogGroup"

    assert [(loss.path, loss.properties) for loss in losses(retyped)] == [("infrastructure/Network/FlowLog", ("Type",))]


def test_properties_in_lists_are_compared_each() -> None:
    node = {"Rules": [{"Key": 1}, {"Key": 2}]}
    assert replacement._at(node, ["Rules", "*", "Key"]) == [1, 2]
    assert replacement._at(node, ["Rules", "*", "Other"]) != replacement._at(node, ["Rules", "*", "Key"])


@pytest.mark.parametrize(
    ("resource_type", "properties"),
    [
        ("Custom::HelmRelease", [["ServiceToken"]]),
        ("AWS::Serverless::SimpleTable", []),
        ("AWS::NoSuch::Type", []),
    ],
)
def test_types_that_aws_has_no_schema_for(resource_type: str, properties: list[list[str]]) -> None:
    assert replacement.create_only(resource_type) == properties


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own with the access layer and the router in it, committed."""
    for name in ("template.yaml", "samconfig.toml"):
        (tmp_path / name).write_text((world.INFRA.parent / name).read_text(encoding="utf-8"), encoding="utf-8")
    for name in ("cluster-access/template.yaml", "cluster-access/people.yaml"):
        target = tmp_path / "infra" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((world.INFRA / name).read_text(encoding="utf-8"), encoding="utf-8")
    for environment in world.ENVIRONMENTS:
        target = tmp_path / "infra" / "parameters" / environment / "cluster-access.json"
        target.parent.mkdir(parents=True)
        source = world.INFRA / "parameters" / environment / "cluster-access.json"
        target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(stacks, "ROOT", tmp_path)
    monkeypatch.setattr(stacks, "INFRA", tmp_path / "infra")
    return tmp_path


def test_the_working_tree_is_compared_with_a_revision(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replacement.main(["--against", "HEAD"]) == 0
    assert capsys.readouterr().out == ""
    people = repository / "infra" / "cluster-access" / "people.yaml"
    people.write_text(
        people.read_text(encoding="utf-8").replace("${ClusterName}-developer", "${ClusterName}-dev"), encoding="utf-8"
    )
    assert replacement.main(["--against", "HEAD"]) == 0, "a role is made again, nothing is lost"
    told = capsys.readouterr().out
    assert told.count("RoleName") == len(world.ENVIRONMENTS)
    assert "platform-production-access: People/DeveloperRole" in told


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
@pytest.mark.parametrize("layer", [*stacks.LAYERS, stacks.ROUTER])
def test_every_layer_can_be_compared_by_itself(layer: str, environment: str) -> None:
    """As the job on a pull request does: without what the layers beneath export."""
    assert replacement.resolved(layer, environment, lambda path: path.read_text(encoding="utf-8"))


def test_a_table_of_the_router_that_would_be_made_anew_is_lost(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    router = repository / "template.yaml"
    text = router.read_text(encoding="utf-8")
    router.write_text(text.replace("AttributeName: sk, KeyType: RANGE", "AttributeName: sort, KeyType: RANGE"), "utf-8")
    assert replacement.main(["--against", "HEAD"]) == 1
    told = capsys.readouterr().out
    assert told.count("tocsin-") == len(world.ENVIRONMENTS)
    assert "KeySchema" in told


def test_a_layer_that_the_revision_does_not_have_loses_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replacement.main(["--against", "no-such-revision"]) == 0
    assert capsys.readouterr().out == ""
