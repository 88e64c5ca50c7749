"""Render what the deploying roles may do from what the templates contain.

CloudFormation's resource schemas, which cfn-lint ships, name the IAM actions that each handler of a resource type
calls. The execution role gets those of the types that our templates use, and the planning role those of the read
handlers, by which drift is found; a type that nobody uses any more takes its rights along. The platform and the router
are deployed by roles of their own, so there are two parts.
``python -m infra.tools.permissions [--check]``.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infra.tools import stacks, templates

FOLDER = stacks.INFRA / "cluster-access"
# A managed policy holds 6,144 characters that are not white space:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_CHARACTERS = 6000
# What SAM makes of its own types, as far as we use them.
SAM_TYPES = {
    "AWS::Serverless::Application": [],
    "AWS::Serverless::Function": ["AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::IAM::Role"],
    "AWS::Serverless::HttpApi": ["AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"],
    "AWS::Serverless::LayerVersion": ["AWS::Lambda::LayerVersion"],
}
# And of a function's events.
SAM_EVENTS = {"SQS": ["AWS::Lambda::EventSourceMapping"], "Schedule": ["AWS::Events::Rule"]}
# Options that we do not use: flow logs to S3 or Firehose, private certificate authorities, Lattice, users and groups,
# tables that are imported, replicated or streamed: what is in a table is nothing to a deployment.
# The last four are in the schemas and no actions of IAM's.
UNUSED = re.compile(
    r"(acm-pca|firehose|kinesis|s3|vpc-lattice|vpce):|iam:\w*(Group|User)Policy$"
    r"|dynamodb:(\w*Item|Query|Scan|\w*(Replica|Import\w*|Kinesis\w*))$|lambda:AssociateRuntimeAlias$|apigateway:(Un)?TagResource$|kms:ReEncrypt$",
    re.IGNORECASE,
)
# Called by Lambda's and CloudFormation's handlers in our name, or by EKS for a node group, and not in the schemas.
UNLISTED = {
    # Access logs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    "AWS::ApiGatewayV2::Stage": [
        f"logs:{verb}"
        for verb in (
            "DeleteLogDelivery",
            "GetLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "UpdateLogDelivery",
        )
    ],
    "AWS::EC2::Subnet": ["ec2:DescribeAvailabilityZones"],
    "AWS::EKS::Nodegroup": ["ec2:DescribeInstanceTypes", "ec2:DescribeImages"],
    "AWS::Lambda::Function": ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
}
READS = re.compile(r"[\w-]+:(Describe|Get(?!SecretValue)|List)|apigateway:GET$")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """What is deployed by roles of its own.

    Its own roles and policies begin with ``prefix`` and an ending of ``marks``; roles are passed to ``services``, and
    ``linked`` are the beginnings of the names of service-linked roles that may be made.
    """

    rendered: Path
    layers: tuple[str, ...]
    prefix: str
    marks: str
    services: tuple[str, ...]
    linked: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


PLATFORM = System(
    rendered=FOLDER / "execution-policies.yaml",
    layers=stacks.LAYERS,
    prefix="platform",
    marks="-/",
    services=("ec2", "eks", "lambda", "pods.eks", "vpc-flow-logs"),
    linked=("eks", "autoscaling."),
    others=("instance-profile/eks-*",),
)
ROUTER = System(
    rendered=FOLDER / "router-execution-policies.yaml",
    layers=(stacks.ROUTER,),
    prefix="tocsin",
    marks="-",
    services=("lambda",),
    linked=("ops.apigateway.",),
)


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
                for event in resource.get("Properties", {}).get("Events", {}).values():
                    types |= set(SAM_EVENTS.get(event["Type"], []))
    return types


def actions(types: Iterable[str], handlers: tuple[str, ...]) -> set[str]:
    """Return the IAM actions that the named handlers of the resource types call."""
    found: set[str] = set()
    for resource_type in types:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(stacks.REGION, resource_type).schema
        for name in handlers:
            found |= set(schema.get("handlers", {}).get(name, {}).get("permissions", []))
        found |= set(UNLISTED.get(resource_type, []))
    return {action for action in found if not UNUSED.match(action)}


def statements(allowed: Iterable[str], system: System) -> Iterator[Document]:
    """Yield statements for the actions: IAM bounded by our names, DNS by kinds of resources, the rest by the region."""
    by_service: dict[str, list[str]] = {}
    for action in sorted(allowed):
        by_service.setdefault(action.split(":")[0], []).append(action)
    for service, names in by_service.items():
        if service == "iam":
            yield from _iam(names, system)
        elif service == "route53":
            listing = [name for name in names if ":List" in name]
            zones = [{"Fn::Sub": f"arn:${{AWS::Partition}}:route53:::{kind}/*"} for kind in ("change", "hostedzone")]
            if writing := [name for name in names if name not in listing]:
                yield {"Effect": "Allow", "Action": writing, "Resource": zones}
            yield {"Effect": "Allow", "Action": listing, "Resource": "*"}
        else:
            here = {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}
            yield {"Effect": "Allow", "Action": names, "Resource": "*", "Condition": here}


def _iam(names: list[str], system: System) -> Iterator[Document]:
    special = {"iam:PassRole", "iam:CreateServiceLinkedRole"}
    listing = [name for name in names if re.match(r"iam:List(Policies|Roles)$", name)]
    ours = [f"{kind}/{system.prefix}{mark}*" for kind in ("role", "policy") for mark in system.marks]
    if plain := [name for name in names if name not in special and name not in listing]:
        yield {"Effect": "Allow", "Action": plain, "Resource": _global_arns([*ours, *system.others])}
    if listing:
        yield {"Effect": "Allow", "Action": listing, "Resource": "*"}
    if "iam:PassRole" in names:
        services = {"StringEquals": {"iam:PassedToService": [f"{name}.amazonaws.com" for name in system.services]}}
        roles = _global_arns(f"role/{system.prefix}{mark}*" for mark in system.marks)
        yield {"Effect": "Allow", "Action": "iam:PassRole", "Resource": roles, "Condition": services}
    if "iam:CreateServiceLinkedRole" in names:
        linked = _global_arns(f"role/aws-service-role/{name}*" for name in system.linked)
        yield {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": linked}


def _global_arns(names: Iterable[str]) -> list[Document]:
    return [{"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{name}"} for name in names]


def packed(all_statements: Iterable[Document]) -> list[list[Document]]:
    """Pack statements into as few policies as their size allows, in order."""
    policies: list[list[Document]] = [[]]
    for statement in all_statements:
        size = len(json.dumps([*policies[-1], statement], separators=(",", ":")))
        if policies[-1] and size > POLICY_CHARACTERS:
            policies.append([])
        policies[-1].append(statement)
    return policies


def part(types: set[str], system: System) -> Document:
    """Return the CloudFormation part with the managed policies of both roles."""
    resources: Document = {}
    for role, handlers in (("Execution", ("create", "read", "update", "delete", "list")), ("Plan", ("read", "list"))):
        allowed = actions(types, handlers)
        if role == "Plan":
            # Some read handlers decrypt or pass roles, for properties that nobody compares.
            allowed = {action for action in allowed if READS.match(action)}
        for number, policy in enumerate(packed(statements(allowed, system)), start=1):
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


def rendered(system: System) -> str:
    """Return the text of a system's part for the templates as they are."""
    paths = [path for layer in system.layers for path in templates.of_stack(stacks.template_of(layer).parent)]
    notice = "# Written by `make render-platform` from the resource types of the templates: change those, not this.\n"
    document = part(resource_types(paths), system)
    return notice + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=140)


def main(arguments: list[str] | None = None) -> int:
    """Write the parts, or with --check say which differ; 1 when one does."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    code = 0
    for system in (PLATFORM, ROUTER):
        path, text = system.rendered, rendered(system)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            print(f"{path.name}: differs from what the templates need; run make render-platform")
            code = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: written")
    return code


if __name__ == "__main__":
    sys.exit(main())
