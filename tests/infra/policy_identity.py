"""Policies of rights: what roles may do, who may take them, and who the service accounts are in AWS."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.infra.policy import Policy, Seed, add, drop, listed, put, remove, statements
from tests.infra.world import World

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MANAGED_CHARACTERS = 6144
INLINE_CHARACTERS = 10240
# No service at all, and those that take a role only for what somebody of this account has passed it to.
OWNED = ("", "ec2.amazonaws.com", "lambda.amazonaws.com")
READS = re.compile(r"(Describe|Get|List|Lookup|Search|Select|BatchGet|StopQuery$)")
# Verbs that read as harmless and are not.
NO_READS = {"ecr:GetAuthorizationToken", "sts:GetFederationToken", "secretsmanager:GetSecretValue"}
IDENTITIES = {
    ("kube-system", "aws-node"),
    ("kube-system", "ebs-csi-controller-sa"),
    ("external-dns", "external-dns"),
    ("cluster-services", "external-secrets"),
    ("cluster-services", "aws-load-balancer-controller"),
    ("kube-system", "cluster-autoscaler"),
    ("monitoring", "kube-prometheus-stack-grafana"),
    ("monitoring", "fluent-bit"),
}
# Where EKS runs the service account of an add-on: https://docs.aws.amazon.com/eks/latest/userguide/community-addons.html
ADDON_NAMESPACES = {"vpc-cni": "kube-system", "aws-ebs-csi-driver": "kube-system", "external-dns": "external-dns"}
ROLE = "AWS::IAM::Role"
GITHUB = "token.actions.githubusercontent.com"


def no_wildcard_actions(world: World) -> Iterator[str]:
    found = [*statements(world), *statements(world, resource_policies=True)]
    for where, statement in found:
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement or "NotResource" in statement:
            yield f"{where}: allows all but some"
        yield from (f"{where}: {action}" for action in listed(statement.get("Action", [])) if "*" in action)


def writes_are_bounded(world: World) -> Iterator[str]:
    for where, statement in statements(world):
        if statement["Effect"] != "Allow" or "*" not in listed(statement["Resource"]) or statement.get("Condition"):
            continue
        for action in listed(statement["Action"]):
            if action in NO_READS or not READS.match(action.split(":")[1]):
                yield f"{where}: {action} on everything"


def associations(world: World) -> Iterator[tuple[str, str, str]]:
    for _, given in world.of_type("AWS::EKS::PodIdentityAssociation"):
        yield given["Namespace"], given["ServiceAccount"], given["RoleArn"]
    for _, given in world.of_type("AWS::EKS::Addon"):
        for entry in given.get("PodIdentityAssociations", []):
            yield ADDON_NAMESPACES[given["AddonName"]], entry["ServiceAccount"], entry["RoleArn"]


def one_identity_each(world: World) -> Iterator[str]:
    found = list(associations(world))
    counted = Counter((namespace, account) for namespace, account, _ in found)
    yield from (f"{'/'.join(who)}: no identity" for who in sorted(IDENTITIES - set(counted)))
    yield from (f"{'/'.join(who)}: an identity nobody asked for" for who in sorted(set(counted) - IDENTITIES))
    yield from (f"{'/'.join(who)}: {count} identities" for who, count in counted.items() if count > 1)
    yield from (
        f"{role}: shared by {count}" for role, count in Counter(role for *_, role in found).items() if count > 1
    )


def pods_alone_take_their_role(world: World) -> Iterator[str]:
    cluster = world.parameters["cluster-infrastructure"]["ClusterName"]
    for namespace, account, role in associations(world):
        for statement in world.at(role).get("AssumeRolePolicyDocument", {}).get("Statement", [{}]):
            wanted = {
                "aws:RequestTag/eks-cluster-name": cluster,
                "aws:RequestTag/kubernetes-namespace": namespace,
                "aws:RequestTag/kubernetes-service-account": account,
            }
            asked = statement.get("Condition", {}).get("StringEquals", {})
            who = f"{namespace}/{account}"
            if statement.get("Principal") != {"Service": "pods.eks.amazonaws.com"}:
                yield f"{who}: its role is not for pods"
            if set(listed(statement.get("Action", []))) != {"sts:AssumeRole", "sts:TagSession"}:
                yield f"{who}: its role cannot be taken with the session's tags"
            yield from (f"{who}: {key} is {asked.get(key)}" for key, value in wanted.items() if asked.get(key) != value)
            if not re.fullmatch(r"\d{12}", str(asked.get("aws:SourceAccount"))):
                yield f"{who}: from any account"


def trusts_are_closed(world: World) -> Iterator[str]:
    for path, given in world.of_type(ROLE):
        for statement in given["AssumeRolePolicyDocument"]["Statement"]:
            principal, condition = statement["Principal"], statement.get("Condition", {})
            if principal == "*" or "*" in listed(principal.get("AWS", [])):
                yield f"{path}: anybody may take it"
            if "AWS" in principal and not condition.get("ArnLike", {}).get("aws:PrincipalArn"):
                yield f"{path}: everybody in an account may take it"
            patterns = listed(condition.get("ArnLike", {}).get("aws:PrincipalArn", []))
            yield from (f"{path}: {who} is everybody" for who in patterns if re.search(r"[:/]\*$", who))
            if "Federated" in principal:
                yield from _github(path, condition, world.environment)
            (service,) = listed(principal.get("Service", ""))
            if service not in OWNED and "aws:SourceAccount" not in condition.get("StringEquals", {}):
                yield f"{path}: {service} may be sent by another account"


def _github(path: str, condition: dict[str, Any], environment: str) -> Iterator[str]:
    equal = condition.get("StringEquals", {})
    if set(condition) != {"StringEquals"}:
        yield f"{path}: GitHub's token is compared by pattern"
    if equal.get(f"{GITHUB}:aud") != "sts.amazonaws.com":
        yield f"{path}: the token may be meant for somebody else"
    subject = str(equal.get(f"{GITHUB}:sub"))
    if not re.fullmatch(rf"repo:[\w@.-]+/[\w@.-]+:environment:{environment}(-plan)?", subject):
        yield f"{path}: subject {subject} is not one repository and this environment"


def one_deploying_role_an_environment(world: World) -> Iterator[str]:
    subjects: list[tuple[str, str]] = []
    for path, given in world.of_type(ROLE):
        subjects += [
            (path, statement["Condition"].get("StringEquals", {}).get(f"{GITHUB}:sub", ""))
            for statement in given["AssumeRolePolicyDocument"]["Statement"]
            if "Federated" in statement["Principal"]
        ]
    for stack in ("deploy-roles", "router-deploy-roles"):
        ours = [subject for path, subject in subjects if path.startswith(f"{stack}/")]
        deploying = [subject for subject in ours if subject.endswith(f":{world.environment}")]
        if len(deploying) != 1:
            yield f"{stack}: {len(deploying)} roles deploy"
    planning = [path for path, subject in subjects if subject.endswith("-plan")]
    for where, statement in statements(world):
        if where.split()[0] in planning and "cloudformation:ExecuteChangeSet" in listed(statement["Action"]):
            yield f"{where}: the planning role executes"


def policies_fit(world: World) -> Iterator[str]:
    def size(document: dict[str, Any]) -> int:
        return len(json.dumps(document, separators=(",", ":")))

    for path, given in world.of_type("AWS::IAM::ManagedPolicy"):
        if size(given["PolicyDocument"]) > MANAGED_CHARACTERS:
            yield f"{path}: longer than IAM takes"
    for path, given in world.of_type(ROLE):
        if sum(size(policy["PolicyDocument"]) for policy in given.get("Policies", [])) > INLINE_CHARACTERS:
            yield f"{path}: inline policies longer than IAM takes"


def rights_are_the_planned_ones(world: World) -> Iterator[str]:
    """What the table of identities promises in a sentence, asked of the policies."""
    rights: dict[str, set[str]] = {}
    for where, statement in statements(world):
        name = where.split()[0].rsplit("/", 1)[-1]
        for action in listed(statement["Action"]):
            rights.setdefault(name, set()).add(action)
    bounds = {
        "ExternalSecretsRole": r"secretsmanager:(GetSecretValue|DescribeSecret|ListSecretVersionIds)",
        "ExternalDnsRole": r"route53:(ChangeResourceRecordSets|List\w+)",
        "ClusterAutoscalerRole": r"autoscaling:(SetDesired|TerminateInstanceIn)\w+|\w+:(Describe|Get)\w+",
        "GrafanaRole": r"\w+:(Describe|Get|List|StartQuery|StopQuery)\w*|sts:(AssumeRole|TagSession)",
        "FluentBitRole": r"logs:(CreateLogStream|DescribeLogStreams|PutLogEvents)",
    }
    for role, pattern in bounds.items():
        yield from (
            f"{role}: {action}" for action in sorted(rights.get(role, set())) if not re.fullmatch(pattern, action)
        )
        if role not in rights:
            yield f"{role}: has no rights at all"


def statement_of(part: str, role: str, index: int, key: str, value: Any) -> Any:
    return put(part, role, f"Policies/0/PolicyDocument/Statement/{index}/{key}", value)


TRUST = "AssumeRolePolicyDocument/Statement/0"
POLICIES = [
    Policy(
        "no policy allows a wildcard of actions",
        no_wildcard_actions,
        (
            Seed(
                "secretsmanager:*",
                statement_of("identities.yaml", "ExternalSecretsRole", 0, "Action", "secretsmanager:*"),
            ),
            Seed("all of Get", statement_of("identities.yaml", "GrafanaRole", 0, "Action", ["cloudwatch:Get*"])),
            Seed(
                "everything but IAM",
                lambda t, _: t["identities.yaml"]["Resources"]["GrafanaRole"]["Properties"]["Policies"][0][
                    "PolicyDocument"
                ]["Statement"].append(
                    {"Effect": "Allow", "NotAction": "iam:CreateUser", "Resource": "x", "Action": []}
                ),
            ),
            Seed("a key for everything", put("encryption.yaml", "SecretsKey", "KeyPolicy/Statement/0/Action", "kms:*")),
        ),
    ),
    Policy(
        "whoever writes, writes to something named or under a condition",
        writes_are_bounded,
        (
            Seed(
                "any scaling group",
                drop("identities.yaml", "ClusterAutoscalerRole", "Policies/0/PolicyDocument/Statement/2/Condition"),
            ),
            Seed("any zone", statement_of("identities.yaml", "ExternalDnsRole", 0, "Resource", "*")),
            Seed("any secret", statement_of("identities.yaml", "ExternalSecretsRole", 0, "Resource", ["*"])),
            Seed(
                "any role passed",
                put(
                    "deploy-roles.yaml",
                    "DeployRole",
                    "Policies/0/PolicyDocument/Statement/3",
                    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"},
                ),
            ),
        ),
    ),
    Policy(
        "every service account of the plan has exactly one identity of its own",
        one_identity_each,
        (
            Seed("the autoscaler's forgotten", remove("addons.yaml", "ClusterAutoscalerIdentity")),
            Seed(
                "Grafana's given twice",
                add(
                    "addons.yaml",
                    "Again",
                    "AWS::EKS::PodIdentityAssociation",
                    Namespace="monitoring",
                    ServiceAccount="kube-prometheus-stack-grafana",
                    RoleArn="x",
                ),
            ),
            Seed("a role shared", put("addons.yaml", "FluentBitIdentity", "RoleArn", {"Ref": "GrafanaRoleArn"})),
            Seed(
                "another service account",
                put("addons.yaml", "ExternalSecretsIdentity", "ServiceAccount", "external-secrets-webhook"),
            ),
            Seed("the CNI back on the node's role", drop("cluster.yaml", "VpcCni", "PodIdentityAssociations")),
        ),
    ),
    Policy(
        "a pod's role can be taken by its service account of this cluster only",
        pods_alone_take_their_role,
        (
            Seed(
                "any account",
                drop("identities.yaml", "GrafanaRole", f"{TRUST}/Condition/StringEquals/aws:SourceAccount"),
            ),
            Seed(
                "any cluster",
                drop(
                    "identities.yaml", "GrafanaRole", f"{TRUST}/Condition/StringEquals/aws:RequestTag~1eks-cluster-name"
                ),
            ),
            Seed(
                "another namespace",
                lambda t, _: t["identities.yaml"]["Resources"]["GrafanaRole"]["Properties"]["AssumeRolePolicyDocument"][
                    "Statement"
                ][0]["Condition"]["StringEquals"].update({"aws:RequestTag/kubernetes-namespace": "apps"}),
            ),
            Seed(
                "no condition", drop("load-balancer-identity.yaml", "LoadBalancerControllerRole", f"{TRUST}/Condition")
            ),
            Seed("no tags", put("identities.yaml", "CniRole", f"{TRUST}/Action", "sts:AssumeRole")),
            Seed(
                "a role for EC2",
                put("identities.yaml", "EbsCsiRole", f"{TRUST}/Principal", {"Service": "ec2.amazonaws.com"}),
            ),
        ),
    ),
    Policy(
        "every trust names who, and from where",
        trusts_are_closed,
        (
            Seed("anybody", put("identities.yaml", "CniRole", f"{TRUST}/Principal", {"AWS": "*"})),
            Seed(
                "everybody in the identity account",
                put(
                    "people.yaml",
                    "DeveloperRole",
                    f"{TRUST}/Condition",
                    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
                ),
            ),
            Seed(
                "any role there",
                put(
                    "people.yaml",
                    "DeveloperRole",
                    f"{TRUST}/Condition",
                    {"ArnLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/*"]}},
                ),
            ),
            Seed(
                "flow logs of another account", drop("network.yaml", "FlowLogRole", f"{TRUST}/Condition/StringEquals")
            ),
            Seed(
                "any branch of the repository",
                lambda t, _: t["deploy-roles.yaml"]["Resources"]["DeployRole"]["Properties"][
                    "AssumeRolePolicyDocument"
                ]["Statement"][0]["Condition"].update(
                    {
                        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
                        "StringLike": {f"{GITHUB}:sub": "repo:example/tocsin:*"},
                    }
                ),
            ),
            Seed(
                "any repository",
                lambda t, _: t["deploy-roles.yaml"]["Resources"]["DeployRole"]["Properties"][
                    "AssumeRolePolicyDocument"
                ]["Statement"][0]["Condition"]["StringEquals"].pop(f"{GITHUB}:sub"),
            ),
            Seed(
                "any audience",
                lambda t, _: t["deploy-roles.yaml"]["Resources"]["PlanRole"]["Properties"]["AssumeRolePolicyDocument"][
                    "Statement"
                ][0]["Condition"]["StringEquals"].pop(f"{GITHUB}:aud"),
            ),
        ),
    ),
    Policy(
        "one role deploys in an environment, and the one that plans executes nothing",
        one_deploying_role_an_environment,
        (
            Seed(
                "the planning role deploys",
                lambda t, _: t["deploy-roles.yaml"]["Resources"]["PlanRole"]["Properties"]["Policies"][0][
                    "PolicyDocument"
                ]["Statement"][2]["Action"].append("cloudformation:ExecuteChangeSet"),
            ),
            Seed(
                "no role deploys",
                put(
                    "deploy-roles.yaml",
                    "DeployRole",
                    f"{TRUST}/Condition/StringEquals/{GITHUB}:sub",
                    "repo:example/tocsin:environment:staging",
                ),
            ),
        ),
    ),
    Policy(
        "policies are as short as IAM wants them",
        policies_fit,
        (
            Seed(
                "one statement too many",
                put(
                    "execution-policies.yaml",
                    "ExecutionPolicy1",
                    "PolicyDocument/Statement/0/Action",
                    ["ec2:DescribeInstances"] * 400,
                ),
            ),
        ),
    ),
    Policy(
        "the platform's service accounts may do what the table in infra/README.md says, and no more",
        rights_are_the_planned_ones,
        (
            Seed(
                "External Secrets writes",
                statement_of("identities.yaml", "ExternalSecretsRole", 0, "Action", ["secretsmanager:PutSecretValue"]),
            ),
            Seed(
                "fluent-bit makes groups",
                statement_of("identities.yaml", "FluentBitRole", 0, "Action", ["logs:CreateLogGroup"]),
            ),
            Seed("Grafana without rights", drop("identities.yaml", "GrafanaRole", "Policies")),
        ),
    ),
]
