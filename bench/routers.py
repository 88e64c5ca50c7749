"""CPU per alert, idle latency and memory of both routers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers import Peer, running
from bench.receiver import Receiver

BATCH = 100
PATIENCE = 300.0
NAMES = ("tocsin", "alertmanager")


@dataclass(frozen=True)
class Load:
    """What is sent: how many alerts, in how many groups."""

    alerts: int
    groups: int
    group_by: str

    def bodies(self) -> list[list[dict[str, Any]]]:
        """Make the requests' alerts."""
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        alerts = [
            {
                "status": "firing",
                "labels": {
                    "alertname": f"Alert{n % self.groups}", "instance": f"host-{n}:9100", "job": "node",
                    "severity": "page", "cluster": "eu-1",
                },
                "annotations": {"summary": "Something is wrong", "description": "It has been wrong for five minutes."},
                "startsAt": started,
                "generatorURL": "http://prometheus.example/graph?g0.expr=up",
            }
            for n in range(self.alerts)
        ]  # fmt: skip
        return [alerts[at : at + BATCH] for at in range(0, len(alerts), BATCH)]


def cpu_per_alert(load: Load, folder: Path) -> dict[str, dict[str, float]]:
    """Send a load to each router in turn; CPU in ms an alert from the first request to the last notification."""
    found = {}
    for name in NAMES:
        with (
            Receiver() as receiver,
            running(name, folder / name, receiver.url, group_by=load.group_by, group_wait="5s") as peer,
        ):
            before, began = peer.cpu(), time.monotonic()
            for body in load.bodies():
                peer.post(body)
            heard = receiver.wait_for(load.alerts, PATIENCE)
            if heard != load.alerts:
                raise RuntimeError(f"{name} told {heard} of {load.alerts} alerts in {PATIENCE:.0f} s")
            found[name] = {
                "cpu ms/alert": (peer.cpu() - before) / load.alerts * 1000,
                "wall s": time.monotonic() - began,
                "memory MiB": peer.memory(),
                "notifications": receiver.notifications,
            }
    return found


def idle_latency(folder: Path, requests: int = 200) -> dict[str, dict[str, float]]:
    """Send one alert at a time to an idle router: ms from the request to the webhook."""
    found = {}
    for name in NAMES:
        with (
            Receiver() as receiver,
            running(name, folder / name, receiver.url, group_by="instance", group_wait="0s") as peer,
        ):
            memory = peer.memory()
            took = [_one(peer, receiver, number) for number in range(requests)][10:]
            found[name] = {
                "p50 ms": statistics.median(took),
                "p99 ms": statistics.quantiles(took, n=100)[98],
                "memory MiB": memory,
            }
    return found


def _one(peer: Peer, receiver: Receiver, number: int) -> float:
    name = f"idle-{number}"
    began = time.monotonic()
    peer.post([{"status": "firing", "labels": {"alertname": "Idle", "instance": name}, "annotations": {}}])
    while name not in receiver.heard:
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(f"{peer.name} never told {name}")
        time.sleep(0.0002)
    return (receiver.heard[name] - began) * 1000


Measurement = Callable[[Path], dict[str, dict[str, float]]]
