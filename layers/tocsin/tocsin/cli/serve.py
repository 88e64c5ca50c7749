"""``tocsin serve``: the router on one machine."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from tocsin.bootstrap.local import Home
from tocsin.engines.metrics import log_to
from tocsin.errors import ConfigError, TocsinError
from tocsin.server import HttpServer, application_of

FINDINGS = 1


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
    log_to()
    try:
        home = Home(Path(args.config), Path(args.data), dry_run=args.dry_run, external_url=here(host, port))
    except OSError as error:
        print(f"tocsin serve: cannot keep anything in --data {args.data}: {error.strerror or error}", file=sys.stderr)
        return FINDINGS
    try:
        home.admit(host)
        server = HttpServer(application_of(home), host, port)
    except (TocsinError, OSError) as error:
        home.store.close()
        print(f"tocsin serve: {_why(error, args.listen)}", file=sys.stderr)
        return FINDINGS
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: server.stop())
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=home.reload, daemon=True).start())
    home.start()
    home.telemetry.log("info", "listening", address=f"{host}:{server.port}", config=str(args.config))
    try:
        server.run()
    finally:
        home.stop()
        home.telemetry.log("info", "stopped")
    return 0


def here(host: str, port: int) -> str:
    """Say where people find this server, as Alertmanager does where nothing else is configured."""
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 (compared, not bound)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def _why(error: Exception, listen: str) -> str:
    if isinstance(error, OSError):
        return f"cannot listen on {listen}: {error.strerror or error}; choose another address with --listen"
    return str(error)


def split(listen: str) -> tuple[str, int]:
    """Read ``HOST:PORT``; an empty host means every address, as in Alertmanager."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 (TCP)
        raise ConfigError(f"--listen {listen!r} is not HOST:PORT, e.g. 127.0.0.1:9093")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 (what an empty host says)
