"""Render the CloudFormation resources of Helm releases from the one lock table.

``python -m infra.tools.releases`` writes ``cluster-services/releases.yaml``; with ``--check`` it only says whether it
differs. The rendering itself is pure: the table and the values in, a template out.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.tools.chart_digest import digest_of

INFRA = Path(__file__).resolve().parent.parent
TABLE = INFRA / "charts.lock.yaml"
VALUES = INFRA / "values"
CHARTS = INFRA / "charts"
TEMPLATE = INFRA / "cluster-services" / "releases.yaml"
NOTICE = "# Written by `make render-services` from charts.lock.yaml and values/: change those, not this.\n"

CLOUDFORMATION, ARGO = "cloudformation", "argocd"
FIRST_PARTY = "first-party"
# What one invocation of 900 s has for helm, less the time to roll back: functions/helm_release, deadline.py.
LONGEST_TIMEOUT = 600
# How long CloudFormation waits for an answer; its own default is an hour. A crash within the first 600 s is tried once
# more, a minute later, for 900 s (function.yaml, EventInvokeConfig).
SERVICE_TIMEOUT = 600 + 60 + 900

# The facts of a cluster that values may name as ${Name}, each a parameter of the rendered template. Those that are no
# text keep their type: a chart that wants a number must get one.
TEXT, NUMBER, BOOLEAN = "text", "number", "boolean"
FACTS: Mapping[str, str] = {
    "AccountId": TEXT,
    "ClusterName": TEXT,
    "ContainerLogGroup": TEXT,
    "Environment": TEXT,
    "GitHubAdminTeam": TEXT,
    "GitHubDeveloperTeam": TEXT,
    "GitHubOrganisation": TEXT,
    "GrafanaReadsTocsin": BOOLEAN,
    "HighAvailabilityReplicas": NUMBER,
    "LogOutput": TEXT,
    "LogsToOpenSearch": BOOLEAN,
    "OpenSearchHost": TEXT,
    "Region": TEXT,
    "Repository": TEXT,
    "Revision": TEXT,
    "RouterMetricsRoleArn": TEXT,
    "RouterRegion": TEXT,
    "SecretsPrefix": TEXT,
    "TocsinUrl": TEXT,
    "VpcId": TEXT,
    "ZoneName": TEXT,
}
# CloudFormation gives these in every template; a parameter may not be named so.
PSEUDO = {"AccountId": "${AWS::AccountId}", "Region": "${AWS::Region}"}
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_FIELDS = {"carrier", "chart", "repository", "version", "namespace", "values"}

Document = dict[str, Any]


class TableError(Exception):
    """The lock table contradicts itself; the message names the row and what to change."""


def read_table(path: Path = TABLE) -> Mapping[str, Document]:
    """Read the rows and refuse what cannot work.

    Raises:
        TableError: a field is missing or unknown, a release needs what is not there, or cannot fit one invocation.
    """
    rows: Mapping[str, Document] = yaml.safe_load(path.read_text(encoding="utf-8"))["releases"]
    places: dict[tuple[str, str], str] = {}
    for name, row in rows.items():
        own = {"needs", "timeout"} if row.get("carrier") == CLOUDFORMATION else {"wave"}
        if missing := (_FIELDS | own) - set(row):
            raise TableError(f"{name}: {', '.join(sorted(missing))} is missing")
        if unknown := set(row) - _FIELDS - own - {"digest"}:
            raise TableError(f"{name}: {', '.join(sorted(unknown))} is no field of a {row['carrier']} release")
        if row["carrier"] not in {CLOUDFORMATION, ARGO}:
            raise TableError(f"{name}: carrier {row['carrier']!r} is neither {CLOUDFORMATION} nor {ARGO}")
        if not re.fullmatch(r"v?\d+\.\d+\.\d+", row["version"]):
            raise TableError(f"{name}: version {row['version']!r} is not exact")
        if row["carrier"] == CLOUDFORMATION:
            _check_carried(name, row, rows)
        # Two resources for one release would undo each other.
        if other := places.setdefault((row["namespace"], name), name) != name:
            raise TableError(f"{name} and {other} are one release")
    return rows


def _check_carried(name: str, row: Document, rows: Mapping[str, Document]) -> None:
    if row["timeout"] > LONGEST_TIMEOUT:
        raise TableError(
            f"{name}: {row['timeout']} s do not fit one invocation ({LONGEST_TIMEOUT} s); give it to {ARGO}"
        )
    if row["repository"] != FIRST_PARTY and "digest" not in row:
        raise TableError(f"{name}: a chart that CloudFormation installs needs its digest")
    for needed in row["needs"]:
        if rows.get(needed, {}).get("carrier") != CLOUDFORMATION:
            raise TableError(f"{name} needs {needed}, which CloudFormation does not carry")


def render(rows: Mapping[str, Document], values: Path = VALUES, charts: Path = CHARTS) -> Document:
    """Make the template: a parameter for every fact, a resource for every release that CloudFormation carries."""
    carried = {name: row for name, row in rows.items() if row["carrier"] == CLOUDFORMATION}
    resources = {logical_id(name): _resource(name, row, values, charts) for name, row in carried.items()}
    text = json.dumps(resources)
    named = {fact for fact in FACTS if fact not in PSEUDO and f"${{{fact}}}" in text}
    parameters: Document = {"ServiceToken": {"Type": "String"}, "ClusterName": {"Type": "String"}}
    for fact in sorted(named):
        parameters[fact] = {"Type": "Number" if FACTS[fact] == NUMBER else "String"}
        if FACTS[fact] == BOOLEAN:
            parameters[fact]["AllowedValues"] = ["true", "false"]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Part of layer 3 - one resource for every Helm release that CloudFormation carries.",
        "Parameters": parameters,
        "Resources": resources,
    }


def logical_id(name: str) -> str:
    """Return the release's name as CloudFormation spells names."""
    return "".join(word.capitalize() for word in name.split("-"))


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Replace every ``${Name}`` of a fact, as Argo CD's chart does; others stay (Fluent Bit has its own)."""
    return _PLACEHOLDER.sub(lambda found: facts.get(found[1], found[0]), text)


def placeholders(text: str) -> Iterator[str]:
    """Yield the names that a text asks for."""
    return (found[1] for found in _PLACEHOLDER.finditer(text))


def _resource(name: str, row: Document, values: Path, charts: Path) -> Document:
    file = values / row["values"]
    if not file.is_file():
        raise TableError(f"{name}: its values {row['values']} are not in {values.name}/")
    wanted = yaml.safe_load(file.read_text(encoding="utf-8"))
    digest = digest_of(charts / row["chart"]) if row["repository"] == FIRST_PARTY else row["digest"]
    return {
        "Type": "Custom::HelmRelease",
        "DependsOn": [logical_id(needed) for needed in row["needs"]],
        "Properties": {
            "ServiceToken": {"Ref": "ServiceToken"},
            "ServiceTimeout": SERVICE_TIMEOUT,
            "Cluster": {"Ref": "ClusterName"},
            "Namespace": row["namespace"],
            "Release": name,
            "Chart": row["chart"],
            "Repository": row["repository"],
            "Version": row["version"],
            "Digest": digest,
            "Timeout": row["timeout"],
            "Values": _as_text(name, wanted),
        },
    }


def _as_text(name: str, wanted: Any) -> Document | str:
    """One JSON text, with the facts for CloudFormation to fill in; numbers and booleans without their quotes."""
    text = json.dumps(wanted, sort_keys=True, ensure_ascii=False)
    for fact in set(placeholders(text)):
        if fact not in FACTS:
            raise TableError(f"{name}: its values name ${{{fact}}}, which is no fact; known are {', '.join(FACTS)}")
        if FACTS[fact] != TEXT:
            text = text.replace(f'"${{{fact}}}"', f"${{{fact}}}")
        text = text.replace(f"${{{fact}}}", PSEUDO.get(fact, f"${{{fact}}}"))
    return {"Fn::Sub": text} if "${" in text else text


def main() -> int:
    """Write the template, or say that it differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the template is stale")
    text = NOTICE + yaml.safe_dump(render(read_table()), sort_keys=False, width=140, allow_unicode=True)
    if not parser.parse_args().check:
        TEMPLATE.write_text(text, encoding="utf-8")
    elif not TEMPLATE.is_file() or TEMPLATE.read_text(encoding="utf-8") != text:
        print(f"{TEMPLATE.relative_to(INFRA.parent)} is stale: make render-services")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
