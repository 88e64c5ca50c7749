"""The digest of a first-party chart, as functions/helm_release computes it of the chart that it was built with.

It stands in the release's properties: a changed template is a changed resource, though the chart's version did not
move.
"""

import hashlib
from pathlib import Path


def digest_of(chart: Path) -> str:
    """Return the SHA-256, in hex, over the names and digests of the chart's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in chart.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(chart)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
