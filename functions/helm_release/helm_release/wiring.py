"""Read the environment, once, and make the tools from it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import boto3

from helm_release.cluster import EksClusters
from helm_release.handling import Tools


def from_environment() -> Tools:
    """The tools of the function in Lambda, where the layers lie under ``/opt``.

    Environment: ``HELM`` and ``KUBECTL`` (the programs), ``CHARTS`` (the directory of our own charts), ``LOG_LEVEL``;
    AWS's own variables say region and credentials.
    """
    logging.getLogger("helm_release").setLevel(os.environ.get("LOG_LEVEL", "INFO"))
    return Tools(
        clusters=EksClusters(boto3.Session()),
        helm=os.environ.get("HELM", "/opt/helm/helm"),
        kubectl=os.environ.get("KUBECTL", "/opt/kubectl/kubectl"),
        first_party=Path(os.environ.get("CHARTS", "/opt/charts")),
    )
