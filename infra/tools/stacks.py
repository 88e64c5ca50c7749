"""What is deployed, and from where: the platform's three layers, and the router beside them.

The router is a stack of its own, in an account and region of its own. Its parameters stand in ``samconfig.toml``, so
that ``sam deploy`` by hand and a deployment from here do the same.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.tools import templates

INFRA = Path(__file__).resolve().parent.parent
ROOT = INFRA.parent
LAYERS = ("cluster-infrastructure", "cluster-access", "cluster-services")
ROUTER = "router"
ENVIRONMENTS = ("integration", "staging", "production")
REGION = "eu-west-1"


def stack_name(layer: str, environment: str) -> str:
    """Return a layer's stack name: cluster-access in staging is platform-staging-access."""
    if layer == ROUTER:
        return str(_of_router(environment)["stack_name"])
    return f"platform-{environment}-{layer.removeprefix('cluster-')}"


def template_of(layer: str) -> Path:
    """Return the path of a layer's root template."""
    return ROOT / "template.yaml" if layer == ROUTER else INFRA / layer / "template.yaml"


def region_of(layer: str, environment: str) -> str:
    """Return where a layer stands."""
    return str(_of_router(environment).get("region", REGION)) if layer == ROUTER else REGION


def bucket_of(layer: str, environment: str, account: str) -> str:
    """Return the bucket that deploy-roles.yaml makes for templates and code."""
    return f"{'tocsin' if layer == ROUTER else 'platform'}-{environment}-artifacts-{account}"


def values(layer: str, environment: str) -> dict[str, str]:
    """Return a layer's parameters in one environment."""
    if layer == ROUTER:
        return overrides(_of_router(environment))
    path = INFRA / "parameters" / environment / f"{layer}.json"
    given: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return given


def tags(layer: str, environment: str) -> dict[str, str]:
    """Return the tags of a layer's stack."""
    if layer == ROUTER:
        return dict(each.split("=", 1) for each in _of_router(environment)["tags"].split())
    return {"environment": environment, "layer": layer}


def refused(layer: str, environment: str) -> list[str]:
    """Return a sentence for each parameter that the template refuses; CloudFormation says so only after a build."""
    declared = templates.load(template_of(layer))["Parameters"]
    told = []
    for name, value in values(layer, environment).items():
        spec = declared.get(name, {})
        parts = value.split(",") if spec.get("Type") == "CommaDelimitedList" else [value]
        pattern = spec.get("AllowedPattern", ".*")
        if not all(re.fullmatch(pattern, part, re.DOTALL) for part in parts):
            told.append(f"{name}={value}: {spec.get('ConstraintDescription', 'does not match ' + pattern)}")
    return told


def overrides(section: Mapping[str, Any]) -> dict[str, str]:
    """Return the template's parameters from a section that ``deployment`` returned."""
    return dict(each.split("=", 1) for each in section["parameter_overrides"])


def deployment(text: str, environment: str) -> dict[str, Any]:
    """Return what a samconfig.toml says of the router's deployment in one environment."""
    found: dict[str, Any] = tomllib.loads(text)[environment]["deploy"]["parameters"]
    return found


def _of_router(environment: str) -> dict[str, Any]:
    return deployment((ROOT / "samconfig.toml").read_text(encoding="utf-8"), environment)
