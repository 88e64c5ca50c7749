"""Decide what has to happen to a release, and do it.

The state that an invocation finds can be one that an earlier one left in the middle. Helm refuses to work on a
release that is ``pending-*`` ("another operation is in progress"), so that is put right first. Nobody else can be at
work on it: CloudFormation has one request under way for a resource.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from helm_release import charts
from helm_release.deadline import Deadline
from helm_release.errors import OutOfTimeError, RequestError
from helm_release.helm import GOOD, Found, Helm
from helm_release.request import Place, Wanted

DEPLOYED = "deployed"
MADE_BY = "cloudformation"
REMOVAL_TIMEOUT = 600  # seconds: a load balancer or a volume takes minutes to go


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, by name: installed, upgraded, unchanged, uninstalled, absent; and what was put right before."""

    done: str
    revision: int = 0
    recovered: str = ""


@dataclass(frozen=True, slots=True)
class Releases:
    """The operations on one cluster's releases.

    Args:
        helm: the programs.
        deadline: the invocation's.
        first_party: directory of our own charts.
        stack: the stack's unique id, which marks the releases that are its own.
    """

    helm: Helm
    deadline: Deadline
    first_party: Path
    stack: str

    def apply(self, wanted: Wanted, *, create: bool) -> Outcome:
        """Make the release as wanted.

        Raises:
            TooLongError: it asks for more time than there is; nothing was touched.
            RequestError: on creation, somebody else's release is there already; nothing was touched.
            ChartError: no such chart; nothing was touched.
            HelmError: it failed; helm has rolled back, or the next run will.
        """
        place = wanted.place
        timeout = self.deadline.grant(wanted.timeout, f"release {place}")
        mark = self._mark(wanted)
        found = self.helm.status(place)
        if found is not None and found.status == DEPLOYED and found.description == mark:
            return Outcome("unchanged", found.revision)
        if create and found is not None:
            self._refuse_strangers(place)
        chart = charts.fetch(wanted, self.first_party, self.helm, self.helm.scratch)
        recovered = self._recover(place, found)
        crds = self.helm.crds(chart)
        if crds:
            self.helm.apply_crds(crds)
        left = min(timeout, self.deadline.longest())
        if left <= 0:
            raise OutOfTimeError(f"no time is left for {place} after what came before ({recovered}); run it again")
        self.helm.upgrade(place, chart, wanted.values, left, mark)
        now = self.helm.status(place)
        return Outcome("installed" if found is None else "upgraded", now.revision if now else 0, recovered)

    def remove(self, place: Place) -> Outcome:
        """Uninstall the release, whatever state it is in. Raises ``HelmError`` when it or its objects remain."""
        found = self.helm.status(place)
        if found is None:
            return Outcome("absent")
        left = min(REMOVAL_TIMEOUT, self.deadline.longest())
        if left <= 0:
            raise OutOfTimeError(f"no time is left to uninstall {place}")
        self.helm.uninstall(place, left)
        if self.helm.status(place) is not None:
            raise OutOfTimeError(f"{place} is still there after helm uninstall")
        return Outcome("uninstalled", found.revision)

    def _mark(self, wanted: Wanted) -> str:
        """The release's description: whose it is, and the digest of all that makes it what it is."""
        parts = (charts.fingerprint(wanted, self.first_party), json.dumps(wanted.values, sort_keys=True))
        return f"{MADE_BY} {self.stack} {hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"

    def _refuse_strangers(self, place: Place) -> None:
        """A release that another made must not become ours: a failed creation is followed by a deletion."""
        good = [each for each in self.helm.history(place) if each.status in GOOD]
        if good and not any(each.description.startswith(f"{MADE_BY} {self.stack} ") for each in good):
            raise RequestError(
                f"{place} exists already and this stack did not make it ({good[-1].description!r}): "
                "uninstall it, or give this resource another Release"
            )

    def _recover(self, place: Place, found: Found | None) -> str:
        """Put right what an earlier invocation left in the middle; says what was done."""
        if found is None or not found.status.startswith(("pending-", "uninstalling")):
            return ""
        timeout = max(1, min(REMOVAL_TIMEOUT, self.deadline.longest()))
        good = [] if found.status == "uninstalling" else [r for r in self.helm.history(place) if r.status in GOOD]
        if good:
            self.helm.rollback(place, good[-1].revision, timeout)
            return f"{found.status}: rolled back to revision {good[-1].revision}"
        self.helm.uninstall(place, timeout)
        return f"{found.status}: uninstalled"
