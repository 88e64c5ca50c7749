"""With CatchAllEmail alone, a fresh deployment tells that address; a push is picked up by warm functions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tocsin.bootstrap.aws.push import push
from tocsin.errors import ConfigError

from tests.aws import config, senders
from tests.aws.conftest import World


def test_a_fresh_deployment_tells_the_one_address_it_has(world: World) -> None:
    token = world.cloud.secret("sources/ingest-token")
    assert senders.alertmanager(world.lambdas, "firing", token)["statusCode"] == 202
    assert senders.pingdom(world.lambdas, "http-down", token)["statusCode"] == 202
    senders.cloudwatch(world.lambdas, "metric-alarm")
    world.lambdas.run(world.clock, timedelta(minutes=2))
    assert {mail.recipients for mail in world.vendors.ses.mails} == {("catch-all@tocsin.test",)}
    told = b"".join(mail.raw for mail in world.vendors.ses.mails)
    assert all(name in told for name in (b"KubePodCrashLooping", b"Homepage", b"publishing-db-cpu"))


def test_nobody_comes_in_without_the_generated_token(world: World) -> None:
    assert senders.alertmanager(world.lambdas, "firing", "guessed")["statusCode"] == 401
    assert senders.pingdom(world.lambdas, "http-down", "guessed")["statusCode"] == 401


def test_a_push_is_picked_up_by_warm_functions(world: World, tmp_path: Path) -> None:
    table = world.cloud.resolver.reference("Table")
    token = world.cloud.secret("sources/ingest-token")
    assert senders.alertmanager(world.lambdas, "resolved", token)["statusCode"] == 202  # everything is warm now
    world.lambdas.drain()

    plan, _ = push(config.write(tmp_path, world.vendors), table, "tocsin/integration/")

    assert plan.epoch == 1
    world.clock.shift(timedelta(seconds=6))  # proofs are kept for five
    assert senders.alertmanager(world.lambdas, "firing", token)["statusCode"] == 401
    assert senders.alertmanager(world.lambdas, "firing")["statusCode"] == 202
    world.lambdas.run(world.clock, timedelta(minutes=1))
    assert len(world.vendors.pagerduty.incidents) == 1


def test_the_same_config_again_changes_nothing(configured: World, tmp_path: Path) -> None:
    table = configured.cloud.resolver.reference("Table")
    plan, _ = push(config.write(tmp_path, configured.vendors), table, "tocsin/integration/")
    assert plan.epoch == 1


def test_inline_secrets_go_to_secrets_manager_and_nowhere_else(configured: World) -> None:
    names = {s["Name"] for s in configured.cloud.client("secretsmanager").list_secrets()["SecretList"]}
    assert "tocsin/integration/pagerduty/everybody/0/routing_key" in names
    assert configured.cloud.secret("pagerduty/everybody/0/routing_key") == "the-routing-key"
    rows = configured.cloud.client("dynamodb").scan(TableName=configured.cloud.resolver.reference("Table"))["Items"]
    assert rows
    assert "the-routing-key" not in str(rows)


def test_a_bad_config_never_replaces_a_good_one(configured: World, tmp_path: Path) -> None:
    bad = tmp_path / "tocsin.yml"
    bad.write_text(bad.read_text().replace("zendesk_configs", "zendesk_confgis"))
    table = configured.cloud.resolver.reference("Table")
    with pytest.raises(ConfigError, match="zendesk_confgis"):
        push(bad, table, "tocsin/integration/")
    assert senders.alertmanager(configured.lambdas, "firing")["statusCode"] == 202


def test_a_config_without_sources_would_let_nobody_in(configured: World, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "alertmanager.yml"
    alone.parent.mkdir()
    alone.write_text((tmp_path / "alertmanager.yml").read_text())
    with pytest.raises(ConfigError, match="nothing is open"):
        push(alone, configured.cloud.resolver.reference("Table"), "tocsin/integration/")


def test_a_file_becomes_the_name_of_a_secret_that_only_its_reader_may_read(configured: World, tmp_path: Path) -> None:
    settings = tmp_path / "tocsin.yml"
    settings.write_text(settings.read_text().replace("api_token: zendesk-token", "api_token_file: /etc/tocsin/desk"))
    plan, _ = push(settings, configured.cloud.resolver.reference("Table"), "tocsin/integration/")
    (desk,) = (each for each in plan.receivers["everybody"].integrations if each.channel == "zendesk")
    assert desk.settings["api_token"] == {"$secret": "zendesk/files/etc/tocsin/desk"}
