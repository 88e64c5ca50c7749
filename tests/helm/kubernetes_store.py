"""The objects of a pretended cluster: kept, merged, watched, as far as helm and kubectl look."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
READY = "2026-01-01T00:00:00Z"

# group/version → plural → (kind, namespaced)
KINDS: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "namespaces": ("Namespace", False),
        "secrets": ("Secret", True),
        "configmaps": ("ConfigMap", True),
        "services": ("Service", True),
        "serviceaccounts": ("ServiceAccount", True),
        "pods": ("Pod", True),
    },
    "apps/v1": {"deployments": ("Deployment", True), "replicasets": ("ReplicaSet", True)},
    "apiextensions.k8s.io/v1": {"customresourcedefinitions": ("CustomResourceDefinition", False)},
}
Key = tuple[str, str, str, str]  # group/version, plural, namespace, name


class MissingError(LookupError):
    """No such object."""


class Store:
    """A cluster's objects.

    A deployment whose spec has a word of ``hanging`` in it never becomes ready; the deletion of an object whose name is
    in ``stuck`` does not end.
    """

    def __init__(self) -> None:
        self.kinds = copy.deepcopy(KINDS)
        self.objects: dict[Key, Object] = {}
        self.hanging: set[str] = set()
        self.stuck: set[str] = set()
        self._applied: dict[tuple[Key, str], Object] = {}
        self._log: list[tuple[int, str, Key, Object]] = []
        self._version = 1
        self._changed = threading.Condition()

    @property
    def version(self) -> int:
        return self._version

    def get(self, key: Key) -> Object:
        with self._changed:
            if key not in self.objects:
                raise MissingError(key)
            return copy.deepcopy(self.objects[key])

    def select(self, prefix: tuple[str, str, str], labels: str = "", fields: str = "") -> list[Object]:
        with self._changed:
            found = [o for k, o in sorted(self.objects.items()) if _within(k, prefix) and _chosen(o, labels, fields)]
            return copy.deepcopy(found)

    def put(self, key: Key, new: Object) -> Object:
        """Create or replace."""
        with self._changed:
            old = self.objects.get(key)
            metadata = new.setdefault("metadata", {})
            metadata["name"] = key[3]
            if key[2]:
                metadata["namespace"] = key[2]
            before = old["metadata"] if old else {"uid": str(uuid.uuid4()), "creationTimestamp": READY, "generation": 0}
            metadata["uid"] = before["uid"]
            metadata["creationTimestamp"] = before["creationTimestamp"]
            metadata["generation"] = before["generation"] + (old is None or old.get("spec") != new.get("spec"))
            self._settle(key, new)
            if old is not None and _same(old, new):
                return copy.deepcopy(old)
            self._version += 1
            metadata["resourceVersion"] = str(self._version)
            self.objects[key] = new
            self._note("MODIFIED" if old else "ADDED", key, new)
            return copy.deepcopy(new)

    def merge(self, key: Key, patch: Object) -> Object:
        """RFC 7386, which is near enough to a strategic merge for the objects of the tests."""
        with self._changed:
            return self.put(key, _merged(self.get(key), patch))

    def apply(self, key: Key, manager: str, wanted: Object) -> Object:
        """Server-side apply: what this manager applied before and does not any more goes away."""
        with self._changed:
            old = copy.deepcopy(self.objects.get(key, {}))
            before = self._applied.get((key, manager), {})
            self._applied[key, manager] = copy.deepcopy(wanted)
            return self.put(key, _merged(_without(old, before, wanted), wanted))

    def delete(self, key: Key) -> Object:
        with self._changed:
            found = self.get(key)
            if key[3] in self.stuck:
                found["metadata"]["deletionTimestamp"] = READY
                return self.put(key, found)
            del self.objects[key]
            for applied in [each for each in self._applied if each[0] == key]:
                del self._applied[applied]
            self._version += 1
            found["metadata"]["resourceVersion"] = str(self._version)
            self._note("DELETED", key, found)
            return found

    def watch(self, prefix: tuple[str, str, str], since: int, seconds: float) -> Iterator[tuple[str, Object] | None]:
        """Changes after ``since``; None now and then, so that the caller can look whether anybody still listens."""
        position = 0
        waited = 0.0
        while waited < seconds:
            with self._changed:
                if position == len(self._log):
                    self._changed.wait(0.2)
                    waited += 0.2
                fresh, position = self._log[position:], len(self._log)
            for version, kind, key, changed in fresh:
                if version > since and _within(key, prefix):
                    yield kind, changed
            yield None

    def _note(self, kind: str, key: Key, changed: Object) -> None:
        self._log.append((self._version, kind, key, copy.deepcopy(changed)))
        self._changed.notify_all()

    def _settle(self, key: Key, new: Object) -> None:
        """What a cluster's controllers would write into the status."""
        if key[1] == "deployments":
            spec = json.dumps(new.get("spec", {}))
            ready = not any(word in spec for word in self.hanging)
            wanted = new.get("spec", {}).get("replicas", 1)
            new["status"] = _rollout(new["metadata"]["generation"], wanted, ready=ready)
        elif key[1] == "customresourcedefinitions":
            spec = new["spec"]
            new["status"] = {
                "conditions": [{"type": t, "status": "True", "reason": "x"} for t in ("Established", "NamesAccepted")]
            }
            for version in spec["versions"]:
                kinds = self.kinds.setdefault(f"{spec['group']}/{version['name']}", {})
                kinds[spec["names"]["plural"]] = (spec["names"]["kind"], spec["scope"] == "Namespaced")
        elif key[1] == "namespaces":
            new["status"] = {"phase": "Active"}


def _rollout(generation: int, wanted: int, *, ready: bool) -> Object:
    have = wanted if ready else 0
    reason = "NewReplicaSetAvailable" if ready else "ReplicaSetUpdated"
    return {
        "observedGeneration": generation,
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": have,
        "availableReplicas": have,
        "conditions": [
            {"type": "Available", "status": "True" if ready else "False", "reason": "x"},
            {"type": "Progressing", "status": "True", "reason": reason},
        ],
    }


def _same(old: Object, new: Object) -> bool:
    return all(old.get(part) == new.get(part) for part in {*old, *new} - {"metadata"}) and all(
        old["metadata"].get(part) == new["metadata"].get(part)
        for part in {*old["metadata"], *new["metadata"]} - {"resourceVersion", "managedFields"}
    )


def _within(key: Key, prefix: tuple[str, str, str]) -> bool:
    return key[:2] == prefix[:2] and prefix[2] in {"", key[2]}


def _chosen(found: Object, labels: str, fields: str) -> bool:
    have = found["metadata"].get("labels", {})
    pairs = [pair.replace("==", "=").split("=", 1) for pair in labels.split(",") if "=" in pair]
    names = [pair.split("=", 1)[1] for pair in fields.split(",") if pair.startswith("metadata.name=")]
    return all(have.get(name) == value for name, value in pairs) and all(found["metadata"]["name"] == n for n in names)


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return copy.deepcopy(patch)
    merged = dict(old)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name, {} if isinstance(value, dict) else None), value)
    return merged


def _without(old: Any, before: Any, wanted: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(before, dict) and isinstance(wanted, dict)):
        return old
    return {
        name: _without(value, before.get(name), wanted.get(name))
        for name, value in old.items()
        if not (name in before and name not in wanted)
    }
