"""What the template tells a function by its environment; read here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.errors import ConfigError

_QUEUE = "TOCSIN_QUEUE_"  # TOCSIN_QUEUE_DELIVER_SLACK holds the URL of deliver.slack
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One stack, as one function of it sees it."""

    table: str
    queues: Mapping[str, str]  # URLs by the names of ``ports``
    secret_prefix: str
    bus: str
    catch_all_email: str
    email_from: str
    configuration_set: str
    dry_run: bool
    worker: str


def environment() -> Mapping[str, str]:
    """Give this process's environment; the doors ask for it here."""
    return os.environ


def is_embedded(environ: Mapping[str, str]) -> bool:
    """Whether the function is to need nothing but itself: ``sam local`` without an account (events/env.json)."""
    return environ.get("TOCSIN_ENGINE") == EMBEDDED


def on_lambda(environ: Mapping[str, str]) -> bool:
    """Whether this is a Lambda environment, where what is done at import is done with a whole CPU, whatever the memory.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    return "AWS_LAMBDA_RUNTIME_API" in environ


def deployment(environ: Mapping[str, str]) -> Deployment:
    """Read the environment.

    Raises:
        ConfigError: it lacks something; the sentence names every variable that is missing.
    """
    wanted = ("TOCSIN_TABLE", "TOCSIN_SECRET_PREFIX", "TOCSIN_BUS", "TOCSIN_CATCH_ALL_EMAIL")
    missing = [name for name in wanted if not environ.get(name)]
    queues = {
        name.removeprefix(_QUEUE).lower().replace("_", ".", 1): url
        for name, url in environ.items()
        if name.startswith(_QUEUE)
    }
    if "inbox" not in queues:
        missing.append(f"{_QUEUE}INBOX")
    if missing:
        raise ConfigError(f"the function's environment lacks {', '.join(missing)}: deploy it with template.yaml")
    return Deployment(
        table=environ["TOCSIN_TABLE"],
        queues=queues,
        secret_prefix=environ["TOCSIN_SECRET_PREFIX"],
        bus=environ["TOCSIN_BUS"],
        catch_all_email=environ["TOCSIN_CATCH_ALL_EMAIL"],
        email_from=environ.get("TOCSIN_EMAIL_FROM") or environ["TOCSIN_CATCH_ALL_EMAIL"],
        configuration_set=environ.get("TOCSIN_SES_CONFIGURATION_SET", ""),
        dry_run=environ.get("TOCSIN_DELIVERY") == "dry-run",
        # one container is one worker, and it has one log stream
        worker=environ.get("AWS_LAMBDA_LOG_STREAM_NAME") or environ.get("AWS_LAMBDA_FUNCTION_NAME", "lambda"),
    )


def queue_of(arn: str, queues: Mapping[str, str]) -> str:
    """Name the queue that a mapping's ARN means; "" if it is none of ours."""
    name = arn.rpartition(":")[2]
    return next((ours for ours, url in queues.items() if url.rpartition("/")[2] == name), "")
