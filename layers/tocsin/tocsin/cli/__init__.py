"""The ``tocsin`` command. Each subcommand is a module with ``add_parser`` and ``run``, imported when it is used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from tocsin.errors import ConfigError, TocsinError

FINDINGS, USAGE = 1, 2

COMMANDS = {
    "serve": "receive, route and deliver on this machine",
    "demo": "watch sample alerts reach four pretended vendors",
    "check": "find every problem in a configuration",
    "parse": "show what a body says, normalised",
    "routes": "show the route tree, or whom an alert would reach",
    "explain": "tell why somebody was told of an alert, or was not",
    "config": "push, show and roll back the compiled plan on AWS",
}


class _Version(argparse.Action):
    """Prints the installed release; only then is the package's metadata looked up."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002 (argparse's)
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and exit."""
        from importlib.metadata import version  # noqa: PLC0415 (only here is it needed)

        print(f"tocsin {version('tocsin')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 fine, 1 findings, 2 usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="tocsin", description="A serverless alert router.")
    parser.add_argument("--version", action=_Version, help="print the release and end")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in arguments if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        if name == named:
            import_module(f"tocsin.cli.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    args = parser.parse_args(arguments)
    try:
        code: int = import_module(f"tocsin.cli.{args.command}").run(args)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return FINDINGS
    except TocsinError as error:
        print(f"tocsin: {error}", file=sys.stderr)
        return FINDINGS
    except BrokenPipeError:  # `tocsin … | head`
        sys.stderr.close()
        return 0
    return code
