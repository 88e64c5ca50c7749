"""Note down which keys the values of upstream charts have, so that ours can be checked against them without a network.

``python -m infra.tools.chart_keys`` pulls every upstream chart of the lock table at its pinned version with helm (make
helm-tools) and writes ``infra/upstream/<chart>-<version>.keys``; ``--charts DIRECTORY`` reads unpacked charts there
instead (``DIRECTORY/<chart>/values.yaml``). Only names of keys are kept, none of the charts' files. Run it after every
change of a version, and read the difference: it is what the new version renamed. ``infra/upstream/open.yaml`` names
the maps that take any key.

The same for the custom resources that we write (``<plural>.<group>.keys``, from the definitions that the charts bring),
and for the alerts that a chart brings (``<chart>-<version>.alerts``: name and severity).

A line is a path: ``a.b`` a value, ``a.b{}`` an empty map, ``a.b[]`` a list, ``a.b?`` nothing; beneath the last three
anything may stand. A key with a dot in it is quoted.
"""

import argparse
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.tools.releases import BOOLEAN, FACTS, FIRST_PARTY, INFRA, NUMBER, TEXT, VALUES, filled, read_table

UPSTREAM = INFRA / "upstream"
HELM = INFRA.parent / ".tools" / "bin" / "helm"
OPEN = ("{}", "[]", "?")
# The kinds that our own charts and the lock table make.
OURS = frozenset(
    {
        "applications.argoproj.io",
        "appprojects.argoproj.io",
        "clustersecretstores.external-secrets.io",
        "externalsecrets.external-secrets.io",
        "prometheusrules.monitoring.coreos.com",
        "servicemonitors.monitoring.coreos.com",
    }
)


def paths(values: Any, above: str = "") -> Iterator[str]:
    """Yield the path of everything in ``values``, what holds something and what does not."""
    if not isinstance(values, Mapping):
        yield above + ("[]" if isinstance(values, list) else "?" if values is None else "")
    elif not values:
        yield above + "{}"
    else:
        for key, inner in values.items():
            yield from paths(inner, joined(above, str(key)))


def joined(above: str, key: str) -> str:
    """Return the path of ``key`` beneath ``above``."""
    shown = json.dumps(key) if "." in key else key
    return f"{above}.{shown}" if above else shown


def unknown(wanted: Any, known: frozenset[str], above: str = "") -> Iterator[str]:
    """Yield the paths that ``wanted`` sets and the chart does not know.

    Args:
        wanted: our values.
        known: the lines of the chart's table.
        above: the path of ``wanted`` itself.
    """
    if above and any(above + mark in known for mark in OPEN):
        return
    if not isinstance(wanted, Mapping) or not wanted:
        if above and above not in known and not any(line.startswith(above + ".") for line in known):
            yield above
        return
    for key, inner in wanted.items():
        path = joined(above, str(key))
        if path in known or any(path + mark in known for mark in OPEN):
            if path in known and isinstance(inner, Mapping) and inner:
                yield f"{path} (the chart has a value there, not a map)"
        elif any(line.startswith(path + ".") for line in known):
            yield from unknown(inner, known, path)
        else:
            yield path


def schema_paths(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the paths that a definition's schema allows; a list's own paths stand beneath the list."""
    schema = schema.get("items", schema)
    if not schema.get("properties") or schema.get("x-kubernetes-preserve-unknown-fields"):
        whole = schema.get("type") == "object" or "x-kubernetes-preserve-unknown-fields" in schema
        yield above + ("{}" if whole else "")
        return
    for key, inner in schema["properties"].items():
        if above or key not in {"apiVersion", "kind", "metadata", "status"}:
            yield from schema_paths(inner, joined(above, key))


def rendered(chart: Path, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what helm makes of a chart with our values, its definitions included."""
    samples = {TEXT: "sample", NUMBER: "1", BOOLEAN: "true"}
    facts = {name: samples[kind] for name, kind in FACTS.items()} | {"LogOutput": "cloudwatch"}
    text = (VALUES / filled(row["values"], facts)).read_text(encoding="utf-8")
    command = [HELM, "template", row["chart"], chart, "--include-crds", "--values", "-", "--kube-version", "1.36.0"]
    told = subprocess.run(  # noqa: S603 - our own helm
        [*map(str, command), "--namespace", row["namespace"]],
        input=filled(text, facts),
        capture_output=True,
        check=True,
        text=True,
    )
    # Only what is wanted: some definitions hold a bare "=", for which YAML 1.1 has a type that nobody reads.
    wanted = ("\nkind: PrometheusRule\n", *(f"\n  name: {name}\n" for name in OURS))
    documents = told.stdout.split("\n---\n")
    return [yaml.safe_load(text) for text in documents if any(mark in text for mark in wanted)]


def definitions(objects: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Yield name and paths of every definition that we write resources of."""
    for made in objects:
        if made["kind"] == "CustomResourceDefinition" and made["metadata"]["name"] in OURS:
            stored = next(version for version in made["spec"]["versions"] if version["storage"])
            yield made["metadata"]["name"], sorted(set(schema_paths(stored["schema"]["openAPIV3Schema"])))


def alerts(objects: list[dict[str, Any]]) -> list[str]:
    """Return name and severity of every alert among ``objects``."""
    groups = [g for made in objects if made["kind"] == "PrometheusRule" for g in made["spec"]["groups"]]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return sorted({f"{rule['alert']} {rule['labels'].get('severity', '')}".strip() for rule in rules})


def table_of(chart: Path) -> list[str]:
    """Return the sorted lines of an unpacked chart, its subcharts beneath their names."""
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8")) or {}
    lines = set(paths(values))
    for subchart in sorted((chart / "charts").glob("*/values.yaml")):
        beneath = yaml.safe_load(subchart.read_text(encoding="utf-8")) or {}
        lines |= set(paths(beneath, joined("", subchart.parent.name)))
    return sorted(lines)


def read(chart: str, version: str) -> frozenset[str]:
    """Read the table of a chart at a version; raises ``FileNotFoundError`` when it was never written."""
    lines = (UPSTREAM / f"{chart}-{version}.keys").read_text(encoding="utf-8").splitlines()
    taking_any = yaml.safe_load((UPSTREAM / "open.yaml").read_text(encoding="utf-8")).get(chart, [])
    return frozenset(lines) | {f"{path}{{}}" for path in taking_any}


def _pulled(row: Mapping[str, Any], scratch: Path) -> Path:
    command = [HELM, "pull", row["chart"], "--repo", row["repository"], "--version", row["version"]]
    subprocess.run([*map(str, command), "--destination", str(scratch)], check=True)  # noqa: S603 - our own helm
    (archive,) = scratch.glob(f"{row['chart']}-*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return scratch / str(row["chart"])


def main() -> None:
    """Write the tables of every upstream chart, and remove those of versions that are not pinned any more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charts", type=Path, help="a directory with unpacked charts, instead of their repositories")
    options = parser.parse_args()
    UPSTREAM.mkdir(exist_ok=True)
    kept = set()
    with tempfile.TemporaryDirectory() as scratch:
        for row in read_table().values():
            if row["repository"] == FIRST_PARTY:
                continue
            chart = options.charts / row["chart"] if options.charts else _pulled(row, Path(scratch))
            objects = rendered(chart, row)
            release = f"{row['chart']}-{row['version']}"
            tables = {f"{release}.keys": table_of(chart), f"{release}.alerts": alerts(objects)}
            tables |= {f"{name}.keys": lines for name, lines in definitions(objects)}
            for name, lines in tables.items():
                if lines:
                    (UPSTREAM / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
                    kept.add(UPSTREAM / name)
    for stale in {*UPSTREAM.glob("*.keys"), *UPSTREAM.glob("*.alerts")} - kept:
        stale.unlink()


if __name__ == "__main__":
    main()
