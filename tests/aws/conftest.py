"""A deployed stack with vendors on loopback, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from tocsin.bootstrap.aws.push import push
from tocsin.loopback import Vendors

from tests.aws import config
from tests.aws.cloud import Cloud, deployed
from tests.aws.lambdas import Lambdas

START = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)


@dataclass
class World:
    """Everything a story needs."""

    cloud: Cloud
    lambdas: Lambdas
    vendors: Vendors
    clock: time_machine.Coordinates


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A stack, fresh from its deployment; SES is a vendor like the others, its address as operators would set it."""
    with Vendors() as vendors, deployed() as cloud, time_machine.travel(START, tick=False) as clock:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        lambdas = Lambdas(cloud, overrides={"AWS_ENDPOINT_URL_SESV2": vendors.ses.url})
        yield World(cloud, lambdas, vendors, clock)


@pytest.fixture
def configured(world: World, tmp_path: Path) -> World:
    """The stack after ``tocsin config push`` of a config that tells all vendors."""
    push(config.write(tmp_path, world.vendors), world.cloud.resolver.reference("Table"), "tocsin/integration/")
    return world
