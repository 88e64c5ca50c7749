"""Note down which keys the values of upstream charts have, so that ours can be checked against them without a network.

``python -m infra.tools.chart_keys`` pulls every upstream chart of the lock table at its pinned version with helm (make
helm-tools) and writes ``infra/upstream/<chart>-<version>.keys``; ``--charts DIRECTORY`` reads unpacked charts there
instead (``DIRECTORY/<chart>/values.yaml``). Only names of keys are kept, none of the charts' files. Run it after every
change of a version, and read the difference: it is what the new version renamed. ``infra/upstream/open.yaml`` names
the maps that take any key.

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

from infra.tools.releases import FIRST_PARTY, INFRA, read_table

UPSTREAM = INFRA / "upstream"
HELM = INFRA.parent / ".tools" / "bin" / "helm"
OPEN = ("{}", "[]", "?")


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
            file = UPSTREAM / f"{row['chart']}-{row['version']}.keys"
            file.write_text("\n".join(table_of(chart)) + "\n", encoding="utf-8")
            kept.add(file)
    for stale in set(UPSTREAM.glob("*.keys")) - kept:
        stale.unlink()


if __name__ == "__main__":
    main()
