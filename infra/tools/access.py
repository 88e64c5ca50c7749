"""Render what a cluster has to know about people from the one table of personas.

``python -m infra.tools.access`` writes the CloudFormation part, the manifests and the aws-auth ConfigMaps;
with ``--check`` it only says which of them differ. The rendering itself is pure: the table in, documents out.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ACCESS = Path(__file__).resolve().parent.parent / "cluster-access"
TABLE = ACCESS / "personas.yaml"
# Groups of access entries may not begin with system:, eks:, aws:, amazon: or iam:
# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
GROUP_PREFIX = "platform:"
ROLE_PATH = "/platform/"
# Kubernetes' own role; every other role that the table names is in the table.
BUILT_IN_ROLES = frozenset({"cluster-admin"})
RBAC_GROUP = "rbac.authorization.k8s.io"
MANAGED_BY = {"app.kubernetes.io/managed-by": "cluster-access"}
NOTICE = "# Written by `make render-platform` from personas.yaml: change that, not this.\n"

Document = dict[str, Any]


class TableError(Exception):
    """The table of personas contradicts itself; the message names the persona or role and what to change."""


def read_table(path: Path = TABLE) -> Document:
    """Read the table and refuse one that names roles, namespaces or environments which it does not define."""
    table: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, persona in table["personas"].items():
        for role in [*persona.get("cluster", []), *(r for rs in persona.get("namespaces", {}).values() for r in rs)]:
            if role not in table["cluster_roles"] and role not in BUILT_IN_ROLES:
                raise TableError(
                    f"personas.{name}: role {role!r} is not under cluster_roles; add it there or correct the name."
                )
        if unknown := set(persona.get("namespaces", {})) - set(table["namespaces"]):
            raise TableError(
                f"personas.{name}: {sorted(unknown)} not under namespaces; add it there or correct the name."
            )
        if unknown := set(persona["people"]) - set(table["environments"]):
            raise TableError(f"personas.{name}.people: {sorted(unknown)} is no environment of the table.")
        if not persona["people"] or not all(persona["people"].values()):
            raise TableError(f"personas.{name}.people: name somebody, or leave the environment out.")
    return table


def group_of(persona: str) -> str:
    """Return the Kubernetes group that a persona's role is mapped to."""
    return GROUP_PREFIX + persona


def logical_id(persona: str) -> str:
    """Return the persona's name as CloudFormation spells names."""
    return "".join(word.capitalize() for word in persona.split("-"))


def username_of(persona: str) -> str:
    """Return the Kubernetes user name: the session tells which person of the persona acted, for the audit log."""
    return persona + ":{{SessionName}}"


def role_arn(table: Document, persona: str, environment: str, partition: str = "aws") -> str:
    """Return the ARN, with its path, of a persona's IAM role in one environment."""
    place = table["environments"][environment]
    return f"arn:{partition}:iam::{place['account']}:role{ROLE_PATH}{place['cluster']}-{persona}"


def without_path(arn: str) -> str:
    """Strip the path from a role's ARN: with one, aws-auth never matches.

    https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting-iam.html#security-iam-troubleshoot-ConfigMap
    """
    head, _, path_and_name = arn.partition(":role/")
    return f"{head}:role/{path_and_name.rsplit('/', 1)[-1]}"


def expand_rules(table: Document, role: str) -> list[Document]:
    """Return a role's rules as Kubernetes writes them: includes followed, verbs spelled out and sorted."""
    rules: list[Document] = []
    for rule in table["cluster_roles"][role]:
        if "include" in rule:
            rules += expand_rules(table, rule["include"])
            continue
        verbs = {verb for name in rule["verbs"] for verb in table["verbs"].get(name, [name])}
        rules.append({"apiGroups": rule["groups"], "resources": rule["resources"], "verbs": sorted(verbs)})
    return rules


def namespaces(table: Document) -> Iterator[Document]:
    """Yield the namespaces with their Pod Security labels."""
    for name, spec in table["namespaces"].items():
        levels = {"enforce": spec["enforce"], "audit": spec["warn"], "warn": spec["warn"]}
        labels = MANAGED_BY | {f"pod-security.kubernetes.io/{mode}": level for mode, level in levels.items()}
        metadata = {"name": name, "labels": labels | spec.get("labels", {})}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def rbac(table: Document) -> Iterator[Document]:
    """Yield every ClusterRole of the table and the bindings of the personas' groups."""
    for role in table["cluster_roles"]:
        yield _rbac_object("ClusterRole", f"platform-{role}") | {"rules": expand_rules(table, role)}
    for name, persona in table["personas"].items():
        for role in persona.get("cluster", []):
            yield _binding("ClusterRoleBinding", name, role)
        for namespace, roles in persona.get("namespaces", {}).items():
            for role in roles:
                yield _binding("RoleBinding", name, role, namespace)


def _rbac_object(kind: str, name: str, namespace: str | None = None) -> Document:
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name, **place, "labels": dict(MANAGED_BY)},
    }


def _binding(kind: str, persona: str, role: str, namespace: str | None = None) -> Document:
    target = role if role in BUILT_IN_ROLES else f"platform-{role}"
    return _rbac_object(kind, f"platform-{persona}-{role}", namespace) | {
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": target},
        "subjects": [{"apiGroup": RBAC_GROUP, "kind": "Group", "name": group_of(persona)}],
    }


def aws_auth(table: Document, environment: str) -> Document:
    """Return the aws-auth ConfigMap that says the same as the access entries, for clusters in CONFIG_MAP mode.

    It owns the whole map, so the nodes' role stands in it too: without that line the nodes leave the cluster.
    """
    place = table["environments"][environment]
    roles = [
        {
            "rolearn": f"arn:aws:iam::{place['account']}:role/{place['cluster']}-node",
            "username": "system:node:{{EC2PrivateDNSName}}",
            "groups": ["system:bootstrappers", "system:nodes"],
        }
    ]
    for name, persona in table["personas"].items():
        if environment in persona["people"]:
            arn = without_path(role_arn(table, name, environment))
            roles.append({"rolearn": arn, "username": username_of(name), "groups": [group_of(name)]})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "aws-auth", "namespace": "kube-system", "labels": dict(MANAGED_BY)},
        "data": {"mapRoles": yaml.safe_dump(roles, sort_keys=False)},
    }


def people_template(table: Document) -> Document:
    """Return the CloudFormation part with one IAM role and one access entry a persona."""
    conditions: Document = {
        "UsesEntries": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AccessMode"}, "CONFIG_MAP"]}]},
        "RequiresMfa": {"Fn::Equals": [{"Ref": "RequireMfa"}, "true"]},
    }
    resources: Document = {}
    for name, persona in table["personas"].items():
        exists = None
        if missing := sorted(set(table["environments"]) - set(persona["people"])):
            exists = f"Has{logical_id(name)}"
            absent = [{"Fn::Not": [{"Fn::Equals": [{"Ref": "Environment"}, place]}]} for place in missing]
            conditions[exists] = absent[0] if len(absent) == 1 else {"Fn::And": absent}
            conditions[f"{exists}Entry"] = {"Fn::And": [{"Condition": exists}, {"Condition": "UsesEntries"}]}
        resources[f"{logical_id(name)}Role"] = _role(name, persona, exists)
        resources[f"{logical_id(name)}Entry"] = _entry(name, persona, f"{exists}Entry" if exists else "UsesEntries")
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "One IAM role and one access entry for each persona.",
        "Parameters": {
            "Environment": {"Type": "String", "AllowedValues": list(table["environments"])},
            "ClusterName": {"Type": "String"},
            "AccessMode": {"Type": "String", "AllowedValues": ["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"]},
            "IdentityAccountId": {"Type": "String"},
            "RequireMfa": {"Type": "String", "AllowedValues": ["true", "false"]},
        },
        "Mappings": {"People": {logical_id(name): _people(persona) for name, persona in table["personas"].items()}},
        "Conditions": conditions,
        "Resources": resources,
        "Outputs": {
            "Groups": {"Value": ",".join(group_of(name) for name in table["personas"])},
        },
    }


def _people(persona: Mapping[str, Any]) -> dict[str, list[str]]:
    # The trust names the account, so the pattern need not.
    return {place: [f"arn:aws:iam::*:{who}" for who in whos] for place, whos in persona["people"].items()}


def _role(name: str, persona: Mapping[str, Any], condition: str | None) -> Document:
    # Principals by condition: a trust policy that lists a role which does not exist (yet) is refused.
    listed = {"ArnLike": {"aws:PrincipalArn": {"Fn::FindInMap": ["People", logical_id(name), {"Ref": "Environment"}]}}}
    with_mfa = listed | {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${IdentityAccountId}:root"}},
        "Action": "sts:AssumeRole",
        "Condition": {"Fn::If": ["RequiresMfa", with_mfa, listed]},
    }
    find_cluster = {
        "Effect": "Allow",
        "Action": "eks:DescribeCluster",
        "Resource": {"Fn::Sub": "arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:cluster/${ClusterName}"},
    }
    return {
        "Type": "AWS::IAM::Role",
        **({"Condition": condition} if condition else {}),
        "Properties": {
            "RoleName": {"Fn::Sub": f"${{ClusterName}}-{name}"},
            "Path": ROLE_PATH,
            "Description": persona["about"],
            "AssumeRolePolicyDocument": _policy(trust),
            "Policies": [{"PolicyName": "find-cluster", "PolicyDocument": _policy(find_cluster)}],
        },
    }


def _policy(statement: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": [statement]}


def _entry(name: str, persona: Mapping[str, Any], condition: str) -> Document:
    policies = [
        {
            "PolicyArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:eks::aws:cluster-access-policy/{policy}"},
            "AccessScope": {"Type": "cluster"},
        }
        for policy in persona.get("policies", [])
    ]
    return {
        "Type": "AWS::EKS::AccessEntry",
        "Condition": condition,
        "Properties": {
            "ClusterName": {"Ref": "ClusterName"},
            "PrincipalArn": {"Fn::GetAtt": [f"{logical_id(name)}Role", "Arn"]},
            "Type": "STANDARD",
            "Username": username_of(name),
            "KubernetesGroups": [group_of(name)],
            **({"AccessPolicies": policies} if policies else {}),
        },
    }


def render(table: Document) -> dict[str, str]:
    """Return every rendered file: its path beneath cluster-access, and its text."""
    files = {
        "people.yaml": _dump(people_template(table)),
        "rendered/namespaces.yaml": _dump(*namespaces(table)),
        "rendered/rbac.yaml": _dump(*rbac(table)),
    }
    for environment in table["environments"]:
        files[f"rendered/aws-auth.{environment}.yaml"] = _dump(aws_auth(table, environment))
    return files


class _Plain(yaml.SafeDumper):
    """Writes a repeated list out instead of pointing to its first place, and text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _as_block(dumper: _Plain, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _as_block)


def _dump(*documents: Document) -> str:
    return NOTICE + yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=140, default_flow_style=None)


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with --check name those that differ; 1 when any does."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    options = parser.parse_args(arguments)
    stale = []
    for name, text in render(read_table()).items():
        path = ACCESS / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'differs from personas.yaml; run make render-platform' if options.check else 'written'}")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
