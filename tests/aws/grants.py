"""What each function may do by its role, and what its requests to AWS needed.

Actions and resources of the requests: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.aws.cloud import ACCOUNT, Cloud
from tests.aws.lambdas import Call, Lambdas
from tests.aws.template import REGION, of_type

_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
# What Lambda's poller asks of a queue with the function's role.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
_POLLER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
# What Lambda itself writes; no code of ours asks for it.
LAMBDAS_OWN = frozenset({"logs:CreateLogStream", "logs:PutLogEvents"})


@dataclass(frozen=True, order=True)
class Need:
    """One action on one resource."""

    action: str
    resource: str


@dataclass(frozen=True)
class Grant:
    """One statement's actions on its resources."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, need: Need) -> bool:
        return any(_like(a, need.action) for a in self.actions) and any(_like(r, need.resource) for r in self.resources)


def _like(pattern: str, value: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value) is not None


def granted(cloud: Cloud, function: str) -> list[Grant]:
    """Give the statements of a function's role, its managed policies included."""
    spec = cloud.template["Resources"][function]["Properties"]
    role = cloud.template["Resources"][spec["Role"]["Fn::GetAtt"][0]]["Properties"]
    documents = [policy["PolicyDocument"] for policy in role["Policies"]]
    policies = dict(of_type(cloud.template, "AWS::IAM::ManagedPolicy"))
    documents += [policies[ref["Ref"]]["Properties"]["PolicyDocument"] for ref in role.get("ManagedPolicyArns", [])]
    statements = [cloud.resolver.resolve(statement) for document in documents for statement in document["Statement"]]
    assert all(statement["Effect"] == "Allow" for statement in statements)
    return [Grant(tuple(_listed(s["Action"])), tuple(_listed(s["Resource"]))) for s in statements]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def needed(lambdas: Lambdas, function: str) -> set[Need]:
    """Give what a function's requests asked for so far, and what the pollers of its mappings ask in its name."""
    needs = {
        Need(action, mapping.queue_arn)
        for mapping in lambdas.mappings
        if mapping.function == function
        for action in _POLLER
    }
    for call in lambdas.calls:
        if call.function == function:
            needs.update(needs_of(call))
    return needs


def needs_of(call: Call) -> Iterator[Need]:
    """Name the actions and resources that one request asks for."""
    p = call.parameters
    if call.service == "dynamodb":
        yield from _of_dynamodb(call.operation, p)
    elif call.service == "sqs":
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
        name = p["QueueUrl"].rpartition("/")[2]
        yield Need(f"sqs:{call.operation.removesuffix('Batch')}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    elif call.service == "secretsmanager":
        name = f"{p['SecretId']}-AbCdEf"  # Secrets Manager adds six characters to the name in the ARN
        yield Need(f"secretsmanager:{call.operation}", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
    elif call.service == "events":
        for bus in {entry["EventBusName"] for entry in p["Entries"]}:
            yield Need(f"events:{call.operation}", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}")
    else:
        assert call.service == "sesv2", call
        yield from _of_ses(call.operation, p)


def _of_dynamodb(operation: str, p: Mapping[str, Any]) -> Iterator[Need]:
    tables = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
    if operation in ("BatchGetItem", "BatchWriteItem"):
        for table in p["RequestItems"]:
            yield Need(f"dynamodb:{operation}", tables + table)
    elif operation == "TransactWriteItems":
        for write in p["TransactItems"]:
            ((kind, request),) = write.items()
            yield Need(f"dynamodb:{_TRANSACTED[kind]}", tables + request["TableName"])
    else:
        index = f"/index/{p['IndexName']}" if "IndexName" in p else ""
        yield Need(f"dynamodb:{operation}", tables + p["TableName"] + index)


def _of_ses(operation: str, p: Mapping[str, Any]) -> Iterator[Need]:
    # A message handed over raw asks for SendRawEmail as well.
    # https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
    actions = ["ses:SendEmail", *(["ses:SendRawEmail"] if "Raw" in p["Content"] else [])]
    assert operation == "SendEmail"
    sender = re.sub(r".*<(.+)>", r"\1", p["FromEmailAddress"])
    resources = [f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{sender}"]
    if name := p.get("ConfigurationSetName"):
        resources.append(f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{name}")
    for action in actions:
        for resource in resources:
            yield Need(action, resource)
