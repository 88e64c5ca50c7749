"""Get the chart: our own from the layer, another's from its repository, checked against the pinned digest."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from helm_release.errors import ChartError
from helm_release.helm import Helm
from helm_release.request import FIRST_PARTY, Wanted


def fingerprint(wanted: Wanted, first_party: Path) -> str:
    """What tells one chart from another, without downloading it: the pin, or our own chart's files."""
    if wanted.repository != FIRST_PARTY:
        return f"{wanted.repository}\n{wanted.chart}\n{wanted.version}\n{wanted.digest}"
    return digest_of(_own(wanted, first_party))


def digest_of(chart: Path) -> str:
    """The SHA-256, in hex, over the names and digests of a chart's files (as infra/tools/chart_digest.py)."""
    digest = hashlib.sha256()
    for path in sorted(path for path in chart.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(chart)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def fetch(wanted: Wanted, first_party: Path, helm: Helm, scratch: Path) -> Path:
    """The chart as a path that helm takes.

    Args:
        wanted: the release.
        first_party: the directory with our own charts.
        helm: to download with.
        scratch: a directory of this invocation's own.

    Raises:
        ChartError: it is not there, has another version, or its archive is not the pinned one.
        HelmError: it cannot be downloaded.
    """
    if wanted.repository == FIRST_PARTY:
        return _own(wanted, first_party)
    directory = scratch / "chart"
    directory.mkdir()
    oci = wanted.repository.startswith("oci://")
    reference = [f"{wanted.repository}/{wanted.chart}"] if oci else [wanted.chart, "--repo", wanted.repository]
    archive = helm.pull(reference, wanted.version, directory)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if wanted.digest and digest != wanted.digest:
        raise ChartError(
            f"{wanted.chart} {wanted.version} from {wanted.repository} has the digest {digest}, not the pinned "
            f"{wanted.digest}: find out who changed a published chart before you change the pin"
        )
    return archive


def _own(wanted: Wanted, first_party: Path) -> Path:
    chart = first_party / wanted.chart
    if not (chart / "Chart.yaml").is_file():
        raise ChartError(f"there is no first-party chart {wanted.chart!r}; build the stack again")
    text = (chart / "Chart.yaml").read_text()
    found = re.search(r"^version:\s*[\"']?([^\s\"']+)", text, re.MULTILINE)
    if found is None or found[1] != wanted.version:
        have = found[1] if found else "none"
        raise ChartError(
            f"the first-party chart {wanted.chart!r} has version {have}, the template wants {wanted.version}"
        )
    if wanted.digest and digest_of(chart) != wanted.digest:
        raise ChartError(
            f"the first-party chart {wanted.chart!r} in this build is not the one that the template was rendered for: "
            "run make render-services, then build and deploy again"
        )
    return chart
