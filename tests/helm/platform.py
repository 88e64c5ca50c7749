"""What the third layer comes to in an environment: resolved templates, Applications, and what charts make of them."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.tools import resolve

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
HELM = ROOT / ".tools" / "bin" / "helm"
ENVIRONMENTS = ("integration", "staging", "production")
KUBERNETES = "1.36.0"
Object = dict[str, Any]


def parameters(environment: str, stack: str) -> dict[str, str]:
    return json.loads((INFRA / "parameters" / environment / f"{stack}.json").read_text(encoding="utf-8"))


@cache
def services(environment: str, **changed: str) -> resolve.Resolved:
    """The stack cluster-services on top of what cluster-infrastructure exports; parameters may be changed."""
    below = parameters(environment, "cluster-infrastructure")
    exports = resolve.resolve(INFRA / "cluster-infrastructure" / "template.yaml", below).exports
    exports |= {f"platform-{environment}-ClusterName": below["ClusterName"], f"platform-{environment}-VpcId": "vpc-1"}
    given = parameters(environment, "cluster-services") | changed
    return resolve.resolve(INFRA / "cluster-services" / "template.yaml", given, imports=exports)


def releases(environment: str) -> dict[str, Object]:
    """The releases that CloudFormation carries, by name: their properties, ``Values`` read as JSON."""
    found = {}
    for resource in services(environment).resources.values():
        if resource["Type"] == "Custom::HelmRelease":
            properties = resource["Properties"]
            found[properties["Release"]] = properties | {"Values": json.loads(properties["Values"])}
    return found


@cache
def applications(environment: str) -> dict[str, Object]:
    """The Applications that Argo CD makes from the lock table, by name."""
    facts = releases(environment)["bootstrap"]["Values"]["facts"]
    made = template("argocd", INFRA / "argocd", {"facts": facts}, "cluster-services")
    return {each["metadata"]["name"]: each for each in made if each["kind"] == "Application"}


def values(environment: str, release: str) -> Object:
    """What a chart gets, whoever carries it."""
    carried = releases(environment)
    if release in carried:
        return carried[release]["Values"]
    return applications(environment)[release]["spec"]["source"]["helm"]["valuesObject"]


def template(release: str, chart: Path, wanted: Object, namespace: str) -> list[Object]:
    """What helm makes of a chart."""
    command = [str(HELM), "template", release, str(chart), "--namespace", namespace, "--values", "-"]
    made = subprocess.run(
        [*command, "--kube-version", KUBERNETES], input=json.dumps(wanted), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return [each for each in yaml.safe_load_all(made.stdout) if each]
