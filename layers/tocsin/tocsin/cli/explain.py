"""``tocsin explain``: what came in, which routes by which line, which group, why told or not, each attempt."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.cli.explanation import render
from tocsin.errors import ConfigError, StoreError

FINGERPRINT_LENGTH = 16


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 (argparse keeps its type private)
    """Declare the command."""
    parser = subparsers.add_parser("explain", help="tell why somebody was told of an alert, or was not")
    parser.add_argument("query", nargs="+", metavar="FINGERPRINT|name=value")
    parser.add_argument(
        "--url", default="http://127.0.0.1:9093", help="where tocsin serve listens; default %(default)s"
    )
    parser.add_argument("--table", default="", help="ask this DynamoDB table instead of a server")
    parser.add_argument("-o", "--output", choices=("simple", "extended", "json"), default="simple")


def run(args: argparse.Namespace) -> int:
    """Print the stories; exit 1 when no alert is found."""
    query = _query(args.query)
    stories = _from_table(args.table, query) if args.table else _from_server(args.url, query)
    if args.output == "json":
        print(json.dumps(stories, indent=2))
    else:
        for story in stories:
            print(render(story, extended=args.output == "extended"))
    if not stories:
        print(f"no alert matches {' '.join(args.query)}; what resolved is forgotten in time", file=sys.stderr)
        return 1
    return 0


def _query(words: Sequence[str]) -> dict[str, str]:
    query: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            query[name] = value.strip('"')
        elif len(word) == FINGERPRINT_LENGTH and all(c in "0123456789abcdef" for c in word):
            query["fingerprint"] = word
        else:
            raise ConfigError(f"{word!r} is neither a fingerprint (16 hex digits) nor name=value, e.g. alertname=Down")
    return query


def _from_server(url: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    import httpx  # noqa: PLC0415 (only this command needs it)

    try:
        answer = httpx.get(f"{url.rstrip('/')}/-/explain", params=query, timeout=30, trust_env=False)
    except httpx.HTTPError as error:
        raise StoreError(f"{url} does not answer ({error}); is tocsin serve running there? (--url)") from error
    if answer.status_code != httpx.codes.OK:
        raise StoreError(f"{url} answers {answer.status_code}: {answer.text.strip()}")
    try:
        stories: list[dict[str, Any]] = answer.json()
        _ = [story["alert"] for story in stories]
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{url} does not say what tocsin serve says; is it something else? (--url)") from error
    return stories


def _from_table(table: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    from tocsin.bootstrap.aws.table import explain  # noqa: PLC0415 (only this command needs it)

    return explain(table, query)
