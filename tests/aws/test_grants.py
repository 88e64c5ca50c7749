"""Every request a function makes is allowed by its own role, and its role allows nothing that it never needs."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from tocsin.bootstrap.aws.push import push
from tocsin.loopback import Vendors
from tocsin.pipeline.messages import Incoming

from tests.aws import config, senders
from tests.aws.cloud import Cloud, deployed
from tests.aws.conftest import START
from tests.aws.grants import LAMBDAS_OWN, granted, needed
from tests.aws.lambdas import Lambdas
from tests.aws.template import of_type, read

# What a role must allow although this story never comes to it.
FORESEEN = {
    "sqs:SendMessage": "a delivery hints its own retry, and a receiver's fallback may be of any channel",
    "secretsmanager:GetSecretValue": "with SES there is no password; SMTP has one",
}
FUNCTIONS = [name for name, _ in of_type(read(), "AWS::Serverless::Function") if name != "ApiFunction"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, Lambdas]]:
    """A stack that has seen everything: two plans, three sources, large bodies, a missed heartbeat."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Vendors() as vendors,
        deployed() as cloud,
        time_machine.travel(START, tick=False) as clock,
    ):
        for name, value in (("ENDPOINT_URL", cloud.endpoint), ("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x")):
            patch.setenv(f"AWS_{name}", value)
        lambdas = Lambdas(cloud, overrides={"AWS_ENDPOINT_URL_SESV2": vendors.ses.url})
        senders.alertmanager(lambdas, "firing", cloud.secret("sources/ingest-token"))
        lambdas.run(clock, timedelta(minutes=2))
        folder = tmp_path_factory.mktemp("config")
        push(config.write(folder, vendors), cloud.resolver.reference("Table"), "tocsin/integration/")
        clock.shift(timedelta(seconds=10))
        for name in ("firing", "resolved"):
            senders.alertmanager(lambdas, name)
            senders.pingdom(lambdas, {"firing": "http-down", "resolved": "http-up"}[name])
            senders.cloudwatch(lambdas, {"firing": "metric-alarm", "resolved": "metric-ok"}[name])
            senders.post_alertmanager(lambdas, large(name))
            lambdas.run(clock, timedelta(minutes=2))
        lost = Incoming("lost", "alertmanager", 0, blob="nowhere").encode()
        cloud.client("sqs").send_message(QueueUrl=cloud.resolver.reference("InboxQueue"), MessageBody=lost)
        clock.shift(timedelta(minutes=20))  # and the heartbeat is missed
        lambdas.run(clock, timedelta(minutes=1))
        yield cloud, lambdas


def large(status: str) -> bytes:
    """A body that neither a message nor a row can hold, however it is compressed."""
    body = json.loads((senders.PAYLOADS / "alertmanager" / f"{status}.json").read_text("utf-8"))
    (alert,) = body["alerts"]
    noise = random.Random(0)
    body["alerts"] = [
        {
            **alert,
            "labels": {**alert["labels"], "pod": f"router-{number}"},
            "annotations": {"noise": base64.b64encode(noise.randbytes(30_000)).decode()},
        }
        for number in range(20)
    ]
    return json.dumps(body).encode()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_all_that_it_does(lived: tuple[Cloud, Lambdas], function: str) -> None:
    cloud, lambdas = lived
    grants = granted(cloud, function)
    refused = sorted(need for need in needed(lambdas, function) if not any(grant.allows(need) for grant in grants))
    assert not refused


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_else(lived: tuple[Cloud, Lambdas], function: str) -> None:
    cloud, lambdas = lived
    needs = needed(lambdas, function)
    idle = [
        (action, resource)
        for grant in granted(cloud, function)
        for action in grant.actions
        for resource in grant.resources
        if action not in LAMBDAS_OWN
        and not (action in FORESEEN and function.startswith("Deliver"))
        and not any(type(grant)((action,), (resource,)).allows(need) for need in needs)
    ]
    assert not idle


def test_no_role_is_shared(lived: tuple[Cloud, Lambdas]) -> None:
    cloud, _ = lived
    roles = [json.dumps(spec["Properties"]["Role"]) for _, spec in of_type(cloud.template, "AWS::Lambda::Function")]
    assert len(set(roles)) == len(roles)


def test_no_statement_means_every_resource(lived: tuple[Cloud, Lambdas]) -> None:
    cloud, _ = lived
    for function in FUNCTIONS:
        assert all(resource != "*" for grant in granted(cloud, function) for resource in grant.resources), function
