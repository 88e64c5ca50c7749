"""The helm and kubectl commands that a release needs, each with the flags of Helm 4 and a plain outcome.

Source: https://helm.sh/docs/helm/, https://kubernetes.io/docs/reference/kubectl/generated/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helm_release.deadline import Deadline
from helm_release.errors import HelmError, OutOfTimeError
from helm_release.programs import Finished, run
from helm_release.request import Place

NOT_FOUND = "release: not found"
HISTORY_MAX = 5
CRDS_TIMEOUT = 60  # seconds for new kinds to be served
GOOD = ("deployed", "superseded")


@dataclass(frozen=True, slots=True)
class Found:
    """What helm knows of a release that exists."""

    status: str  # deployed, failed, superseded, uninstalling, pending-install, pending-upgrade, pending-rollback
    revision: int
    description: str


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm and kubectl against one cluster.

    Args:
        helm: the program.
        kubectl: the program.
        scratch: a directory of this invocation's own; values and kubeconfig lie there.
        deadline: the invocation's.
        path: ``PATH`` for both.
        refresh: writes a kubeconfig with a fresh token; called before each command, since a token lasts 15 minutes.
    """

    helm: str
    kubectl: str
    scratch: Path
    deadline: Deadline
    refresh: Callable[[Path], None]
    path: str = "/usr/local/bin:/usr/bin:/bin"
    runner: Callable[..., Finished] = field(default=run)

    def status(self, place: Place) -> Found | None:
        """The release as it is; None when there is none."""
        finished = self._run([self.helm, "status", place.release, "--namespace", place.namespace, "--output", "json"])
        if finished.code and NOT_FOUND in finished.stderr:
            return None
        release = json.loads(self._good(finished, f"helm status of {place}"))
        return Found(release["info"]["status"], int(release["version"]), release["info"].get("description", ""))

    def history(self, place: Place) -> list[Found]:
        """Every revision that helm still has, oldest first."""
        command = [self.helm, "history", place.release, "--namespace", place.namespace, "--output", "json"]
        text = self._good(self._run(command), f"helm history of {place}")
        return [Found(each["status"], int(each["revision"]), each.get("description", "")) for each in json.loads(text)]

    def upgrade(self, place: Place, chart: Path, values: Mapping[str, Any], timeout: int, description: str) -> None:
        """Install or upgrade, wait until it is ready, and roll back when it is not within ``timeout`` s."""
        file = self.scratch / "values.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(values))
        command = [self.helm, "upgrade", place.release, str(chart), "--install", "--namespace", place.namespace]
        command += [
            "--values",
            str(file),
            "--reset-values",
            "--skip-crds",
            "--rollback-on-failure",
            "--cleanup-on-fail",
        ]
        command += ["--wait=watcher", "--wait-for-jobs", "--timeout", f"{timeout}s", "--description", description]
        command += ["--history-max", str(HISTORY_MAX), "--hide-notes", "--output", "json"]
        self._good(self._run(command), f"helm upgrade of {place}")

    def rollback(self, place: Place, revision: int, timeout: int) -> None:
        """Go back to ``revision`` without waiting for it: another upgrade follows."""
        command = [self.helm, "rollback", place.release, str(revision), "--namespace", place.namespace]
        command += ["--timeout", f"{timeout}s", "--cleanup-on-fail"]
        self._good(self._run(command), f"helm rollback of {place} to revision {revision}")

    def uninstall(self, place: Place, timeout: int) -> None:
        """Remove the release and wait until its objects are gone: what has a finalizer must not be left behind."""
        command = [self.helm, "uninstall", place.release, "--namespace", place.namespace, "--ignore-not-found"]
        command += ["--wait=watcher", "--cascade", "foreground", "--timeout", f"{timeout}s"]
        self._good(self._run(command), f"helm uninstall of {place}")

    def pull(self, reference: Sequence[str], version: str, directory: Path) -> Path:
        """Download a chart's archive into ``directory``, which must be empty."""
        command = [self.helm, "pull", *reference, "--version", version, "--destination", str(directory)]
        self._good(self._run(command), f"helm pull of {reference[0]} {version}")
        (archive,) = directory.glob("*.tgz")
        return archive

    def crds(self, chart: Path) -> str:
        """The chart's ``crds/`` directory as YAML; helm installs those once and never upgrades them."""
        return self._good(self._run([self.helm, "show", "crds", str(chart)]), f"helm show crds of {chart.name}").strip()

    def apply_crds(self, manifests: str) -> None:
        """Create or upgrade custom resource definitions, and wait until the API server serves them."""
        command = [self.kubectl, "apply", "--server-side", "--force-conflicts", "--field-manager=helm", "--filename=-"]
        self._good(self._run(command, stdin=manifests), "kubectl apply of the chart's CRDs")
        command = [self.kubectl, "wait", "--for=condition=Established", f"--timeout={CRDS_TIMEOUT}s", "--filename=-"]
        self._good(self._run(command, stdin=manifests), "kubectl wait for the chart's CRDs")

    def _run(self, command: Sequence[str], stdin: str | None = None) -> Finished:
        kubeconfig = self.scratch / "kubeconfig"
        self.refresh(kubeconfig)
        home = str(self.scratch)
        environment = {"PATH": self.path, "HOME": home, "KUBECONFIG": str(kubeconfig), "NO_COLOR": "1"}
        environment |= {f"HELM_{kind}_HOME": f"{home}/helm/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}
        environment["KUBECACHEDIR"] = f"{home}/kube"
        return self.runner(command, environment, self.deadline, stdin=stdin)

    def _good(self, finished: Finished, what: str) -> str:
        if finished.stopped == "killed":
            raise OutOfTimeError(
                f"{what} was killed because the invocation was about to end; the release can be left pending, and the "
                "next run recovers it"
            )
        if finished.stopped:
            raise OutOfTimeError(f"{what} was stopped because the invocation was about to end: {finished.complaint}")
        if finished.code:
            raise HelmError(f"{what} failed: {finished.complaint or f'exit {finished.code} without a word'}")
        return finished.stdout
