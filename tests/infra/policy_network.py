"""Policies of the network."""

from collections.abc import Iterator
from ipaddress import ip_network

from tests.infra.policy import Policy, Seed, add, drop, parameter, put, remove
from tests.infra.world import World

TIERS = {"control-plane": 28, "public": 24, "private": 22}
ZONES = 3
ENDPOINTS = {"s3", "ecr.api", "ecr.dkr", "secretsmanager"}
NAT_GATEWAYS = {"integration": 1, "staging": 3, "production": 3}
VPCS = {"integration": "10.1.0.0/16", "staging": "10.12.0.0/16", "production": "10.13.0.0/16"}
SUBNET = "AWS::EC2::Subnet"


def tags(given: dict) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])}


def subnets_do_not_overlap(world: World) -> Iterator[str]:
    (_, vpc), *_ = world.of_type("AWS::EC2::VPC")
    whole = ip_network(vpc["CidrBlock"])
    seen: dict[str, object] = {
        "the services": ip_network(world.parameters["cluster-infrastructure"].get("ServiceCidr", "172.20.0.0/16"))
    }
    if vpc["CidrBlock"] != VPCS[world.environment]:
        yield f"the VPC is {vpc['CidrBlock']}, not {VPCS[world.environment]}"
    for path, given in world.of_type(SUBNET):
        block = ip_network(given["CidrBlock"])
        if not block.subnet_of(whole):
            yield f"{path}: {block} is outside the VPC"
        yield from (f"{path}: {block} overlaps {name}" for name, other in seen.items() if block.overlaps(other))
        seen[path] = block


def subnets_are_as_planned(world: World) -> Iterator[str]:
    zones: dict[str, set[str]] = {tier: set() for tier in TIERS}
    cluster = world.parameters["cluster-infrastructure"]["ClusterName"]
    for path, given in world.of_type(SUBNET):
        tagged = tags(given)
        tier = tagged.get("tier", "")
        if tier not in TIERS:
            yield f"{path}: no tier"
            continue
        zones[tier].add(given["AvailabilityZone"])
        if ip_network(given["CidrBlock"]).prefixlen != TIERS[tier]:
            yield f"{path}: {given['CidrBlock']} is no /{TIERS[tier]}"
        if given.get("MapPublicIpOnLaunch") is not False:
            yield f"{path}: gives instances public addresses"
        wanted = {"public": "kubernetes.io/role/elb", "private": "kubernetes.io/role/internal-elb"}.get(tier)
        if wanted and (tagged.get(wanted) != "1" or f"kubernetes.io/cluster/{cluster}" not in tagged):
            yield f"{path}: lacks {wanted} or the cluster's tag"
        if "Name" not in tagged:
            yield f"{path}: has no name"
    yield from (f"{tier}: {len(found)} zones" for tier, found in zones.items() if len(found) != ZONES)


def ways_out(world: World) -> Iterator[str]:
    gateways = {
        f"<{path.removeprefix('infrastructure/')}>": given for path, given in world.of_type("AWS::EC2::NatGateway")
    }
    if len(gateways) != NAT_GATEWAYS[world.environment]:
        yield f"{len(gateways)} NAT gateways, not {NAT_GATEWAYS[world.environment]}"
    defaults = {
        given["RouteTableId"]: given.get("NatGatewayId") or given.get("GatewayId")
        for _, given in world.of_type("AWS::EC2::Route")
        if given["DestinationCidrBlock"] == "0.0.0.0/0"
    }
    for path, given in world.of_type("AWS::EC2::SubnetRouteTableAssociation"):
        subnet = world.at(given["SubnetId"])
        out = defaults.get(given["RouteTableId"])
        tier = tags(subnet)["tier"]
        if tier == "control-plane" and out:
            yield f"{path}: the control plane's subnet leads out"
        if tier == "public" and (not out or out in gateways):
            yield f"{path}: a public subnet does not lead to the internet gateway"
        if tier == "private":
            if out not in gateways:
                yield f"{path}: a private subnet does not leave by NAT"
            elif (
                len(gateways) > 1
                and world.at(gateways[out]["SubnetId"])["AvailabilityZone"] != subnet["AvailabilityZone"]
            ):
                yield f"{path}: leaves by another zone's NAT"
    routed = [given["SubnetId"] for _, given in world.of_type("AWS::EC2::SubnetRouteTableAssociation")]
    yield from (
        f"{path}: no route table" for path, _ in world.of_type(SUBNET) if f"<{path.split('/', 1)[1]}>" not in routed
    )


def endpoints_exist(world: World) -> Iterator[str]:
    found = {given["ServiceName"].split("eu-west-1.")[1]: given for _, given in world.of_type("AWS::EC2::VPCEndpoint")}
    yield from (f"no endpoint for {name}" for name in ENDPOINTS - set(found))
    for name, given in found.items():
        if given["VpcEndpointType"] == "Interface" and not given.get("PrivateDnsEnabled"):
            yield f"{name}: nobody finds it without private DNS"
        if len(given.get("SubnetIds", given.get("RouteTableIds", []))) != ZONES:
            yield f"{name}: not in every zone"


def flows_are_logged(world: World) -> Iterator[str]:
    logs = [given for _, given in world.of_type("AWS::EC2::FlowLog")]
    if not any(log["TrafficType"] == "ALL" and log["ResourceType"] == "VPC" for log in logs):
        yield "no flow log of all traffic of the VPC"


def nobody_lets_the_internet_in(world: World) -> Iterator[str]:
    for path, given in world.of_type("AWS::EC2::SecurityGroup"):
        for rule in given.get("SecurityGroupIngress", []):
            if rule.get("CidrIp") == "0.0.0.0/0" or rule.get("CidrIpv6") == "::/0":
                yield f"{path}: open to the world"
        if not given.get("SecurityGroupEgress"):
            yield f"{path}: without egress rules it may go everywhere"


POLICIES = [
    Policy(
        "subnets lie in the VPC and overlap neither each other nor the services' addresses",
        subnets_do_not_overlap,
        (
            Seed(
                "a private subnet moved onto its neighbour",
                parameter("PrivateSubnetCidrs", "10.13.4.0/22,10.13.4.0/23,10.13.12.0/22"),
            ),
            Seed("a subnet outside the VPC", put("network.yaml", "PublicSubnetB", "CidrBlock", "10.99.2.0/24")),
            Seed("another environment's VPC", parameter("VpcCidr", "10.99.0.0/16")),
        ),
    ),
    Policy(
        "every tier has three zones, its size and the tags by which load balancers find it",
        subnets_are_as_planned,
        (
            Seed("the internal load balancers' tag forgotten", drop("network.yaml", "PrivateSubnetC", "Tags/3")),
            Seed("the tag says 0", put("network.yaml", "PublicSubnetA", "Tags/3/Value", "0")),
            Seed("two subnets in one zone", put("network.yaml", "PrivateSubnetB", "AvailabilityZone", "eu-west-1a")),
            Seed("public addresses for all", put("network.yaml", "PublicSubnetA", "MapPublicIpOnLaunch", value=True)),
            Seed("a subnet of no tier", drop("network.yaml", "PublicSubnetA", "Tags/1")),
            Seed("nodes squeezed into a /24", put("network.yaml", "PrivateSubnetA", "CidrBlock", "10.13.4.0/24")),
        ),
    ),
    Policy(
        "private subnets leave by NAT, by their own zone's where there are three; the control plane's do not leave",
        ways_out,
        (
            Seed(
                "the control plane's subnets get the public routes",
                put("network.yaml", "ControlPlaneRoutesA", "RouteTableId", {"Ref": "PublicRouteTable"}),
            ),
            Seed(
                "nodes straight to the internet",
                put("network.yaml", "PrivateRoutesA", "RouteTableId", {"Ref": "PublicRouteTable"}),
            ),
            Seed("the route forgotten", remove("network.yaml", "PrivateDefaultRouteB")),
            Seed("a subnet without routes", remove("network.yaml", "PublicRoutesC")),
            Seed(
                "all zones through one, all in its gateway",
                put("network.yaml", "NatGatewayA", "SubnetId", {"Ref": "PublicSubnetB"}),
            ),
        ),
    ),
    Policy(
        "S3, ECR and Secrets Manager are reached without leaving",
        endpoints_exist,
        (
            Seed("interface endpoints switched off", parameter("InterfaceEndpoints", "false")),
            Seed("an endpoint without DNS", put("endpoints.yaml", "EcrApiEndpoint", "PrivateDnsEnabled", value=False)),
            Seed(
                "an endpoint in one zone",
                put("endpoints.yaml", "SecretsManagerEndpoint", "SubnetIds", ["<Network/PrivateSubnetA>"]),
            ),
        ),
    ),
    Policy(
        "all flows of the VPC are logged",
        flows_are_logged,
        (
            Seed("only what was refused", put("network.yaml", "FlowLog", "TrafficType", "REJECT")),
            Seed("no flow log", remove("network.yaml", "FlowLog")),
        ),
    ),
    Policy(
        "no security group lets the internet in or everything out",
        nobody_lets_the_internet_in,
        (
            Seed(
                "endpoints open to all",
                put("endpoints.yaml", "EndpointSecurityGroup", "SecurityGroupIngress/0/CidrIp", "0.0.0.0/0"),
            ),
            Seed(
                "egress left to CloudFormation", drop("endpoints.yaml", "EndpointSecurityGroup", "SecurityGroupEgress")
            ),
            Seed(
                "a new group for SSH",
                add(
                    "network.yaml",
                    "Ssh",
                    "AWS::EC2::SecurityGroup",
                    SecurityGroupIngress=[{"CidrIp": "0.0.0.0/0"}],
                    SecurityGroupEgress=[{}],
                ),
            ),
        ),
    ),
]
