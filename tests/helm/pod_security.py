"""Pod Security Standards, level ``restricted``, as far as a pod's own specification says.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SAFE_PROFILES = {"RuntimeDefault", "Localhost"}
SAFE_SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"}


def pod_of(made: Object) -> Object | None:
    """The pod specification within a workload; None when the object runs nothing."""
    kind, spec = made["kind"], made.get("spec", {})
    if kind == "Pod":
        return spec
    if kind == "CronJob":
        return spec["jobTemplate"]["spec"]["template"]["spec"]
    if kind in {"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"}:
        return spec["template"]["spec"]
    return None


def violations(pod: Object) -> Iterator[str]:
    """What ``restricted`` forbids in this pod, a sentence each."""
    for share in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(share):
            yield f"{share} is on"
    for volume in pod.get("volumes", []):
        yield from (f"volume {volume['name']} is a {kind}" for kind in set(volume) - {"name"} - VOLUMES)
    whole = pod.get("securityContext", {})
    yield from (f"sysctl {each['name']}" for each in whole.get("sysctls", []) if each["name"] not in SAFE_SYSCTLS)
    for container in [*pod.get("containers", []), *pod.get("initContainers", []), *pod.get("ephemeralContainers", [])]:
        for told in _container(container, whole):
            yield f"container {container['name']}: {told}"


def _container(container: Object, whole: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not off"
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities are not dropped"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
        yield "may run as root"
    if own.get("runAsUser", whole.get("runAsUser")) == 0:
        yield "runs as root"
    if own.get("seccompProfile", whole.get("seccompProfile", {})).get("type") not in SAFE_PROFILES:
        yield "has no seccomp profile"
    if own.get("procMount", "Default") != "Default":
        yield "sees all of /proc"
    yield from (f"host port {port['hostPort']}" for port in container.get("ports", []) if port.get("hostPort"))
