"""Every parameter set resolved, part by part, against goldens that a reviewer can read."""

from collections.abc import Callable

import pytest
import yaml

from infra.tools import changes, resolve, stacks, templates
from tests.infra import world


def parts() -> list[str]:
    """Return layer and part of all resources.

    Left out: the rendered rights, a golden of themselves, and the third layer (tests/helm/test_goldens.py).
    """
    found = {tuple(path.split("/")[:2]) for path in world.build("production").resources if path.count("/") > 1}
    return sorted("/".join(names) for names in found if names[0] != "services" and "Policies" not in names[1])


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
@pytest.mark.parametrize("part", parts())
def test_part(environment: str, part: str, golden: Callable[[str, str], None]) -> None:
    resources = {
        path.removeprefix(f"{part}/"): resource
        for path, resource in world.build(environment).resources.items()
        if path.startswith(f"{part}/")
    }
    golden(f"{environment}/{part}.yaml", yaml.safe_dump(resources, sort_keys=True, width=140, default_flow_style=None))


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
def test_roots(environment: str, golden: Callable[[str, str], None]) -> None:
    resources = {
        path: resource for path, resource in world.build(environment).resources.items() if path.count("/") == 1
    }
    golden(f"{environment}/roots.yaml", yaml.safe_dump(resources, sort_keys=True, width=140, default_flow_style=None))


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
def test_parameter_sets_agree_with_each_other_and_with_the_table(environment: str) -> None:
    found = {stack: world.parameters_of(environment, stack) for stack in world.STACKS}
    assert {values["Environment"] for values in found.values()} == {environment}
    table = yaml.safe_load((world.INFRA / "cluster-access/personas.yaml").read_text(encoding="utf-8"))
    assert table["environments"][environment]["cluster"] == found["cluster-infrastructure"]["ClusterName"]
    assert table["environments"][environment]["account"] == world.ACCOUNTS[environment]
    assert len({found[layer]["AccessMode"] for layer in world.FOLDERS}) == 1
    readers = {found[layer].get("RouterMetricsRoleArn", "") for layer in ("cluster-infrastructure", "cluster-services")}
    assert len(readers) == 1, "Grafana may take the role that it is told to take"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PublicAccessCidrs", "0.0.0.0/0", "does not match"),
        ("PublicAccessCidrs", "192.0.2.0/24,0.0.0.0/1", "does not match"),
        ("VpcCidr", "192.168.0.0/16", "does not match"),
        ("AccessMode", "IAM", "is not among"),
        ("DiskSizeGib", "10", "is less than"),
        ("Nodes", "3", "no parameters Nodes"),
    ],
)
def test_parameters_are_refused(name: str, value: str, sentence: str) -> None:
    """What the template itself refuses before anything is made."""
    root = world.INFRA / "cluster-infrastructure/template.yaml"
    given = world.parameters_of("production", "cluster-infrastructure") | {name: value}
    with pytest.raises(resolve.ResolveError, match=sentence):
        resolve.resolve(root, given)


def test_a_list_of_offices_opens_the_public_endpoint_to_them_only() -> None:
    def offices(_: world.Templates, parameters: world.Parameters) -> None:
        parameters["cluster-infrastructure"]["PublicAccessCidrs"] = "192.0.2.0/24,198.51.100.7/32"

    given = world.build("integration", offices).resources["infrastructure/ControlPlane/Cluster"]["Properties"][
        "ResourcesVpcConfig"
    ]
    assert (given["EndpointPublicAccess"], given["PublicAccessCidrs"]) == (True, ["192.0.2.0/24", "198.51.100.7/32"])


def test_a_cluster_in_config_map_mode_has_no_access_entries_and_its_creator_as_admin() -> None:
    def old_fashioned(_: world.Templates, parameters: world.Parameters) -> None:
        parameters["cluster-infrastructure"] |= {"AccessMode": "CONFIG_MAP", "BootstrapCreatorAdmin": "true"}
        parameters["cluster-access"]["AccessMode"] = "CONFIG_MAP"
        parameters["cluster-services"]["AccessMode"] = "CONFIG_MAP"

    found = world.build("integration", old_fashioned)
    assert found.broken_rules == []
    assert list(found.of_type("AWS::EKS::AccessEntry")) == []
    assert len([path for path, _ in found.of_type("AWS::IAM::Role") if path.startswith("access/People/")]) == 5


def test_config_map_mode_without_a_creator_is_refused() -> None:
    def locked_out(_: world.Templates, parameters: world.Parameters) -> None:
        parameters["cluster-infrastructure"]["AccessMode"] = "CONFIG_MAP"

    (sentence,) = world.build("integration", locked_out).broken_rules
    assert "BootstrapCreatorAdmin" in sentence


def test_what_is_precious_exists() -> None:
    used = {resource["Type"] for resource in world.build("production").resources.values()}
    used |= {resource["Type"] for resource in templates.load(stacks.template_of(stacks.ROUTER))["Resources"].values()}
    assert used >= changes.PRECIOUS
