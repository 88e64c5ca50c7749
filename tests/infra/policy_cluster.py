"""Policies of the control plane, its add-ons, its logs and its keys."""

import json
from collections.abc import Iterator
from typing import Any

from tests.infra.policy import Policy, Seed, drop, parameter, put, remove
from tests.infra.world import Parameters, Templates, World

LOG_TYPES = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
CONTROL_PLANE_LOG_DAYS = 731
REPLICAS = {"integration": 1, "staging": 2, "production": 3}
ADDONS = {
    "vpc-cni",
    "eks-pod-identity-agent",
    "kube-proxy",
    "coredns",
    "aws-ebs-csi-driver",
    "external-dns",
    "metrics-server",
    "kube-state-metrics",
}
# What a deletion of the lowest layer takes along in integration and staging, and leaves behind in production.
KEPT = ("AWS::EKS::Cluster", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::Route53::HostedZone")
PART = "cluster.yaml"


def cluster(world: World) -> dict[str, Any]:
    return next(given for _, given in world.of_type("AWS::EKS::Cluster"))


def endpoint_is_private(world: World) -> Iterator[str]:
    given = cluster(world)["ResourcesVpcConfig"]
    if given.get("EndpointPrivateAccess") is not True:
        yield "nodes cannot reach the control plane without the internet"
    cidrs = given.get("PublicAccessCidrs", [])
    if given.get("EndpointPublicAccess") is not False and not cidrs:
        yield "public, and open to everybody by default"
    yield from (f"public to {cidr}" for cidr in cidrs if int(cidr.rpartition("/")[2]) < 8)


def everything_is_logged(world: World) -> Iterator[str]:
    types = {
        entry["Type"] for entry in cluster(world).get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])
    }
    yield from (f"{name} is not logged" for name in sorted(LOG_TYPES - types))
    name = f"/aws/eks/{cluster(world)['Name']}/cluster"
    groups = {given.get("LogGroupName"): given for _, given in world.of_type("AWS::Logs::LogGroup")}
    if groups.get(name, {}).get("RetentionInDays") != CONTROL_PLANE_LOG_DAYS:
        yield f"{name} is not kept {CONTROL_PLANE_LOG_DAYS} days"


def logs_end_and_are_encrypted(world: World) -> Iterator[str]:
    for path, given in world.of_type("AWS::Logs::LogGroup"):
        if not given.get("RetentionInDays"):
            yield f"{path}: kept for ever"
        if given.get("KmsKeyId") != "<Encryption/LogsKey.Arn>":
            yield f"{path}: not encrypted with the logs' key"


def secrets_are_encrypted(world: World) -> Iterator[str]:
    found = False
    for entry in cluster(world).get("EncryptionConfig", []):
        key = world.at(entry["Provider"]["KeyArn"])
        found |= "secrets" in entry["Resources"] and bool(key)
    if not found:
        yield "secrets are not encrypted with a key of our own"
    yield from (
        f"{path}: does not rotate"
        for path, key in world.of_type("AWS::KMS::Key")
        if key.get("EnableKeyRotation") is not True
    )


def entry_is_by_access_entries(world: World) -> Iterator[str]:
    config = cluster(world)["AccessConfig"]
    mode = world.parameters["cluster-access"]["AccessMode"]
    if config["AuthenticationMode"] != mode:
        yield f"the cluster asks by {config['AuthenticationMode']}, cluster-access answers for {mode}"
    if config["AuthenticationMode"] == "CONFIG_MAP" and world.environment == "production":
        yield "production still uses aws-auth alone"
    creator = str(config.get("BootstrapClusterCreatorAdminPermissions")).lower()
    if creator != "false" and config["AuthenticationMode"] != "CONFIG_MAP":
        yield "whoever made the cluster stays its admin, outside the table"


def production_is_kept(world: World) -> Iterator[str]:
    wanted = "Retain" if world.environment == "production" else "Delete"
    protected = str(cluster(world).get("DeletionProtection")).lower() == "true"
    if world.environment == "production" and not protected:
        yield "no deletion protection"
    for path, resource in world.resources.items():
        if resource["Type"] not in KEPT or not path.startswith("infrastructure/"):
            continue
        if resource.get("DeletionPolicy") != wanted:
            yield f"{path}: a deletion of the stack means {resource.get('DeletionPolicy')}, not {wanted}"
        if resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{path}: a replacement deletes the old one"
    yield from world.broken_rules


def support_is_standard(world: World) -> Iterator[str]:
    if cluster(world).get("UpgradePolicy") != {"SupportType": "STANDARD"}:
        yield "an old version moves into extended support at six times the price"
    if cluster(world).get("BootstrapSelfManagedAddons") is not False:
        yield "EKS installs copies of its own of the add-ons"


def addons_are_all_there(world: World) -> Iterator[str]:
    found = {given["AddonName"]: given for _, given in world.of_type("AWS::EKS::Addon")}
    yield from (f"{name}: missing" for name in sorted(ADDONS - set(found)))
    yield from (f"{name}: nobody asked for it" for name in sorted(set(found) - ADDONS))
    for name, given in found.items():
        try:
            json.loads(given.get("ConfigurationValues", "{}"))
        except ValueError as error:
            yield f"{name}: its configuration is no JSON: {error}"


def there_are_enough_replicas(world: World) -> Iterator[str]:
    for name, key in (("metrics-server", "replicas"), ("aws-ebs-csi-driver", "controller/replicaCount")):
        given = next((g for _, g in world.of_type("AWS::EKS::Addon") if g["AddonName"] == name), {})
        values = json.loads(given.get("ConfigurationValues", "{}"))
        for step in key.split("/"):
            values = values.get(step, {})
        if values != REPLICAS[world.environment]:
            yield f"{name}: {values} replicas, not {REPLICAS[world.environment]}"


def unprotected(templates: Templates, parameters: Parameters) -> None:
    """Lift the template's own rule besides, so that the policy alone is asked."""
    del templates["cluster-infrastructure"]["Rules"]
    parameters["cluster-infrastructure"]["DeletionProtection"] = "false"


POLICIES = [
    Policy(
        "the API server is private; public only to a list",
        endpoint_is_private,
        (
            Seed("the internet as a list", parameter("PublicAccessCidrs", "0.0.0.0/0")),
            Seed("half of it, twice", parameter("PublicAccessCidrs", "0.0.0.0/1,128.0.0.0/1")),
            Seed("public without a list", put(PART, "Cluster", "ResourcesVpcConfig/EndpointPublicAccess", value=True)),
            Seed(
                "left to EKS, whose default is public", drop(PART, "Cluster", "ResourcesVpcConfig/EndpointPublicAccess")
            ),
            Seed(
                "nodes come by the internet",
                put(PART, "Cluster", "ResourcesVpcConfig/EndpointPrivateAccess", value=False),
            ),
        ),
    ),
    Policy(
        "all five logs of the control plane are written and kept 731 days",
        everything_is_logged,
        (
            Seed("audit forgotten", drop(PART, "Cluster", "Logging/ClusterLogging/EnabledTypes/1")),
            Seed("no logging at all", drop(PART, "Cluster", "Logging")),
            Seed("kept a month", parameter("LogRetentionDays", "30")),
            Seed("the group left to EKS", remove(PART, "ControlPlaneLogs")),
            Seed("the group named otherwise than EKS's", put(PART, "ControlPlaneLogs", "LogGroupName", "/eks")),
        ),
    ),
    Policy(
        "every log group ends some day and is encrypted",
        logs_end_and_are_encrypted,
        (
            Seed("container logs for ever", drop("identities.yaml", "ContainerLogs", "RetentionInDays")),
            Seed("flow logs in the clear", drop("network.yaml", "FlowLogGroup", "KmsKeyId")),
        ),
    ),
    Policy(
        "Kubernetes' secrets are encrypted with a key of our own, and keys rotate",
        secrets_are_encrypted,
        (
            Seed("no encryption", drop(PART, "Cluster", "EncryptionConfig")),
            Seed(
                "a key that is not ours",
                put(PART, "Cluster", "EncryptionConfig/0/Provider/KeyArn", "arn:aws:kms:eu-west-1:1:key/x"),
            ),
            Seed("a key that never rotates", put("encryption.yaml", "SecretsKey", "EnableKeyRotation", value=False)),
        ),
    ),
    Policy(
        "people enter by access entries, and nobody by having made the cluster",
        entry_is_by_access_entries,
        (
            Seed("the creator stays admin", parameter("BootstrapCreatorAdmin", "true")),
            Seed("back to aws-auth in one layer only", parameter("AccessMode", "CONFIG_MAP")),
            Seed("cluster-access believes in aws-auth", parameter("AccessMode", "CONFIG_MAP", "cluster-access")),
        ),
    ),
    Policy(
        "production is protected and kept; a replaced key, log, zone or cluster is kept everywhere",
        production_is_kept,
        (
            Seed(
                "protection switched off by parameter: the template's rule says so",
                parameter("DeletionProtection", "false"),
            ),
            Seed("and without the rule, the policy", unprotected),
            Seed("production deleted with its stack", parameter("RetainOnDelete", "Delete")),
            Seed("one NAT gateway for production", parameter("NatGateways", "single")),
            Seed(
                "the zone's policy forgotten",
                lambda templates, _: templates["dns.yaml"]["Resources"]["Zone"].pop("DeletionPolicy"),
            ),
            Seed(
                "a replaced cluster is gone",
                lambda templates, _: templates[PART]["Resources"]["Cluster"].pop("UpdateReplacePolicy"),
            ),
        ),
    ),
    Policy(
        "the cluster is upgraded in time and brings no add-ons of its own",
        support_is_standard,
        (
            Seed("extended support", put(PART, "Cluster", "UpgradePolicy/SupportType", "EXTENDED")),
            Seed("EKS's own add-ons", drop(PART, "Cluster", "BootstrapSelfManagedAddons")),
        ),
    ),
    Policy(
        "the add-ons are those of the plan, and their configuration is JSON",
        addons_are_all_there,
        (
            Seed("no volumes", remove("addons.yaml", "EbsCsi")),
            Seed("a typo in a name", put("addons.yaml", "MetricsServer", "AddonName", "metric-server")),
            Seed("a comma too many", put("addons.yaml", "CoreDns", "ConfigurationValues", '{"replicaCount": 2,}')),
        ),
    ),
    Policy(
        "1, 2 and 3 replicas in integration, staging and production",
        there_are_enough_replicas,
        (
            Seed("production on one leg", parameter("HighAvailabilityReplicas", "1")),
            Seed("the driver left at its default", put("addons.yaml", "EbsCsi", "ConfigurationValues", "{}")),
        ),
    ),
]
