"""Putting a config into a deployment: its secrets into Secrets Manager, its plan into the table, then the pointer.

Names below the prefix ``tocsin/<environment>/`` begin with who may read them, a channel or ``sources``: an inline
secret is called after its place (``slack/team-a/0/api_url``), the content of a ``*_file`` after the file
(``slack/files/etc/tocsin/url``). The latter is created by hand, and never read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tocsin.bootstrap.configs import load_config
from tocsin.config.loader import Loaded
from tocsin.config.plan import Integration, Plan
from tocsin.engines.aws import clients
from tocsin.engines.aws.store import DynamoStore
from tocsin.engines.local import SystemClock
from tocsin.errors import ConfigError, Problem, SecretError
from tocsin.pipeline.plans import Plans

FILES = "files"
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html (Name)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9/_+=.@-]")


def push(path: str | Path, table: str, secret_prefix: str) -> tuple[Plan, Loaded]:
    """Validate, compile and store a config; warm functions pick it up with their next message.

    Args:
        path: an ``alertmanager.yml`` or a ``tocsin.yml``.
        table: the stack's output ``TableName``.
        secret_prefix: ``tocsin/<environment>/``.

    Returns:
        The plan as it is stored, with its epoch, and what was loaded (for its warnings).

    Raises:
        ConfigError: the config must not replace a good one; nothing was stored.
        SecretError, StoreError, ConflictError: AWS refused or somebody else pushed; the old plan holds.
    """
    loaded = load_config(path)
    if not loaded.plan.sources:
        raise ConfigError(Problem("no sources: name at least one under sources in tocsin.yml, on AWS nothing is open"))
    secrets = clients.secretsmanager()
    for name, value in loaded.secrets.items():
        _store(secrets, secret_prefix + name, value)
    clock = SystemClock()
    store = DynamoStore(table, clients.dynamodb(), clock)
    plan = _with_named_files(replace(loaded.plan, open_on_loopback=False))
    return Plans(store, clock, plan).push(plan), loaded


def _store(client: Any, name: str, value: str) -> None:  # noqa: ANN401 (boto3 has no types)
    """Create the secret, or give it a new version if its value is another one."""
    try:
        try:
            if client.get_secret_value(SecretId=name)["SecretString"] != value:
                client.put_secret_value(SecretId=name, SecretString=value)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=value, Description="Stored by tocsin config push")
    except (ClientError, BotoCoreError) as error:
        reason = type(error).__name__ if isinstance(error, BotoCoreError) else error.response["Error"].get("Code")
        raise SecretError(f"secret {name!r} could not be stored: {reason}; look at your own permissions") from error


def _with_named_files(plan: Plan) -> Plan:
    """Turn every reference to a file into the name of a secret: a function has no files."""
    return replace(
        plan,
        sources={
            name: replace(settings, auth=_named(settings.auth, "sources")) for name, settings in plan.sources.items()
        },
        receivers={
            name: replace(receiver, integrations=tuple(_integration(each) for each in receiver.integrations))
            for name, receiver in plan.receivers.items()
        },
    )


def _integration(integration: Integration) -> Integration:
    return replace(integration, settings=_named(integration.settings, integration.channel))


def _named(value: Any, reader: str) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, Mapping):
        if "$file" in value:
            path = _NOT_IN_NAMES.sub("-", str(value["$file"])).lstrip("/.")
            return {"$secret": f"{reader}/{FILES}/{path}"}
        return {key: _named(inner, reader) for key, inner in value.items()}
    return [_named(inner, reader) for inner in value] if isinstance(value, list | tuple) else value
