"""``tocsin demo``: sample alerts reach four pretended vendors; the account says who was told, and why."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Any, NoReturn

from tocsin.cli.serve import split
from tocsin.demo.account import Account
from tocsin.demo.setting import BEARER
from tocsin.demo.stage import LOOK, Stage
from tocsin.demo.story import Story

FINE, FINDINGS = 0, 1
INTERRUPTED = 130  # what shells give for Ctrl-C: the story was not told to its end


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 (argparse keeps its type private)
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo",
        help="watch sample alerts reach four pretended vendors",
        description="Runs the whole router on this machine against pretended vendors; nothing leaves it. "
        "Keeps running until Ctrl-C, so that you can send alerts of your own.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="end after the story; exit 1 if something that should have been seen was not",
    )
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default %(default)s, a free port")
    parser.add_argument("--verbose", action="store_true", help="show the log, too")


def run(args: argparse.Namespace) -> int:
    """Tell the story; then keep the stage until Ctrl-C or SIGTERM, unless it was to be told once."""
    host, port = split(args.listen)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stage(Account(sys.stdout), host=host, port=port, verbose=args.verbose) as stage:
            code = _play(stage)
            if not args.once:
                _keep(stage)
            return code
    except KeyboardInterrupt:
        print("\nThe demo has ended; its files are gone.")
        return INTERRUPTED if args.once else FINE
    finally:
        signal.signal(signal.SIGTERM, before)


def _play(stage: Stage) -> int:
    account = stage.account
    account.plain("Tocsin with four pretended vendors; nothing leaves this machine.")
    account.plain(f"It listens on {stage.url} and reads {stage.folder}/alertmanager.yml and tocsin.yml")
    story = Story(stage)
    story.tell()
    account.plain()
    for sentence in story.missing:
        print(f"tocsin demo: this should have been seen and was not: {sentence}", file=sys.stderr)
    if not story.missing:
        account.plain("Everybody was told, nobody twice.")
    return FINDINGS if story.missing else FINE


def _keep(stage: Stage) -> NoReturn:
    """Show what the visitor's own alerts do, until somebody interrupts."""
    _try_next(stage)
    while True:
        stage.look()
        time.sleep(LOOK)


def _try_next(stage: Stage) -> None:
    body = '{"alerts":[{"status":"firing","labels":{"alertname":"MyAlert","severity":"critical","team":"data"}}]}'
    stage.account.plain(
        "\nWhat to try next, from another terminal:\n\n"
        f"  curl -d '{body}' \\\n"
        f"       -H 'Authorization: Bearer {BEARER}' {stage.url}/webhooks/alertmanager\n"
        f"  tocsin explain alertname=KubePodCrashLooping --url {stage.url}\n"
        f"  tocsin routes test --explain --config {stage.config} severity=critical team=data\n"
        f"  curl {stage.url}/metrics\n\n"
        "Whoever is told shows up here. Ctrl-C ends the demo and removes its files.\n"
    )
