"""What is made before what, as the facts of EKS demand, whatever the parameters."""

import pytest

from infra.tools import order, templates
from tests.infra import policy, world
from tests.infra.test_templates import STACKS, relative

INFRASTRUCTURE = world.INFRA / "cluster-infrastructure/template.yaml"
ORDER = [
    ("Encryption/LogsKey", "Network/FlowLogGroup", "a log group needs its key"),
    ("ControlPlane/ControlPlaneLogs", "ControlPlane/Cluster", "else EKS makes the group, unencrypted and for ever"),
    ("Encryption/SecretsKey", "ControlPlane/Cluster", "encryption cannot be added to secrets that exist"),
    ("Identities/CniRole", "ControlPlane/VpcCni", "the CNI has its own role from the first pod"),
    ("ControlPlane/PodIdentityAgent", "ControlPlane/VpcCni", "who gives roles out comes before who needs one"),
    ("ControlPlane/VpcCni", "Nodes/BlueNodes", "a node without CNI never becomes ready"),
    ("ControlPlane/VpcCni", "Nodes/GreenNodes", "a node without CNI never becomes ready"),
    ("ControlPlane/PodIdentityAgent", "Nodes/BlueNodes", "without it the CNI has no rights"),
    ("ControlPlane/VpcCni", "ControlPlane/KubeProxy", "after the CNI and the agent"),
    ("Endpoints/EcrApiEndpoint", "Nodes/BlueNodes", "nodes pull images by the endpoint"),
    ("Network/PrivateDefaultRouteA", "Nodes/BlueNodes", "nodes need a way out to join"),
    ("Nodes/BlueNodes", "Addons/CoreDns", "its pods need a node"),
    ("Nodes/GreenNodes", "Addons/CoreDns", "its pods need a node"),
    ("Nodes/BlueNodes", "Addons/EbsCsi", "its pods need a node"),
    ("Nodes/BlueNodes", "Addons/ExternalDns", "its pods need a node"),
    ("Addons/CoreDns", "Addons/ExternalDns", "it looks names up"),
    ("Dns/Zone", "Identities/ExternalDnsRole", "its rights name the zone"),
    ("Network/InternetGatewayAttachment", "Network/NatGatewayA", "NAT without a way out fails"),
]


@pytest.mark.parametrize("path", STACKS, ids=relative)
def test_there_is_an_order(path: object) -> None:
    assert order.cycle(order.graph(path)) == []


@pytest.fixture(scope="module")
def edges() -> order.Graph:
    return order.graph(INFRASTRUCTURE)


@pytest.mark.parametrize(("earlier", "later", "because"), ORDER)
def test_order(earlier: str, later: str, because: str, edges: order.Graph) -> None:
    assert {earlier, later} <= set(edges)
    assert order.comes_before(edges, earlier, later), because
    assert not order.comes_before(edges, later, earlier)


def changed(mutate: world.Mutation) -> order.Graph:
    paths = {
        path.name if path != INFRASTRUCTURE else "cluster-infrastructure": path
        for path in INFRASTRUCTURE.parent.glob("*.yaml")
    }
    sources = {name: templates.load(path) for name, path in paths.items()}
    mutate(sources, {})
    return order.graph(
        INFRASTRUCTURE, lambda path: sources[path.name if path != INFRASTRUCTURE else "cluster-infrastructure"]
    )


@pytest.mark.parametrize(
    ("mutate", "earlier", "later"),
    [
        (
            lambda t, _: t["cluster-infrastructure"]["Resources"]["Addons"].pop("DependsOn"),
            "Nodes/BlueNodes",
            "Addons/CoreDns",
        ),
        (
            lambda t, _: t["cluster-infrastructure"]["Resources"]["Nodes"].pop("DependsOn"),
            "Endpoints/EcrApiEndpoint",
            "Nodes/BlueNodes",
        ),
        (
            lambda t, _: t["cluster.yaml"]["Resources"]["Cluster"].pop("DependsOn"),
            "ControlPlane/ControlPlaneLogs",
            "ControlPlane/Cluster",
        ),
        (
            lambda t, _: t["cluster.yaml"]["Resources"]["VpcCni"].pop("DependsOn"),
            "ControlPlane/PodIdentityAgent",
            "ControlPlane/VpcCni",
        ),
        (
            policy.put("cluster-infrastructure", "Nodes", "Parameters/ClusterName", "by-name"),
            "ControlPlane/VpcCni",
            "Nodes/BlueNodes",
        ),
    ],
    ids=[
        "add-ons beside nodes",
        "nodes beside endpoints",
        "cluster beside its logs",
        "CNI beside the agent",
        "nodes that know the name",
    ],
)
def test_a_lost_order_is_noticed(mutate: world.Mutation, earlier: str, later: str) -> None:
    assert not order.comes_before(changed(mutate), earlier, later)


def test_a_cycle_is_noticed() -> None:
    def network_waits_for_nodes(sources: world.Templates, _: world.Parameters) -> None:
        sources["cluster-infrastructure"]["Resources"]["Network"]["DependsOn"] = "Nodes"

    assert "Network" in order.cycle(changed(network_waits_for_nodes))


@pytest.mark.parametrize("layer", ["cluster-access", "cluster-services"])
def test_layers_are_tied_by_imports_so_that_the_lower_cannot_go_first(layer: str) -> None:
    text = (world.INFRA / layer / "template.yaml").read_text(encoding="utf-8")
    assert "platform-${Environment}-ClusterName" in text


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
def test_what_is_imported_is_exported(environment: str) -> None:
    found = world.build(environment)  # fails on an import that nobody exports
    assert found.resources["access/People/DeveloperEntry"]["Properties"]["ClusterName"] == "<ControlPlane/Cluster>"
    releases = [given for _, given in found.of_type("Custom::HelmRelease")]
    assert releases
    assert {given["Cluster"] for given in releases} == {"<ControlPlane/Cluster>"}


SERVICES = world.INFRA / "cluster-services/template.yaml"


def test_the_load_balancer_controller_is_removed_last() -> None:
    """Stacks are deleted the other way round: what is made after it is gone before it, and it cleans up after them."""
    edges = order.graph(SERVICES)
    resources = templates.load(SERVICES.parent / "releases.yaml")["Resources"]
    resources = templates.load(SERVICES.parent / "releases.yaml")["Resources"]
    releases = {name for name, resource in resources.items() if resource["Type"] == "Custom::HelmRelease"}
    for name in releases - {"Rbac", "AwsLoadBalancerController"}:
        assert order.comes_before(edges, "Releases/AwsLoadBalancerController", f"Releases/{name}"), name


def test_custom_resources_come_after_their_definitions() -> None:
    edges = order.graph(SERVICES)
    assert order.comes_before(edges, "Releases/ExternalSecrets", "Releases/SecretStore")
    assert order.comes_before(edges, "Releases/ArgoCd", "Releases/Bootstrap")
