"""The event of CloudFormation, read and checked.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from helm_release.errors import RequestError

# https://helm.sh/docs/topics/charts/ and Helm's own limit for release names (pkg/chart/v2/util/validate_name.go).
_RELEASE = re.compile(r"^(?=.{1,53}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
# A namespace is an RFC 1123 label: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_NAMESPACE = re.compile(r"^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
_CLUSTER = re.compile(r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$")
_CHART = re.compile(r"^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$")
_VERSION = re.compile(r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
_DIGEST = re.compile(r"^[0-9a-f]{64}$")

FIRST_PARTY = "first-party"
KNOWN = frozenset(
    {
        "ServiceToken",
        "ServiceTimeout",
        "Cluster",
        "Namespace",
        "Release",
        "Chart",
        "Repository",
        "Version",
        "Digest",
        "Timeout",
        "Values",
    }
)
DEFAULT_TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a release lives; its text is the resource's physical id, so a move is a replacement."""

    cluster: str
    namespace: str
    release: str

    def __str__(self) -> str:
        """``cluster/namespace/release``."""
        return f"{self.cluster}/{self.namespace}/{self.release}"

    @classmethod
    def parse(cls, physical_id: str) -> Place | None:
        """The place that a physical id names; None for an id that this function never gave out."""
        parts = physical_id.split("/")
        shapes = (_CLUSTER, _NAMESPACE, _RELEASE)
        if len(parts) != len(shapes) or not all(shape.match(part) for shape, part in zip(shapes, parts, strict=True)):
            return None
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The release that the template describes. ``values`` is never printed."""

    place: Place
    chart: str
    repository: str  # an https address, an oci address, or FIRST_PARTY
    version: str
    timeout: int  # seconds
    digest: str = ""  # of the chart's archive, SHA-256 in hex
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


def place_of(properties: Mapping[str, Any]) -> Place:
    """Cluster, namespace and release from a resource's properties; raises ``RequestError``."""
    return Place(
        _text(properties, "Cluster", _CLUSTER),
        _text(properties, "Namespace", _NAMESPACE),
        _text(properties, "Release", _RELEASE),
    )


def wanted(properties: Mapping[str, Any]) -> Wanted:
    """The whole description of a release.

    Args:
        properties: ``ResourceProperties`` of the event. CloudFormation makes strings of numbers and booleans, which is
            why values come as one JSON text.

    Raises:
        RequestError: naming the property that is wrong, never its value where that could be a secret.
    """
    unknown = sorted(set(properties) - KNOWN)
    if unknown:
        raise RequestError(f"unknown property {', '.join(unknown)}; known are {', '.join(sorted(KNOWN))}")
    repository = _repository(properties)
    digest = str(properties.get("Digest", "")).removeprefix("sha256:")
    if digest and not _DIGEST.match(digest):
        raise RequestError("Digest must be the SHA-256 of the chart's archive, 64 hex digits")
    return Wanted(
        place=place_of(properties),
        chart=_text(properties, "Chart", _CHART),
        repository=repository,
        version=_text(properties, "Version", _VERSION),
        timeout=_timeout(properties.get("Timeout", DEFAULT_TIMEOUT)),
        digest=digest,
        values=_values(properties.get("Values", "{}")),
    )


def _text(properties: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    text = properties.get(name)
    if not isinstance(text, str) or not text:
        raise RequestError(f"{name} is missing")
    if not shape.match(text):
        raise RequestError(f"{name} is {text[:80]!r}, which does not match {shape.pattern}")
    return text


def _repository(properties: Mapping[str, Any]) -> str:
    repository = properties.get("Repository")
    if repository == FIRST_PARTY:
        return FIRST_PARTY
    if not isinstance(repository, str) or not re.match(r"^(https|oci)://[^\s@]+$", repository):
        raise RequestError(f"Repository must be an https:// or oci:// address without credentials, or {FIRST_PARTY!r}")
    return repository


def _timeout(raw: object) -> int:
    text = str(raw).removesuffix("s")
    if not text.isdecimal() or int(text) <= 0:
        raise RequestError(f"Timeout must be a number of seconds above 0, not {text[:20]!r}")
    return int(text)


def _values(raw: object) -> Mapping[str, Any]:
    if not isinstance(raw, str):
        raise RequestError(
            "Values must be one JSON text: CloudFormation would make strings of its booleans and numbers"
        )
    try:
        values = json.loads(raw)
    except json.JSONDecodeError as error:
        raise RequestError(f"Values is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(values, dict):
        raise RequestError("Values must be a JSON object")
    return values
