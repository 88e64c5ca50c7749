"""One event from CloudFormation: do what it asks, and answer in every case.

An event that is not answered leaves the stack waiting until its ``ServiceTimeout``, so everything that can go wrong is
caught here, once, and told in the answer, without values and credentials.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helm_release import redaction, request
from helm_release.answer import Answer, send
from helm_release.cluster import Clusters
from helm_release.deadline import Deadline, Reserves
from helm_release.errors import ClusterGoneError, ReleaseError, RequestError
from helm_release.helm import Helm
from helm_release.release import Outcome, Releases

_log = logging.getLogger("helm_release")


@dataclass(frozen=True, slots=True)
class Tools:
    """What the handling needs of the world; ``wiring`` makes it from the environment, tests make their own."""

    clusters: Clusters
    helm: str
    kubectl: str
    first_party: Path
    reserves: Reserves = field(default_factory=Reserves)
    scratch: Path | None = None  # the parent of each invocation's own directory
    send: Callable[[Mapping[str, Any], Answer], None] = field(default=send)


def serve(event: Mapping[str, Any], remaining: Callable[[], float], tools: Tools) -> dict[str, Any]:
    """Handle one event.

    Args:
        event: CloudFormation's request.
        remaining: milliseconds left in the invocation.
        tools: the programs, the clusters, and the way to answer.

    Returns:
        What happened, for whoever invoked the function by hand; CloudFormation reads the answer only.

    Raises:
        OSError: the answer could not be delivered; Lambda invokes again.
    """
    redact = _redactor(event)
    scratch = Path(tempfile.mkdtemp(prefix="release-", dir=tools.scratch))
    outcome = None
    try:
        outcome, physical_id = _work(event, Deadline(remaining, tools.reserves), tools, scratch)
        answer = Answer(ok=True, physical_id=physical_id, attributes=_attributes(outcome))
    except ReleaseError as error:
        untouched = isinstance(error, RequestError)
        answer = Answer(ok=False, physical_id=_id_of_failure(event, untouched), reason=redact(str(error)))
    except Exception as error:  # noqa: BLE001 - the edge: an unanswered event blocks the stack
        _log.error("%s", redact(traceback.format_exc()))
        reason = f"{type(error).__name__} in the release function; its log has the traceback"
        answer = Answer(ok=False, physical_id=_id_of_failure(event, untouched=False), reason=reason)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report = _report(event, answer, outcome)
    _log.info("%s", redact(json.dumps(report)))
    tools.send(event, answer)
    return report


def _work(event: Mapping[str, Any], deadline: Deadline, tools: Tools, scratch: Path) -> tuple[Outcome, str]:
    kind = event["RequestType"]
    if kind == "Delete":
        physical_id = event["PhysicalResourceId"]
        place = request.Place.parse(physical_id)
        if place is None:  # the creation was refused, nothing was ever made
            return Outcome("absent"), physical_id
        try:
            outcome = _releases(event, place, deadline, tools, scratch).remove(place)
        except ClusterGoneError:
            outcome = Outcome("absent")
        return outcome, physical_id
    if kind not in {"Create", "Update"}:
        raise RequestError(f"RequestType is {str(kind)[:20]!r}")
    wanted = request.wanted(event["ResourceProperties"])
    releases = _releases(event, wanted.place, deadline, tools, scratch)
    # An update that moves the release is a creation there; CloudFormation deletes the old one afterwards.
    create = kind == "Create" or event["PhysicalResourceId"] != str(wanted.place)
    return releases.apply(wanted, create=create), str(wanted.place)


def _releases(
    event: Mapping[str, Any], place: request.Place, deadline: Deadline, tools: Tools, scratch: Path
) -> Releases:
    def refresh(path: Path) -> None:
        tools.clusters.kubeconfig(place.cluster, path)

    helm = Helm(tools.helm, tools.kubectl, scratch, deadline, refresh)
    return Releases(helm, deadline, tools.first_party, str(event["StackId"]).rsplit("/", 1)[-1])


def _id_of_failure(event: Mapping[str, Any], untouched: bool) -> str:
    """The physical id of a failure, chosen so that the deletion that follows removes what was made and nothing else."""
    if event["RequestType"] != "Create":
        return str(event["PhysicalResourceId"])
    if untouched:
        return f"refused-{event['RequestId']}"
    try:
        return str(request.place_of(event["ResourceProperties"]))
    except (RequestError, KeyError):
        return f"refused-{event['RequestId']}"


def _redactor(event: Mapping[str, Any]) -> redaction.Redactor:
    secrets = [str(event.get("ResponseURL", ""))]
    names: set[str] = set()
    for properties in (event.get("ResourceProperties", {}), event.get("OldResourceProperties", {})):
        raw = properties.get("Values", "")
        try:
            secrets += redaction.leaves(json.loads(raw))
        except (TypeError, ValueError):
            secrets.append(str(raw))
        names |= {str(value) for name, value in properties.items() if name != "Values"}
    return redaction.Redactor(secrets, names)


def _attributes(outcome: Outcome) -> dict[str, str]:
    return {"Outcome": outcome.done, "Revision": str(outcome.revision), "Recovered": outcome.recovered}


def _report(event: Mapping[str, Any], answer: Answer, outcome: Outcome | None) -> dict[str, Any]:
    return {
        "request": event["RequestType"],
        "resource": event["LogicalResourceId"],
        "ok": answer.ok,
        "release": answer.physical_id,
        "reason": answer.reason,
        **(_attributes(outcome) if outcome else {}),
    }
