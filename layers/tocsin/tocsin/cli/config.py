"""``tocsin config``: the compiled plan of a deployment on AWS, pushed, shown, rolled back."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tocsin.templates.gotime import rfc3339nano


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 (argparse keeps its type private)
    """Declare the command and its verbs."""
    parser = subparsers.add_parser("config", help="push, show and roll back the compiled plan on AWS")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    push = verbs.add_parser("push", help="validate, compile and store a configuration, then make it the current one")
    push.add_argument("file", metavar="FILE", help="an alertmanager.yml or a tocsin.yml")
    show = verbs.add_parser("show", help="say which plan is current, and which came before")
    back = verbs.add_parser("rollback", help="make an earlier plan the current one again")
    back.add_argument("--epoch", type=int, default=None, help="which; default: the one before the current")
    for verb in (push, show, back):
        verb.add_argument("--table", required=True, help="the stack's output TableName")
    push.add_argument(
        "--secret-prefix", required=True, help="the stack's output SecretPrefix: where inline secrets are stored"
    )


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; exit 1 when the configuration has errors or AWS refuses."""
    if args.verb == "push":
        from tocsin.bootstrap.aws.push import push  # noqa: PLC0415 (boto3 only where it is needed)

        plan, loaded = push(args.file, args.table, args.secret_prefix)
        for problem in loaded.warnings:
            print(problem, file=sys.stderr)
        print(f"epoch {plan.epoch} is current: {args.file}, {len(plan.receivers)} receivers")
        return 0
    from tocsin.bootstrap.aws.table import plans  # noqa: PLC0415 (boto3 only where it is needed)

    known = plans(args.table)
    if args.verb == "rollback":
        plan = known.rollback(args.epoch)
        print(f"epoch {plan.epoch} is current: {plan.origin} again")
        return 0
    pointer = known.pointer()
    if not pointer:
        print("nothing was pushed yet: the built-in plan tells the stack's CatchAllEmail")
        return 0
    print(f"epoch {pointer['epoch']} from {pointer['origin']}, pushed {rfc3339nano(pointer['pushed'])}")
    for epoch, blob, at in reversed(pointer["history"][:-1]):
        print(f"  before: epoch {epoch}, {rfc3339nano(at)}, {blob}")
    return 0
