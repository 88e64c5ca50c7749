"""The stage: four vendors, the embedded engine and the HTTP server of ``tocsin serve``, in a folder of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from tocsin.bootstrap.local import Home
from tocsin.demo.account import Account
from tocsin.demo.setting import place_config
from tocsin.demo.sightings import Sighting, Watcher
from tocsin.engines.metrics import log_to
from tocsin.errors import ConfigError
from tocsin.loopback import Vendors
from tocsin.server import HttpServer, application_of

LOOK = 0.05  # seconds between looks at the vendors
REQUEST_TIMEOUT = 10.0  # seconds


class Wanted(NamedTuple):
    """Something that has to be seen: at which vendor, what, and about which alert ("" for any)."""

    vendor: str
    what: str
    about: str = ""

    def __str__(self) -> str:
        """Say it in a sentence."""
        return f"{self.vendor} {self.what}" + (f" {self.about}" if self.about else "")


class Stage:
    """A context manager; ``url`` is where Tocsin listens, ``seen`` what was noticed at the vendors' so far."""

    def __init__(self, account: Account, *, host: str, port: int, verbose: bool) -> None:
        """Take where to listen (port 0: a free one), and whether the log goes to standard error."""
        self.account, self._host, self._port, self._verbose = account, host, port, verbose
        self.vendors = Vendors()
        self.seen: list[Sighting] = []
        self._watcher = Watcher(self.vendors)
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Raise the curtain; ``ConfigError`` when the address cannot be had."""
        with ExitStack() as undo:
            self.folder = Path(undo.enter_context(TemporaryDirectory(prefix="tocsin-demo-")))
            undo.enter_context(_log(None if self._verbose else self.folder / "tocsin.log"))
            undo.enter_context(self.vendors)
            self.config = place_config(self.folder, self.vendors)
            home = Home(self.config, self.folder / "data", environment={})
            undo.callback(home.stop)
            home.admit(self._host)
            server = self._listening(home)
            thread = threading.Thread(target=server.run, name="http", daemon=True)
            undo.callback(thread.join)
            undo.callback(server.stop)
            thread.start()
            home.start()
            self.url = f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{server.port}"
            self._client = undo.enter_context(httpx.Client(base_url=self.url, timeout=REQUEST_TIMEOUT, trust_env=False))
            self._ending = undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let everything go, the folder too."""
        self._ending.close()

    def _listening(self, home: Home) -> HttpServer:
        try:
            return HttpServer(application_of(home), self._host, self._port)
        except OSError as error:
            why = f"cannot listen on {self._host}:{self._port}: {error.strerror or error}"
            raise ConfigError(f"{why}; choose another address with --listen") from error

    def post(self, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:  # noqa: ANN401 (JSON)
        """Send what a sender sends."""
        return self._client.post(path, json=body, headers=headers)

    def explain(self, alertname: str) -> list[dict[str, Any]]:
        """Ask Tocsin itself what it knows of an alert, as ``tocsin explain`` does."""
        stories: list[dict[str, Any]] = self._client.get("/-/explain", params={"alertname": alertname}).json()
        return stories

    def look(self) -> None:
        """Write down what is new at the vendors'."""
        for sighting in self._watcher.look():
            self.seen.append(sighting)
            self.account.told(sighting.vendor, sighting.text)
            if sighting.note:
                self.account.aside(f'it says: "{sighting.note}"')

    def wait(self, wanted: list[Wanted], seconds: float) -> list[Wanted]:
        """Look until everything was seen; gives what was not, when the time is over."""
        until = time.monotonic() + seconds
        while True:
            self.look()
            missing = [each for each in wanted if not self.saw(each)]
            if not missing or time.monotonic() > until:
                return missing
            time.sleep(LOOK)

    def saw(self, wanted: Wanted) -> bool:
        """Whether that was seen."""
        return self.count(wanted) > 0

    def count(self, wanted: Wanted) -> int:
        """How often that was seen."""
        return sum(s.vendor == wanted.vendor and s.what == wanted.what and wanted.about in s.said for s in self.seen)


@contextmanager
def _log(file: Path | None) -> Iterator[None]:
    """Send the log to a file instead of standard error, and take the handler away in the end."""
    if file is None:
        handler = log_to()
        stream = None
    else:
        stream = file.open("w", encoding="utf-8")
        handler = log_to(stream)
    try:
        yield
    finally:
        logging.getLogger("tocsin").removeHandler(handler)
        if stream is not None:
            stream.close()
