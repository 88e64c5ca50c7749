"""An AWS account on loopback: moto's server in a thread, the template's stack in it, and what moto leaves out.

moto takes messages from the queue of an event source mapping by itself, and sends every event to the targets of a rule
that only has a schedule; so both stay out of the stack, and the driver (``lambdas.py``) plays them as declared.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tests.aws.resolver import Resolver
from tests.aws.template import CODE_BUCKET, MAPPING, REGION, of_type, scheduled, transformed

ACCOUNT = "123456789012"  # moto's
STACK = "tocsin-integration"
PARAMETERS = {"CatchAllEmail": "catch-all@tocsin.test", "Environment": "integration"}
SECRET, CONFIGURATION_SET = "AWS::SecretsManager::Secret", "AWS::SES::ConfigurationSet"
# What layers hold is imported from the working tree here; permissions to invoke change nothing in moto; the others its
# CloudFormation passes over, with a warning.
LEFT_OUT = (
    MAPPING,
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    SECRET,
    CONFIGURATION_SET,
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SES::EmailIdentity",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::Logs::MetricFilter",
    "AWS::SQS::QueuePolicy",
)
ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)


@contextmanager
def moto_server() -> Iterator[str]:
    """Serve an empty account on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10).raise_for_status()  # accounts outlive servers
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class Cloud:
    """One deployed stack."""

    def __init__(self, endpoint: str, parameters: Mapping[str, str] = PARAMETERS) -> None:
        self.endpoint = endpoint
        self.environment = parameters["Environment"]
        self.parameters = dict(parameters)
        self.template = transformed(self.parameters)
        self.resolver = Resolver(self.template, self.parameters, region=REGION, account=ACCOUNT, stack=STACK)

    def client(self, service: str) -> Any:
        """Ask the account as its owner, whom no policy binds."""
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.endpoint, config=ONE_TRY,
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip

    def deploy(self) -> None:
        """Create the stack, then what moto's CloudFormation passes over."""
        self._upload_code()
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=STACK, TemplateBody=json.dumps(self._known_to_moto()), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in self.parameters.items()],
        )  # fmt: skip
        status = formation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
        assert status == "CREATE_COMPLETE", status
        for page in formation.get_paginator("list_stack_resources").paginate(StackName=STACK):
            for resource in page["StackResourceSummaries"]:
                if resource["PhysicalResourceId"]:
                    self.resolver.physical[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
        for logical, bus in of_type(self.template, "AWS::Events::EventBus"):
            self.resolver.physical[logical] = self.resolver.resolve(bus["Properties"]["Name"])
        for logical, secret in of_type(self.template, SECRET):
            name = self.resolver.physical[logical] = self.resolver.resolve(secret["Properties"]["Name"])
            generated = self.client("secretsmanager").get_random_password(
                **secret["Properties"]["GenerateSecretString"]
            )
            self._create_secret(name, generated["RandomPassword"])
        self.client("sesv2").create_email_identity(EmailIdentity=self.parameters["CatchAllEmail"])  # and it was clicked
        for logical, settings in of_type(self.template, CONFIGURATION_SET):
            name = self.resolver.physical[logical] = self.resolver.resolve(settings["Properties"]["Name"])
            self.client("sesv2").create_configuration_set(ConfigurationSetName=name)

    def _known_to_moto(self) -> dict[str, Any]:
        kept = {
            name: resource
            for name, resource in self.template["Resources"].items()
            if resource["Type"] not in LEFT_OUT and not scheduled(resource)
        }
        text = json.dumps({**self.template, "Resources": kept, "Outputs": {}})
        for name, resource in of_type(self.template, CONFIGURATION_SET):  # moto makes none, so nothing may refer to one
            resolved = self.resolver.resolve(resource["Properties"]["Name"])
            text = text.replace(json.dumps({"Ref": name}), json.dumps(resolved)).replace(f"${{{name}}}", resolved)
        stack: dict[str, Any] = json.loads(text)
        for _, function in of_type(stack, "AWS::Lambda::Function"):
            function["Properties"].pop("Layers", None)
        return stack

    def _upload_code(self) -> None:
        storage = self.client("s3")
        storage.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        nothing = io.BytesIO()
        with zipfile.ZipFile(nothing, "w") as archive:
            archive.writestr("app.py", "")
        for _, function in of_type(self.template, "AWS::Lambda::Function"):
            code = function["Properties"]["Code"]
            storage.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=nothing.getvalue())

    def _create_secret(self, name: str, value: str) -> None:
        self.client("secretsmanager").create_secret(Name=name, SecretString=value)

    def set_secret(self, name: str, value: str) -> None:
        """Create a secret under the environment's prefix."""
        self._create_secret(f"tocsin/{self.environment}/{name}", value)

    def secret(self, name: str) -> str:
        """Read a secret by the part of its name after the environment's prefix."""
        full = f"tocsin/{self.environment}/{name}"
        value: str = self.client("secretsmanager").get_secret_value(SecretId=full)["SecretString"]
        return value

    def environment_of(self, function: str) -> dict[str, str]:
        """Give a function's variables as deployed, with what Lambda itself adds."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=self.resolver.physical[function])
        return {
            **configuration["Environment"]["Variables"],
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_ENDPOINT_URL": self.endpoint,
        }  # fmt: skip


@contextmanager
def deployed(parameters: Mapping[str, str] = PARAMETERS) -> Iterator[Cloud]:
    """Serve an account with the stack in it."""
    with pytest.MonkeyPatch.context() as patch, moto_server() as endpoint:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        cloud = Cloud(endpoint, parameters)
        cloud.deploy()
        yield cloud
