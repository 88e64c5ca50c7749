"""``tocsin check FILE…``: every problem of a config, with its place and what to do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from tocsin.bootstrap.configs import load_config
from tocsin.config.plan import Plan
from tocsin.errors import ConfigError, Problem
from tocsin.routing import walk

FINE, FINDINGS = 0, 1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "check",
        help="check config files",
        description="Check alertmanager.yml and tocsin.yml files. Prints file:line:column: message for every problem; "
        "exits 0 when all are fine (warnings do not count), 1 when there are errors.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="an alertmanager.yml or a tocsin.yml")
    parser.add_argument("-o", "--output", choices=("simple", "json"), default="simple", help="how to print")
    return parser


def run(args: argparse.Namespace) -> int:
    """Check every file; gives the exit code."""
    outcomes = [(file, *_check(file)) for file in args.files]
    if args.output == "json":
        print(json.dumps([_as_json(*outcome) for outcome in outcomes], indent=2, ensure_ascii=False))
    else:
        for file, problems, plan in outcomes:
            for problem in problems:
                print(problem)
            print(f"{file}: {_summary(plan) if plan is not None else _count(problems)}")
    return FINE if all(plan is not None for _, _, plan in outcomes) else FINDINGS


def _check(file: str) -> tuple[Sequence[Problem], Plan | None]:
    try:
        loaded = load_config(file)
    except ConfigError as error:
        return error.problems, None
    return loaded.warnings, loaded.plan


def _as_json(file: str, problems: Sequence[Problem], plan: Plan | None) -> dict[str, object]:
    return {
        "file": file,
        "ok": plan is not None,
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "severity": problem.severity,
                "message": problem.message,
            }
            for problem in problems
        ],
    }


def _summary(plan: Plan) -> str:
    parts = (
        (sum(1 for _ in walk(plan.route)), "route"),
        (len(plan.receivers), "receiver"),
        (len(plan.inhibit_rules), "inhibit rule"),
        (len(plan.time_intervals), "time interval"),
        (len(plan.templates), "template"),
        (len(plan.sources), "source"),
        (len(plan.heartbeats), "heartbeat"),
    )
    return "fine: " + ", ".join(_number(count, noun) for count, noun in parts)


def _count(problems: Sequence[Problem]) -> str:
    return _number(sum(1 for problem in problems if problem.severity == "error"), "error")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
