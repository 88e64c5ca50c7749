"""Render what the deploying roles may do from what the templates contain.

CloudFormation's resource schemas, which cfn-lint ships, name the IAM actions that each handler of a resource type
calls. The execution role gets those of the types that our templates use, and the planning role those of the read
handlers, by which drift is found; a type that nobody uses any more takes its rights along.
``python -m infra.tools.permissions [--check]``.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infra.tools import templates

INFRA = Path(__file__).resolve().parent.parent
RENDERED = INFRA / "cluster-access" / "execution-policies.yaml"
REGION = "eu-west-1"
STACKS = ("cluster-infrastructure", "cluster-access", "cluster-services")
# A managed policy holds 6,144 characters that are not white space:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_CHARACTERS = 6000
# What SAM makes of its own types, as far as we use them.
SAM_TYPES = {
    "AWS::Serverless::Application": [],
    "AWS::Serverless::Function": ["AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::IAM::Role"],
    "AWS::Serverless::LayerVersion": ["AWS::Lambda::LayerVersion"],
}
# Options that we do not use: flow logs to S3 or Firehose, private certificate authorities, Lattice, users and groups.
# The last is in Lambda's schema and no action of IAM's.
UNUSED = re.compile(
    r"(acm-pca|firehose|s3|vpc-lattice|vpce):|iam:\w*(Group|User)Policy$|lambda:AssociateRuntimeAlias$", re.IGNORECASE
)
# Called by Lambda's and CloudFormation's handlers in our name, or by EKS for a node group, and not in the schemas.
UNLISTED = {
    "AWS::EC2::Subnet": ["ec2:DescribeAvailabilityZones"],
    "AWS::EKS::Nodegroup": ["ec2:DescribeInstanceTypes", "ec2:DescribeImages"],
    "AWS::Lambda::Function": ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
}
READS = re.compile(r"[\w-]+:(Describe|Get(?!SecretValue)|List)")
PASSED_TO = ("ec2", "eks", "lambda", "pods.eks", "vpc-flow-logs")
Document = dict[str, Any]


def resource_types(paths: Iterable[Path]) -> set[str]:
    """Return the resource types that the templates declare, SAM's own replaced by what they become."""
    types: set[str] = set()
    for path in paths:
        for resource in templates.load(path).get("Resources", {}).values():
            declared = resource["Type"]
            if declared == "AWS::CloudFormation::CustomResource" or declared.startswith("Custom::"):
                types.add("AWS::Lambda::Function")
            else:
                types |= set(SAM_TYPES.get(declared, [declared]))
    return types


def actions(types: Iterable[str], handlers: tuple[str, ...]) -> set[str]:
    """Return the IAM actions that the named handlers of the resource types call."""
    found: set[str] = set()
    for resource_type in types:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
        for name in handlers:
            found |= set(schema.get("handlers", {}).get(name, {}).get("permissions", []))
        found |= set(UNLISTED.get(resource_type, []))
    return {action for action in found if not UNUSED.match(action)}


def _arn(service: str, resource: str, *, regional: bool = True) -> Document:
    region = "${AWS::Region}" if regional else ""
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{resource}"}


def statements(allowed: Iterable[str]) -> Iterator[Document]:
    """Yield statements for the actions: IAM bounded by our names, DNS by kinds of resources, the rest by the region."""
    by_service: dict[str, list[str]] = {}
    for action in sorted(allowed):
        by_service.setdefault(action.split(":")[0], []).append(action)
    for service, names in by_service.items():
        if service == "iam":
            yield from _iam(names)
        elif service == "route53":
            listing = [name for name in names if ":List" in name]
            zones = [{"Fn::Sub": f"arn:${{AWS::Partition}}:route53:::{kind}/*"} for kind in ("change", "hostedzone")]
            if writing := [name for name in names if name not in listing]:
                yield {"Effect": "Allow", "Action": writing, "Resource": zones}
            yield {"Effect": "Allow", "Action": listing, "Resource": "*"}
        else:
            here = {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}
            yield {"Effect": "Allow", "Action": names, "Resource": "*", "Condition": here}


def _iam(names: list[str]) -> Iterator[Document]:
    special = {"iam:PassRole", "iam:CreateServiceLinkedRole"}
    listing = [name for name in names if re.match(r"iam:List(Policies|Roles)$", name)]
    ours = [_arn("iam", f"{kind}/platform{mark}*", regional=False) for kind in ("role", "policy") for mark in "-/"]
    ours.append(_arn("iam", "instance-profile/eks-*", regional=False))
    if plain := [name for name in names if name not in special and name not in listing]:
        yield {"Effect": "Allow", "Action": plain, "Resource": ours}
    if listing:
        yield {"Effect": "Allow", "Action": listing, "Resource": "*"}
    if "iam:PassRole" in names:
        services = {"StringEquals": {"iam:PassedToService": [f"{name}.amazonaws.com" for name in PASSED_TO]}}
        roles = [_arn("iam", f"role/platform{mark}*", regional=False) for mark in "-/"]
        yield {"Effect": "Allow", "Action": "iam:PassRole", "Resource": roles, "Condition": services}
    if "iam:CreateServiceLinkedRole" in names:
        linked = [_arn("iam", f"role/aws-service-role/{name}*", regional=False) for name in ("eks", "autoscaling.")]
        yield {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": linked}


def packed(all_statements: Iterable[Document]) -> list[list[Document]]:
    """Pack statements into as few policies as their size allows, in order."""
    policies: list[list[Document]] = [[]]
    for statement in all_statements:
        size = len(json.dumps([*policies[-1], statement], separators=(",", ":")))
        if policies[-1] and size > POLICY_CHARACTERS:
            policies.append([])
        policies[-1].append(statement)
    return policies


def part(types: set[str]) -> Document:
    """Return the CloudFormation part with the managed policies of both roles."""
    resources: Document = {}
    for role, handlers in (("Execution", ("create", "read", "update", "delete", "list")), ("Plan", ("read", "list"))):
        allowed = actions(types, handlers)
        if role == "Plan":
            # Some read handlers decrypt or pass roles, for properties that nobody compares.
            allowed = {action for action in allowed if READS.match(action)}
        for number, policy in enumerate(packed(statements(allowed)), start=1):
            resources[f"{role}Policy{number}"] = {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "Roles": [{"Ref": f"{role}RoleName"}],
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": policy},
                },
            }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What CloudFormation may do in our name, and what finding drift may read.",
        "Parameters": {f"{role}RoleName": {"Type": "String"} for role in ("Execution", "Plan")},
        "Resources": resources,
    }


def rendered() -> str:
    """Return the text of the part for the templates as they are."""
    paths = [path for stack in STACKS for path in templates.of_stack(INFRA / stack)]
    notice = "# Written by `make render-platform` from the resource types of the templates: change those, not this.\n"
    return notice + yaml.safe_dump(part(resource_types(paths)), sort_keys=False, default_flow_style=None, width=140)


def main(arguments: list[str] | None = None) -> int:
    """Write the part, or with --check say whether it differs; 1 when it does."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    text = rendered()
    if RENDERED.exists() and RENDERED.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        print(f"{RENDERED.name}: differs from what the templates need; run make render-platform")
        return 1
    RENDERED.write_text(text, encoding="utf-8")
    print(f"{RENDERED.name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
