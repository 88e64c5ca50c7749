"""``tocsin explain``: what came in, which routes by which line, which group, why told or not, each attempt."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.errors import ConfigError, StoreError
from tocsin.templates.gotime import rfc3339nano

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
    stories: list[dict[str, Any]] = answer.json()
    return stories


def _from_table(table: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    from tocsin.bootstrap.aws.table import explain  # noqa: PLC0415 (only this command needs it)

    return explain(table, query)


def render(story: Mapping[str, Any], *, extended: bool = False) -> str:
    """Write a story for a person."""
    alert = story["alert"]
    labels = " ".join(f'{name}="{value}"' for name, value in sorted(alert["labels"].items()))
    since = f"since {rfc3339nano(alert['start'])}"
    lines = [f"{alert['labels'].get('alertname', '?')}  {alert['status']} {since}  [{alert['fingerprint']}]"]
    lines += [f"  {labels}", f"  heard last {rfc3339nano(alert['heard'])} from {alert['source']}", "What came in"]
    for record in story["incoming"]:
        changes = ", ".join(d["change"] for d in record["alerts"] if d["fingerprint"] == alert["fingerprint"])
        lines.append(f"  {rfc3339nano(record['stamp'])}  {record['source']}: {changes or record.get('problem', '')}")
    lines.append("Which routes")
    for node in story["tried"]:
        if extended or node["verdict"] != "refused":
            lines.append(f"  {'  ' * node['depth']}line {node['line']}: {node['reason']}")
    for group in story["groups"]:
        lines += _group_lines(group, extended=extended)
    return "\n".join(lines) + "\n"


def _group_lines(group: Mapping[str, Any], *, extended: bool) -> list[str]:
    lines = [f"Group {group['group_key'] or group['group']} (receiver {group['receiver']}, line {group['line']})"]
    if not group["flushes"] and not group["attempts"]:
        lines.append("  nothing was told: the receiver has no integrations, or the group has not been flushed yet")
    events = [(record["at"], _flush_line(lane)) for record in group["flushes"] for lane in record["lanes"]]
    events += [(record["at"], _attempt_line(record)) for record in group["attempts"]]
    for at, line in sorted(events):
        lines.append(f"  {rfc3339nano(at)}  {line}")
    for lane in group["lanes"]:
        state = "waits" if lane["waits"] else "settled"
        lines.append(f"  {lane['receiver']} {lane['integration']}: {state}, {lane['receipt'] or 'no receipt yet'}")
        if extended:
            lines.append(f"    vendor believes it open: {lane['vendor_believes_open']}; {json.dumps(lane['ref'])}")
    return lines


def _flush_line(lane: Mapping[str, Any]) -> str:
    told = f"owes version {lane['version']}" if lane["version"] else "owes nothing"
    return f"{lane['receiver']} {lane['integration']} {told}: {lane['reason']}" + (
        f" (supersedes version {lane['supersedes']})" if lane.get("supersedes") else ""
    )


def _attempt_line(record: Mapping[str, Any]) -> str:
    if record["kind"] == "failover":
        return f"{record['receiver']} failed over to {record['to']}: {record['why']}"
    if record["kind"] == "receipt":
        return f"{record['receiver']}: {record['receipt']}"
    vendor = f" ({record['vendor_id']})" if record.get("vendor_id") else ""
    return (
        f"{record['receiver']} {record['integration']} version {record['version']}, "
        f"attempt {record['attempt']}: {record['outcome']}{vendor}"
    )
