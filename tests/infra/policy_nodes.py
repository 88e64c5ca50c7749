"""Policies of the node groups."""

from collections.abc import Iterator

from tests.infra.policy import Policy, Seed, add, drop, parameter, put
from tests.infra.policy_network import tags
from tests.infra.world import World

SIZES = {"integration": (3, 6, 12), "staging": (3, 6, 12), "production": (12, 12, 24)}
GROUP = "AWS::EKS::Nodegroup"
PART = "nodes.yaml"


def nodes_are_amazon_linux_of_their_kind(world: World) -> Iterator[str]:
    groups = list(world.of_type(GROUP))
    if not groups:
        yield "no node group at all"
    for path, given in groups:
        if not given.get("AmiType", "").startswith("AL2023_"):
            yield f"{path}: {given.get('AmiType')} is not Amazon Linux 2023"
        for kind in given.get("InstanceTypes", []):
            # m8g, c7gn, t4g: Graviton's families have a g behind their generation.
            arm = "g" in kind.split(".")[0].lstrip("abcdefghijklmnopqrstuvwxyz")
            if arm != ("ARM_64" in given["AmiType"]):
                yield f"{path}: {kind} does not run {given['AmiType']}"


def nodes_are_private_and_in_every_zone(world: World) -> Iterator[str]:
    for path, given in world.of_type(GROUP):
        subnets = [world.at(subnet) for subnet in given["Subnets"]]
        if {tags(subnet).get("tier") for subnet in subnets} != {"private"} or len(subnets) != 3:
            yield f"{path}: not in the three private subnets"


def metadata_asks_for_a_token(world: World) -> Iterator[str]:
    for path, given in world.of_type("AWS::EC2::LaunchTemplate"):
        options = given["LaunchTemplateData"].get("MetadataOptions", {})
        if options.get("HttpTokens") != "required":
            yield f"{path}: answers without a token"
        if options.get("HttpPutResponseHopLimit") != 1:
            yield f"{path}: answers pods"
    for path, given in world.of_type(GROUP):
        if not world.at(given.get("LaunchTemplate", {}).get("Id", "")):
            yield f"{path}: without our launch template"


def disks_are_encrypted(world: World) -> Iterator[str]:
    for path, given in world.of_type("AWS::EC2::LaunchTemplate"):
        disks = given["LaunchTemplateData"].get("BlockDeviceMappings", [])
        if not disks:
            yield f"{path}: the image decides about its disk"
        for disk in disks:
            if disk["Ebs"].get("Encrypted") is not True or disk["Ebs"].get("VolumeType") != "gp3":
                yield f"{path}: {disk['DeviceName']} is not an encrypted gp3"


def groups_can_be_replaced(world: World) -> Iterator[str]:
    for path, given in world.of_type(GROUP, "AWS::EC2::LaunchTemplate"):
        for name in ("NodegroupName", "LaunchTemplateName"):
            if name in given:
                yield f"{path}: {name} is fixed, so a new one cannot be made beside it"


def the_autoscaler_finds_them(world: World) -> Iterator[str]:
    for path, given in world.of_type(GROUP):
        if given.get("Tags", {}).get("k8s.io/cluster-autoscaler/enabled") != "true":
            yield f"{path}: not tagged for the autoscaler"
        if given.get("UpdateConfig", {}).get("MaxUnavailable") != 1:
            yield f"{path}: an update takes more than one node at once"
        scaling = given["ScalingConfig"]
        sizes = scaling["MinSize"], scaling["DesiredSize"], scaling["MaxSize"]
        if sizes != SIZES[world.environment]:
            yield f"{path}: sizes {sizes}, not {SIZES[world.environment]}"


def versions_fit(world: World) -> Iterator[str]:
    (_, cluster), *_ = world.of_type("AWS::EKS::Cluster")
    minor = int(cluster["Version"].split(".")[1])
    for path, given in world.of_type(GROUP):
        behind = minor - int(given["Version"].split(".")[1])
        if behind < 0:
            yield f"{path}: newer than the control plane"
        if behind > 1:
            yield f"{path}: {behind} versions behind the control plane"


POLICIES = [
    Policy(
        "nodes run Amazon Linux 2023 of their processor's kind",
        nodes_are_amazon_linux_of_their_kind,
        (
            Seed("Bottlerocket", parameter("BlueAmiType", "BOTTLEROCKET_ARM_64")),
            Seed("an Intel machine for the ARM image", parameter("BlueInstanceTypes", "m7i.4xlarge")),
            Seed("an ARM machine for the Intel image", parameter("BlueAmiType", "AL2023_x86_64_STANDARD")),
            Seed("both colours switched off", parameter("BlueEnabled", "false")),
        ),
    ),
    Policy(
        "nodes live in the private subnets of all zones",
        nodes_are_private_and_in_every_zone,
        (
            Seed(
                "in public ones",
                put(
                    PART,
                    "BlueNodes",
                    "Subnets",
                    ["<Network/PublicSubnetA>", "<Network/PublicSubnetB>", "<Network/PublicSubnetC>"],
                ),
            ),
            Seed("in one zone", put(PART, "BlueNodes", "Subnets", ["<Network/PrivateSubnetA>"])),
        ),
    ),
    Policy(
        "the metadata service asks for a token and does not answer pods",
        metadata_asks_for_a_token,
        (
            Seed("IMDSv1", put(PART, "BlueTemplate", "LaunchTemplateData/MetadataOptions/HttpTokens", "optional")),
            Seed(
                "two hops", put(PART, "BlueTemplate", "LaunchTemplateData/MetadataOptions/HttpPutResponseHopLimit", 2)
            ),
            Seed("no options", drop(PART, "BlueTemplate", "LaunchTemplateData/MetadataOptions")),
            Seed("no launch template", drop(PART, "BlueNodes", "LaunchTemplate")),
        ),
    ),
    Policy(
        "disks are encrypted gp3",
        disks_are_encrypted,
        (
            Seed(
                "in the clear",
                put(PART, "BlueTemplate", "LaunchTemplateData/BlockDeviceMappings/0/Ebs/Encrypted", value=False),
            ),
            Seed("gp2", put(PART, "BlueTemplate", "LaunchTemplateData/BlockDeviceMappings/0/Ebs/VolumeType", "gp2")),
            Seed("the image's own", drop(PART, "BlueTemplate", "LaunchTemplateData/BlockDeviceMappings")),
        ),
    ),
    Policy(
        "no group and no launch template has a fixed name",
        groups_can_be_replaced,
        (
            Seed("a named group", put(PART, "BlueNodes", "NodegroupName", "blue")),
            Seed("a named template", put(PART, "BlueTemplate", "LaunchTemplateName", "blue")),
            Seed("a third group, named", add(PART, "Red", GROUP, NodegroupName="red", ScalingConfig={})),
        ),
    ),
    Policy(
        "the autoscaler finds the groups, and their sizes are those of the plan",
        the_autoscaler_finds_them,
        (
            Seed("the tag forgotten", drop(PART, "BlueNodes", "Tags")),
            Seed("production as small as integration", parameter("BlueDesired", "6")),
            Seed("half of the nodes at once", put(PART, "BlueNodes", "UpdateConfig", {"MaxUnavailablePercentage": 50})),
        ),
    ),
    Policy(
        "nodes are of the control plane's version or the one before",
        versions_fit,
        (
            Seed("nodes ahead", parameter("BlueKubernetesVersion", "1.37")),
            Seed("nodes two behind", parameter("BlueKubernetesVersion", "1.34")),
        ),
    ),
]
