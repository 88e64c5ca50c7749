"""What Kubernetes' RBAC authorizer answers for a group, asked of rendered objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Objects = list[dict[str, Any]]
# Kubernetes makes it in every cluster: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
CLUSTER_ADMIN = {
    "kind": "ClusterRole",
    "metadata": {"name": "cluster-admin"},
    "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
}


@dataclass(frozen=True)
class Question:
    """May the group do this? An empty namespace asks for the whole cluster."""

    group: str
    verb: str
    resource: str
    api_group: str = ""
    namespace: str = ""


def allows(objects: Objects, question: Question) -> bool:
    """Answer as the authorizer: a ClusterRoleBinding holds everywhere, a RoleBinding in its namespace."""
    roles = {each["metadata"]["name"]: each for each in [CLUSTER_ADMIN, *objects] if each["kind"] == "ClusterRole"}
    return any(
        _matches(rule, question) for role in _bound(objects, question) for rule in roles.get(role, {}).get("rules", [])
    )


def _bound(objects: Objects, question: Question) -> Iterator[str]:
    for each in objects:
        if each["kind"] not in ("ClusterRoleBinding", "RoleBinding"):
            continue
        if each["kind"] == "RoleBinding" and each["metadata"]["namespace"] != question.namespace:
            continue
        if any(subject["kind"] == "Group" and subject["name"] == question.group for subject in each["subjects"]):
            yield each["roleRef"]["name"]


def _matches(rule: dict[str, Any], question: Question) -> bool:
    wanted = (("verbs", question.verb), ("apiGroups", question.api_group), ("resources", question.resource))
    return all("*" in rule[key] or value in rule[key] for key, value in wanted)


def unreal(objects: Objects, resources: dict[str, Any]) -> list[str]:
    """Return one sentence for each rule that names what no API server serves, or everything."""
    told = []
    for each in objects:
        for rule in each.get("rules", []):
            name = each["metadata"]["name"]
            told += [f"{name}: a wildcard" for values in rule.values() if "*" in values]
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    plural, _, sub = resource.partition("/")
                    known = resources.get(group, {}).get(plural)
                    if known is None or (sub and sub not in known.get("subresources", [])):
                        told.append(f"{name}: {group or 'core'} serves no {resource}")
    return told


def loose_ends(objects: Objects, groups: set[str]) -> list[str]:
    """Return a sentence for each group bound to nothing, role that is missing or unused, group that nobody is in."""
    roles = {each["metadata"]["name"] for each in [CLUSTER_ADMIN, *objects] if each["kind"] == "ClusterRole"}
    bindings = [each for each in objects if each["kind"].endswith("Binding")]
    bound = {subject["name"] for each in bindings for subject in each["subjects"]}
    told = [f"{group}: bound to nothing" for group in sorted(groups - bound)]
    told += [f"{group}: nobody is in it" for group in sorted(bound - groups)]
    told += [
        f"{each['metadata']['name']}: no role {each['roleRef']['name']}"
        for each in bindings
        if each["roleRef"]["name"] not in roles
    ]
    used = {each["roleRef"]["name"] for each in bindings}
    return told + [f"{role}: used by nobody" for role in sorted(roles - used - {"cluster-admin"})]
