"""Deploy layers of the platform: package, show the change set with its nested stacks, and only then change anything.

``python -m infra.tools.deploy ENV [LAYER …] [--plan] [--yes] [--replace] [--markdown FILE]``. Without --yes it asks;
with --plan it never executes. What cannot be undone needs --replace besides. The templates are built and uploaded by
the SAM CLI, with the credentials that are in the environment. ``python -m infra.tools.deploy ENV router`` deploys the
router, which is no layer of the platform and goes by itself.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.tools import changes, stacks, templates
from infra.tools.stacks import ENVIRONMENTS, LAYERS, ROUTER, stack_name

BUILD = stacks.ROOT / ".aws-sam" / "platform"
CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
POLL_SECONDS = 10
# EKS takes ten minutes for a cluster and as long for each group of nodes and for each change of the version.
PATIENCE_SECONDS = 2 * 60 * 60
NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
Client = Any
Wait = Callable[[], None]


class DeployError(Exception):
    """The deployment stopped; the message says at which stack, why, and what to do."""


def sam_cli() -> str:
    """Return the SAM CLI: the one of the project if it is installed, else the one on PATH."""
    own = stacks.ROOT / ".venv-sam" / "bin" / "sam"
    found = str(own) if own.exists() else shutil.which("sam")
    if not found:
        raise DeployError(
            "The SAM CLI is not installed: make a .venv-sam from requirements/sam.txt, or put sam on PATH."
        )
    return found


def _sam(region: str, verb: str, *arguments: str) -> None:
    command = [sam_cli(), verb, *arguments, "--region", region]
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:  # noqa: S603 - our own words
        raise DeployError(f"{' '.join(command)} failed; its reason stands above.")


def package(layer: str, bucket: str, prefix: str, region: str) -> str:
    """Build a layer, upload its parts and code to the bucket, and return the template that points there."""
    built, packaged = BUILD / layer, BUILD / f"{layer}.packaged.yaml"
    _sam(region, "build", "-t", str(stacks.template_of(layer)), "-b", str(built))
    place = ["--s3-bucket", bucket, "--s3-prefix", f"{prefix}/{layer}"]
    _sam(region, "package", "-t", str(built / "template.yaml"), "--output-template-file", str(packaged), *place)
    return packaged.read_text(encoding="utf-8")


def publish(client: Client, template: str, bucket: str, prefix: str, region: str) -> str:
    """Put a packaged template into the bucket and return its URL: a request itself may carry 51,200 bytes only."""
    key = f"{prefix}/{hashlib.sha256(template.encode()).hexdigest()}.template"
    client.put_object(Bucket=bucket, Key=key, Body=template.encode())
    return f"https://{bucket}.s3.{region}.amazonaws.com/{key}"


def exists(client: Client, name: str) -> bool:
    """Say whether the stack stands; one that never got past its first change set does not."""
    try:
        stacks = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return False
        raise
    return bool(stacks[0]["StackStatus"] != "REVIEW_IN_PROGRESS")


def create_change_set(client: Client, request: dict[str, Any], wait: Wait) -> str | None:
    """Create a change set and wait for it.

    Returns:
        Its ARN, or None when there is nothing to change.

    Raises:
        DeployError: CloudFormation refuses the template or its parameters; its reason is in the message.
    """
    arn: str = client.create_change_set(**request)["Id"]
    for _ in range(PATIENCE_SECONDS // POLL_SECONDS):
        answer = client.describe_change_set(ChangeSetName=arn)
        if answer["Status"] == "CREATE_COMPLETE":
            return arn
        if answer["Status"] == "FAILED":
            client.delete_change_set(ChangeSetName=arn)
            reason = answer.get("StatusReason", "no reason given")
            if any(words in reason for words in NOTHING_TO_DO):
                return None
            raise DeployError(f"{request['StackName']}: the change set cannot be made: {reason}")
        wait()
    raise DeployError(f"{request['StackName']}: the change set is not ready after {PATIENCE_SECONDS // 3600} hours.")


def execute(client: Client, name: str, change_set: str, wait: Wait) -> None:
    """Execute a change set and wait for the stack; the first failure of each part is told when it does not end well."""
    client.execute_change_set(ChangeSetName=change_set)
    for _ in range(PATIENCE_SECONDS // POLL_SECONDS):
        wait()
        status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
            return
        if status.endswith(("FAILED", "ROLLBACK_COMPLETE")):
            raise DeployError(f"{name}: {status}\n" + "\n".join(failures(client, name)))
    raise DeployError(f"{name}: still not finished after {PATIENCE_SECONDS // 3600} hours; look at it in the console.")


def failures(client: Client, stack: str) -> list[str]:
    """Return why resources of the stack, and of the parts that failed in it, could not be made; the latest first."""
    told = []
    for event in client.describe_stack_events(StackName=stack)["StackEvents"]:
        if not event["ResourceStatus"].endswith("_FAILED"):
            continue
        told.append(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}")
        inner = event.get("PhysicalResourceId", "")
        if event["ResourceType"] == changes.STACK_TYPE and inner and inner != event["StackId"]:
            told += failures(client, inner)
    return told


class Deployment:
    """One run over layers of one environment. The client, the question and the clock come from outside."""

    def __init__(
        self, client: Client, environment: str, *, ask: Callable[[str], bool], wait: Callable[[], None]
    ) -> None:
        self.client, self.environment, self._ask, self._wait = client, environment, ask, wait
        self.report: list[str] = []

    def request(self, layer: str, template: str, role: str | None) -> dict[str, Any]:
        """Return the request for a layer's change set."""
        name = stack_name(layer, self.environment)
        return {
            "StackName": name,
            "ChangeSetName": f"{name}-{time.strftime('%Y%m%d%H%M%S')}",
            "ChangeSetType": "UPDATE" if exists(self.client, name) else "CREATE",
            "TemplateURL": template,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in stacks.values(layer, self.environment).items()
            ],
            "Capabilities": CAPABILITIES,
            "IncludeNestedStacks": True,
            "Tags": [{"Key": key, "Value": value} for key, value in stacks.tags(layer, self.environment).items()],
            **({"RoleARN": role} if role else {}),
        }

    def plan(self, layer: str, template: str, role: str | None) -> None:
        """Show what would change, and leave no trace. A stack that does not stand yet would get everything."""
        name = stack_name(layer, self.environment)
        if not exists(self.client, name):
            self.report.append(f"### `{name}`\n\nDoes not exist yet: everything in it would be added.\n")
            print(f"{name}: does not exist yet, everything would be added")
            return
        request = self.request(layer, template, role)
        change_set = create_change_set(self.client, request, self._wait)
        found = self._show(name, change_set)
        self.report.append(changes.as_markdown(name, found))
        if change_set:
            self.client.delete_change_set(ChangeSetName=change_set)

    def deploy(self, layer: str, template: str, role: str | None, *, replace: bool) -> None:
        """Show what will change, ask, and change it.

        Raises:
            DeployError: refused, by CloudFormation, by the person, or because it would lose what cannot be made again.
        """
        name = stack_name(layer, self.environment)
        change_set = create_change_set(self.client, self.request(layer, template, role), self._wait)
        found = self._show(name, change_set)
        if not change_set:
            return
        if not replace and (lost := [change for change in found if change.is_precious]):
            self.client.delete_change_set(ChangeSetName=change_set)
            names = ", ".join(change.part + change.logical_id for change in lost)
            raise DeployError(
                f"{name}: would replace or remove {names}. If that is meant, deploy by hand with --replace."
            )
        if not self._ask(f"{name}: execute? "):
            self.client.delete_change_set(ChangeSetName=change_set)
            raise DeployError(f"{name}: not executed, the change set is deleted.")
        execute(self.client, name, change_set, self._wait)
        if self.environment == "production":
            self.client.update_termination_protection(StackName=name, EnableTerminationProtection=True)
        print(f"{name}: done")

    def _show(self, name: str, change_set: str | None) -> list[changes.Change]:
        found = list(changes.collect(self.client, change_set)) if change_set else []
        print(changes.as_text(name, found), end="")
        return found


def chosen_layers(names: list[str]) -> list[str]:
    """Return the layers to go through, in their order: the named ones, or all that have a template."""
    if ROUTER in names:
        return [ROUTER]
    return [layer for layer in LAYERS if (layer in names if names else templates.of_stack(stacks.INFRA / layer))]


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("layers", nargs="*", metavar="LAYER", help=f"of {', '.join(LAYERS)}; or {ROUTER} alone")
    parser.add_argument("--plan", action="store_true", help="show and do not execute")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--replace", action="store_true", help="even if something is lost that cannot be made again")
    parser.add_argument("--role", help="ARN of the role that CloudFormation takes; by default the caller's own rights")
    parser.add_argument("--markdown", type=Path, help="write the plan there as well")
    options = parser.parse_args(arguments)
    if unknown := set(options.layers) - set(LAYERS):
        if options.layers == [ROUTER]:
            return options
        parser.error(f"{', '.join(sorted(unknown))}: no layer; there are {', '.join(LAYERS)}, and {ROUTER} by itself")
    return options


def account_of(client: Client) -> str:
    """Return the account that the credentials are of.

    Raises:
        DeployError: there are none, or they are not good any more.
    """
    try:
        return str(client.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"AWS does not know who you are ({error}). Put the credentials of the environment's account into your "
            "shell (`aws sso login`, AWS_PROFILE), and look at them with `aws sts get-caller-identity`."
        ) from None


def artifacts(client: Client, layer: str, environment: str, account: str) -> str:
    """Return the bucket for templates and code.

    Raises:
        DeployError: it does not exist or is somebody else's, so the account is another or not prepared yet.
    """
    bucket = stacks.bucket_of(layer, environment, account)
    try:
        client.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        what = "router" if layer == ROUTER else "platform"
        raise DeployError(
            f"Account {account} has no bucket {bucket} that you may use ({error}). Either it is not the account of "
            f"{environment}, or it wants `make bootstrap-{what} ENV={environment}` first (docs/platform.md)."
        ) from None
    return bucket


def confirmed(question: str) -> bool:
    """Ask the person at the terminal; where nobody sits the answer is no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def run(options: argparse.Namespace, deployment: Deployment, region: str) -> None:
    """Go through the layers.

    Raises:
        DeployError: one of them stopped.
    """
    layers = chosen_layers(options.layers)
    if sentences := [each for layer in layers for each in stacks.refused(layer, options.environment)]:
        raise DeployError("Parameters that the templates refuse:\n  " + "\n  ".join(sentences))
    account = account_of(boto3.client("sts", region_name=region))
    storage = boto3.client("s3", region_name=region)
    for layer in layers:
        bucket = artifacts(storage, layer, options.environment, account)
        prefix = "plan" if options.plan else "deploy"
        template = publish(storage, package(layer, bucket, prefix, region), bucket, f"{prefix}/{layer}", region)
        if options.plan:
            deployment.plan(layer, template, options.role)
        else:
            deployment.deploy(layer, template, options.role, replace=options.replace)


def main(arguments: list[str] | None = None) -> int:
    """Go through the layers; 1 when one of them stopped."""
    options = _arguments(arguments)
    region = stacks.region_of(options.layers[0] if options.layers else LAYERS[0], options.environment)
    deployment = Deployment(
        boto3.client("cloudformation", region_name=region),
        options.environment,
        ask=lambda question: options.yes or confirmed(question),
        wait=lambda: time.sleep(POLL_SECONDS),
    )
    try:
        run(options, deployment, region)
    except (DeployError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        deployment.report.append(f"**Stopped:** {error}\n")
        return 1
    finally:
        if options.markdown:
            options.markdown.write_text("\n".join(deployment.report) or "No layers.\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
