"""``tocsin serve``: the router on one machine."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from tocsin.bootstrap.local import Home
from tocsin.engines.metrics import log_to
from tocsin.errors import ConfigError, TocsinError
from tocsin.server import Application

THREADS = 16  # requests at once; each waits for one fsync, which they share
LARGEST = 64 * 1024 * 1024  # bytes that are read at all; above MAX_BODY only to answer with a sentence


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 (argparse keeps its type private)
    """Declare the command."""
    parser = subparsers.add_parser("serve", help="receive, route and deliver on this machine")
    parser.add_argument("--config", required=True, metavar="FILE", help="an alertmanager.yml or a tocsin.yml")
    parser.add_argument("--listen", default="127.0.0.1:9093", metavar="HOST:PORT", help="default %(default)s")
    parser.add_argument("--data", default="data", metavar="DIR", help="where the state is kept; default ./%(default)s")
    parser.add_argument("--dry-run", action="store_true", help="log what would be sent instead of sending it")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; SIGHUP reads the config again."""
    host, port = split(args.listen)
    home = Home(Path(args.config), Path(args.data), dry_run=args.dry_run)
    try:
        home.admit(host)
        server = make_server(home, host, port)
    except (TocsinError, OSError) as error:
        home.store.close()
        print(f"tocsin serve: {error}", file=sys.stderr)
        return 1
    log_to()
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: _stop(asked, server))
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=home.reload, daemon=True).start())
    home.start()
    home.telemetry.log("info", "listening", address=f"{host}:{server.effective_port}", config=str(args.config))
    try:
        server.run()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.close()
        home.stop()
        home.telemetry.log("info", "stopped")
    return 0


def make_server(home: Home, host: str, port: int) -> Any:  # noqa: ANN401 (waitress has no types)
    """Bind the address; ``OSError`` says why that is not possible."""
    from waitress import create_server  # noqa: PLC0415 (only serve needs it)

    application = Application(
        receive=home.app.receive,
        ready=home.ready,
        metrics=home.telemetry.render,
        reload=home.reload,
        explain=home.explain,
    )
    return create_server(
        application, host=host, port=port, threads=THREADS, max_request_body_size=LARGEST, ident=None,
        clear_untrusted_proxy_headers=True,
    )  # fmt: skip


def split(listen: str) -> tuple[str, int]:
    """Read ``HOST:PORT``; an empty host means every address, as in Alertmanager."""
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 (TCP)
        raise ConfigError(f"--listen {listen!r} is not HOST:PORT, e.g. 127.0.0.1:9093")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 (what an empty host says)


def _stop(asked: threading.Event, server: Any) -> None:  # noqa: ANN401 (waitress has no types)
    if not asked.is_set():
        asked.set()
        raise SystemExit(0)
    server.close()
