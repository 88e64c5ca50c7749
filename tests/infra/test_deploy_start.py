"""What somebody hears who types a deployment for the first time: without credentials, in another account, too early."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from infra.tools import bootstrap, deploy, stacks
from tests.infra import world

ROUTER_REGION = "eu-west-2"


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Any")


class Refusing:
    """A service that answers every request with one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_caller_identity(self) -> None:
        raise self.error

    def head_bucket(self, **_: Any) -> None:
        raise self.error


@pytest.mark.parametrize("error", [NoCredentialsError(), refusal("ExpiredToken")], ids=["none", "expired"])
def test_without_credentials_it_says_where_to_get_some(error: Exception) -> None:
    with pytest.raises(deploy.DeployError, match=r"who you are .*aws sso login.*get-caller-identity"):
        deploy.account_of(Refusing(error))


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("cluster-access", r"no bucket platform-staging-artifacts-123456789012 .*make bootstrap-platform ENV=staging"),
        ("router", r"no bucket tocsin-staging-artifacts-123456789012 .*make bootstrap-router ENV=staging"),
    ],
)
def test_in_an_account_that_nobody_prepared_it_says_what_comes_first(layer: str, sentence: str) -> None:
    with pytest.raises(deploy.DeployError, match=sentence):
        deploy.artifacts(Refusing(refusal("404")), layer, "staging", "123456789012")


def test_the_whole_command_ends_in_a_sentence_and_not_in_a_traceback() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    done = subprocess.run(
        [stacks.ROOT / ".venv/bin/python", "-m", "infra.tools.deploy", "staging"],
        cwd=stacks.ROOT, env=environment | nowhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("AWS does not know who you are")
    assert "Traceback" not in done.stderr


def test_where_nobody_can_answer_the_answer_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert deploy.confirmed("execute? ") is False


@pytest.mark.parametrize(
    ("answer", "meant"), [("y", True), (" YES ", True), ("", False), ("n", False), ("yeah", False)]
)
def test_only_a_yes_is_a_yes(answer: str, meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert deploy.confirmed("execute? ") is meant


# ---- the router ------------------------------------------------------------------------------------------------------


def test_an_address_that_nobody_reads_is_refused_before_anything_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["staging", "router"]) == 1
    assert "CatchAllEmail=alerts@example.com: must be an address that somebody reads" in capsys.readouterr().err


@pytest.mark.parametrize("environment", stacks.ENVIRONMENTS)
@pytest.mark.parametrize("layer", stacks.LAYERS)
def test_the_layers_parameters_are_taken(layer: str, environment: str) -> None:
    assert stacks.refused(layer, environment) == []


@pytest.mark.parametrize("environment", stacks.ENVIRONMENTS)
def test_the_router_is_deployed_where_the_cluster_sends_its_alarms(environment: str) -> None:
    services = world.parameters_of(environment, "cluster-services")
    assert stacks.region_of("router", environment) == services["RouterRegion"]
    declared = deploy.templates.load(stacks.template_of("router"))["Parameters"]
    bus = stacks.values("router", environment).get("BusName", declared["BusName"]["Default"])
    assert bus == services.get("RouterBusName", "tocsin")


@pytest.mark.parametrize("environment", stacks.ENVIRONMENTS)
def test_by_hand_and_by_pipeline_the_router_is_the_same_stack(environment: str) -> None:
    class Standing:
        def describe_stacks(self, **_: Any) -> dict[str, Any]:
            return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}

    deployment = deploy.Deployment(Standing(), environment, ask=lambda _: False, wait=lambda: None)
    request = deployment.request("router", "url", None)
    assert request["StackName"] == f"tocsin-{environment}"
    assert {"ParameterKey": "Environment", "ParameterValue": environment} in request["Parameters"]
    assert {"Key": "system", "Value": "tocsin"} in request["Tags"]


@pytest.mark.parametrize("environment", stacks.ENVIRONMENTS)
def test_the_routers_roles_are_deployed_beside_it(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "sam_cli", lambda: "sam")
    command = bootstrap.command(environment, "router")
    assert command[command.index("--region") + 1] == ROUTER_REGION
    assert command[command.index("--stack-name") + 1] == f"tocsin-{environment}-deploy-roles"
    assert "System=tocsin" in command


@pytest.mark.parametrize("environment", stacks.ENVIRONMENTS)
def test_the_routers_roles_reach_its_one_stack_and_those_of_the_platform_do_not(environment: str) -> None:
    found = world.build(environment).resources
    for layer, own, other in (
        ("router-deploy-roles", f"stack/tocsin-{environment}/", "stack/platform-"),
        ("deploy-roles", f"stack/platform-{environment}-", "stack/tocsin-"),
    ):
        for role in ("DeployRole", "PlanRole", "ExecutionRole"):
            text = json.dumps(found[f"{layer}/{role}"])
            assert own in text
            assert other not in text
        assert found[f"{layer}/Artifacts"]["Properties"]["BucketName"].startswith(
            stacks.bucket_of("router" if own.startswith("stack/tocsin") else "cluster-access", environment, "")
        )


def test_what_is_built_lies_where_it_is_ignored() -> None:
    ignored = Path(stacks.ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert any(deploy.BUILD.relative_to(stacks.ROOT).parts[0] == name.strip("/") for name in ignored)
