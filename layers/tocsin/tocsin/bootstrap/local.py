"""Tocsin on one machine: the embedded engine, its threads, its configuration file (``tocsin serve``)."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tocsin.bootstrap import App, Ports, compose
from tocsin.bootstrap.configs import load_config
from tocsin.config.loader import Loaded
from tocsin.engines.local import LocalSecrets, Nobody, SystemClock
from tocsin.engines.metrics import LocalTelemetry
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.errors import ConfigError, StoreFullError, TocsinError
from tocsin.model import SECOND
from tocsin.pipeline import explain
from tocsin.pipeline.tick import AT_HOME
from tocsin.ports import INBOX, deliver_queue

DATABASE = "tocsin.sqlite"
DELIVERIES_AT_ONCE = 4  # threads a channel; a slow vendor must not hold up its own other lanes
WATCH = 5.0  # seconds between looks at the config files
TICK = 10.0  # seconds between ticks; at home nothing is paid by the call
IDLE = 1.0  # seconds a worker sleeps at most: whatever a listener missed is found then
STOP_WITHIN = 15.0  # seconds that requests in flight may take when we are told to stop


class Home:
    """Everything ``tocsin serve`` consists of but the HTTP server."""

    def __init__(
        self,
        config: Path,
        data: Path | None,
        *,
        dry_run: bool = False,
        environment: Mapping[str, str] | None = None,
        telemetry: LocalTelemetry | None = None,
        external_url: str = "",
    ) -> None:
        """Open the data directory (None: in memory) and load the config; ``external_url`` holds where that names none.

        Raises:
            ConfigError: the config has errors; every one is listed.
            StoreError: another process uses the data directory, or a newer release wrote it.
        """
        self.config = config
        self._external_url = external_url
        loaded = load_config(config)
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        self.clock = SystemClock()
        self.store = SqliteStore(data / DATABASE if data is not None else ":memory:", clock=self.clock)
        self.queues = SqliteQueues(self.store, self.clock)
        self.telemetry = telemetry or LocalTelemetry()
        self.secrets = LocalSecrets(environment=environment if environment is not None else os.environ)
        ports = Ports(self.store, self.queues, self.secrets, self.clock, self.telemetry, Nobody())
        self.app: App = compose(
            ports, loaded.plan, worker=f"{socket.gethostname()}-{os.getpid()}", dry_run=dry_run, pace=AT_HOME
        )
        self._wakers: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._reloading = threading.Lock()
        self._problem = ""
        self._seen: Mapping[Path, tuple[int, int]] = {}
        self._take(loaded)
        self._gauges()
        self.queues.listen(self._wake)

    # -- configuration -------------------------------------------------------------------------------------------------

    def _take(self, loaded: Loaded) -> None:
        for problem in loaded.warnings:
            self.telemetry.log("warning", "config", problem=str(problem))
        self.secrets.update(loaded.secrets)
        self._seen = _fingerprints((self.config, *loaded.files))
        external_url = loaded.plan.external_url or self._external_url
        self.app.plans.push(replace(loaded.plan, created=self.clock.now(), external_url=external_url))

    def reload(self) -> str:
        """Read the config again; a bad one is refused with its problems, and the old one is kept."""
        with self._reloading:
            try:
                loaded = load_config(self.config)
                if self._stranger is not None and loaded.plan.open_on_loopback and not is_loopback(self._stranger):
                    raise ConfigError(open_on(self._stranger))
                self._take(loaded)
            except TocsinError as error:
                self._seen = _fingerprints(self._seen)
                self._problem = str(error)
                self.telemetry.count("reloads", result="refused")
                self.telemetry.log("error", "the configuration was refused, the old one is kept", problem=self._problem)
                return self._problem
            self._problem = ""
            self.telemetry.count("reloads", result="taken")
            self.telemetry.log("info", "the configuration was taken", epoch=self.app.plans.current().epoch)
            return ""

    _stranger: str | None = None

    def admit(self, host: str) -> None:
        """Refuse to listen where strangers are as long as no source is named; ``ConfigError`` says what to do."""
        if self.app.plans.current().open_on_loopback and not is_loopback(host):
            raise ConfigError(open_on(host))
        self._stranger = host

    # -- threads -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work what is stored and what comes in."""
        self.queues.reclaim()
        self.app.tick.begin()
        self.app.tick.run()
        self._thread("decide", self._decide)
        for channel in self.app.worker.channels:
            for number in range(DELIVERIES_AT_ONCE):
                self._thread(f"deliver-{channel}-{number}", partial(self._deliver, channel))
        self._thread("tick", self._tick)
        self._thread("watch", self._watch)

    def stop(self) -> None:
        """Finish the requests in flight, then close the file."""
        self._stopping.set()
        for waker in self._wakers.values():
            waker.set()
        until = time.monotonic() + STOP_WITHIN
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self.store.close()

    def ready(self) -> str:
        """Say why we are not ready, "" if we are."""
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if self._stopping.is_set():
            return "stopping"
        try:
            self.store.require_room()
        except StoreFullError as error:
            return str(error)
        return f"worker threads have ended: {', '.join(dead)}; restart tocsin" if dead else ""

    def _gauges(self) -> None:
        watch = self.telemetry.watch
        watch("inbox_messages", lambda: self.queues.depth(INBOX), "Messages that are stored and not yet routed.")
        watch(
            "config_last_reload_successful", lambda: 0 if self._problem else 1,
            "Whether the configuration on disk is the one in use.",
        )  # fmt: skip
        watch("config_epoch", lambda: self.app.plans.current().epoch, "The epoch of the plan in use.")

    def explain(self, query: Mapping[str, str]) -> Any:  # noqa: ANN401 (JSON)
        """Explain the alerts that a query (``fingerprint``, or labels) finds."""
        labels = {name: value for name, value in query.items() if name != "fingerprint"}
        plan = self.app.plans.current()
        found = explain.alerts(self.store, fingerprint=query.get("fingerprint", ""), labels=labels)
        now = self.clock.now()
        return [explain.explain(self.store, plan, state, now) for state in islice(found, explain.MOST)]

    def _thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wake(self, queue: str) -> None:
        waker = self._wakers.get(queue if queue.startswith("deliver.") else INBOX)
        if waker is not None:
            waker.set()

    def _decide(self) -> None:
        self._loop(INBOX, lambda: self.app.worker.inbox() + self.app.worker.due())

    def _deliver(self, channel: str) -> None:
        self._loop(deliver_queue(channel), lambda: self.app.worker.deliver(channel, 1))

    def _loop(self, queue: str, work: Callable[[], int]) -> None:
        waker = self._wakers.setdefault(queue, threading.Event())
        while not self._stopping.is_set():
            waker.clear()
            if self._guarded(work) == 0:
                waker.wait(self._pause(queue))

    def _pause(self, queue: str) -> float:
        due = self.queues.next_visible(queue)
        wait = IDLE if due is None else (due - self.clock.now()) / SECOND
        return min(IDLE, max(wait, 0.001))

    def _guarded(self, work: Callable[[], int]) -> int:
        """Run one step; a thread outlives whatever a step raises."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 (the stage's edge: counted, said, and tried again)
            self.telemetry.count("defects", stage=threading.current_thread().name.rstrip("0123456789-"))
            self.telemetry.log("error", "a step failed", step=threading.current_thread().name, error=repr(error))
            self._stopping.wait(IDLE)
            return 0

    def _tick(self) -> None:
        while not self._stopping.wait(TICK):
            self._guarded(self.app.tick.run)

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH):
            if _fingerprints(self._seen) != self._seen:
                self.reload()


def is_loopback(host: str) -> bool:
    """Whether an address (or ``localhost``) can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def open_on(host: str) -> str:
    """Say why an alertmanager.yml alone is served on loopback only."""
    return (
        f"refusing to listen on {host}: nobody has to prove who he is, since no source is named. Name the sources and "
        "their proof under 'sources' in a tocsin.yml beside the file, or listen on 127.0.0.1"
    )


def _fingerprints(files: Mapping[Path, Any] | tuple[Path, ...]) -> dict[Path, tuple[int, int]]:
    """Tell versions of files apart, those that are missing included."""
    found = {}
    for path in files:
        try:
            stat = path.stat()
            found[path] = (stat.st_mtime_ns, stat.st_size)
        except OSError:
            found[path] = (0, -1)
    return found
