"""Find what somebody changed by hand: drift of every stack of an environment and of the stacks nested in it.

``python -m infra.tools.drift ENV [router] [--markdown FILE]`` looks at the platform's layers, or at the router. It ends
with 1 when anything has drifted and with 2 when it could not be found out, so that a nightly job is red in both cases.
CloudFormation compares with the rights of the caller.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.tools import deploy, stacks

DRIFTED, UNKNOWN = 1, 2
POLL_SECONDS = 5
PATIENCE_SECONDS = 30 * 60
# The autoscaler moves the desired size all day; that is its work and not drift.
EXPECTED = frozenset({("AWS::EKS::Nodegroup", "/ScalingConfig/DesiredSize")})
Client = Any


class DriftError(Exception):
    """Drift could not be found out; the message names the stack and CloudFormation's reason."""


def stacks_beneath(client: Client, stack: str) -> Iterator[str]:
    """Yield the stack and every stack nested in it, by ARN: CloudFormation does not look into them by itself."""
    yield stack
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::CloudFormation::Stack" and resource.get("PhysicalResourceId"):
                yield from stacks_beneath(client, resource["PhysicalResourceId"])


def detect(client: Client, stack: str, wait: Callable[[], None]) -> list[str]:
    """Return one sentence for each resource of a stack that has drifted.

    Raises:
        DriftError: the detection failed or never ended.
    """
    detection = client.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    for _ in range(PATIENCE_SECONDS // POLL_SECONDS):
        answer = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if answer["DetectionStatus"] == "DETECTION_COMPLETE":
            return list(_sentences(client, stack)) if answer["StackDriftStatus"] == "DRIFTED" else []
        if answer["DetectionStatus"] == "DETECTION_FAILED":
            raise DriftError(f"{stack}: {answer.get('DetectionStatusReason', 'detection failed, no reason given')}")
        wait()
    raise DriftError(f"{stack}: detection did not end within {PATIENCE_SECONDS // 60} minutes")


def _sentences(client: Client, stack: str) -> Iterator[str]:
    for page in client.get_paginator("describe_stack_resource_drifts").paginate(
        StackName=stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    ):
        for drift in page["StackResourceDrifts"]:
            name = f"{stack.split('/')[1] if '/' in stack else stack}/{drift['LogicalResourceId']}"
            if drift["StackResourceDriftStatus"] == "DELETED":
                yield f"{name} ({drift['ResourceType']}) is gone"
                continue
            for difference in drift.get("PropertyDifferences", []):
                if (drift["ResourceType"], difference["PropertyPath"]) in EXPECTED:
                    continue
                found, meant = difference["ActualValue"], difference["ExpectedValue"]
                yield f"{name} ({drift['ResourceType']}): {difference['PropertyPath']} is {found}, should be {meant}"


def of_environment(
    client: Client, environment: str, wait: Callable[[], None], layers: tuple[str, ...] = stacks.LAYERS
) -> list[str]:
    """Return one sentence for each drifted resource of an environment's layers.

    Raises:
        DriftError: a layer does not exist, or a detection failed.
    """
    told = []
    for layer in layers:
        name = stacks.stack_name(layer, environment)
        if not deploy.exists(client, name):
            raise DriftError(f"{name}: does not exist; the platform is not whole")
        for stack in stacks_beneath(client, name):
            told += detect(client, stack, wait)
    return told


def main(arguments: list[str] | None = None) -> int:
    """Go through the environment's stacks; 0 when nothing has drifted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=stacks.ENVIRONMENTS)
    parser.add_argument("what", nargs="?", choices=("platform", stacks.ROUTER), default="platform")
    parser.add_argument("--markdown", type=Path, help="write what was found there as well")
    options = parser.parse_args(arguments)
    layers = (stacks.ROUTER,) if options.what == stacks.ROUTER else stacks.LAYERS
    client = boto3.client("cloudformation", region_name=stacks.region_of(layers[0], options.environment))
    try:
        told = of_environment(client, options.environment, lambda: time.sleep(POLL_SECONDS), layers)
        code = DRIFTED if told else 0
    except (DriftError, BotoCoreError, ClientError) as error:
        told, code = [f"not found out: {error}"], UNKNOWN
    text = "\n".join(f"- {sentence}" for sentence in told) or "Nothing has drifted."
    print(text)
    if options.markdown:
        options.markdown.write_text(f"### {options.environment}: {options.what}\n\n{text}\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
