"""``tocsin parse SOURCE FILE…``: what a body says, as the stages will see it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import UnintelligibleError
from tocsin.model import Instant, Observation, fingerprint
from tocsin.sources import REGISTRY, source
from tocsin.sources.codec import observation_json
from tocsin.sources.lenient import quarantine
from tocsin.sources.times import instant, rfc3339

_FINE, _FINDINGS, _USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Reading:
    """What came of one file. ``silence`` is why a body that was understood says nothing."""

    name: str
    observations: Sequence[Observation]
    error: str = ""
    silence: str = ""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "parse",
        help="show what a sender's body says, normalised",
        description="Read bodies as the source of that name does and print the observations. "
        "Exit 1 when something in them is not understood and would be quarantined.",
    )
    parser.add_argument("source", metavar="SOURCE", choices=sorted(REGISTRY), help=", ".join(sorted(REGISTRY)))
    parser.add_argument("files", metavar="FILE", nargs="+", help="a body, as it was sent; - reads standard input")
    parser.add_argument("-o", "--output", choices=("simple", "extended", "json"), default="simple")
    parser.add_argument(
        "--header", metavar="K=V", action="append", default=[], type=_header, help="a header the sender sent"
    )
    parser.add_argument("--now", metavar="RFC3339", type=_instant, help="when the body was received (default: now)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Parse each file and print what came of it; 0 fine, 1 something was not understood, 2 no such file."""
    stamp: Instant = args.now if args.now is not None else time.time_ns()
    headers = dict(args.header)
    readings: list[_Reading] = []
    for name in args.files:
        try:
            body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            print(f"{name}: cannot be read: {error.strerror or error}", file=sys.stderr)
            return _USAGE
        readings.append(_read(args.source, name, body, headers, stamp))
    for reading in readings:
        if reading.error:
            print(f"{reading.name}: {reading.error}", file=sys.stderr)
        if reading.silence:
            print(f"{reading.name}: nothing to tell: {reading.silence}", file=sys.stderr)
    print(_PRINTERS[args.output](readings), end="")
    odd = any(observation.quarantined for reading in readings for observation in reading.observations)
    return _FINDINGS if odd else _FINE


def _read(kind: str, name: str, body: bytes, headers: Mapping[str, str], stamp: Instant) -> _Reading:
    try:
        observations = source(kind).parse(body, headers, stamp)
    except UnintelligibleError as error:
        return _Reading(name, [quarantine(kind, str(error), body, stamp)], error=str(error))
    return _Reading(name, observations, silence=getattr(observations, "reason", ""))


def _json(readings: Sequence[_Reading]) -> str:
    told = [observation_json(observation) for reading in readings for observation in reading.observations]
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _simple(readings: Sequence[_Reading]) -> str:
    """Print one line an observation: fingerprint, status, labels."""
    lines = [
        f"{fingerprint(observation.labels)}  {_status(observation):<11}  {_labels(observation)}\n"
        for reading in readings
        for observation in reading.observations
    ]
    return "".join(lines)


def _extended(readings: Sequence[_Reading]) -> str:
    blocks: list[str] = []
    for reading in readings:
        for observation in reading.observations:
            rows = [
                ("file", reading.name),
                ("status", _status(observation)),
                ("source", observation.source),
                ("fingerprint", fingerprint(observation.labels)),
                ("start", _time(observation.start)),
                ("end", _time(observation.end)),
                ("seen", _time(observation.seen)),
                ("generator", observation.generator_url or "-"),
                *(("label", f"{name}={value}") for name, value in sorted(observation.labels.items())),
                *(("annotation", f"{name}={value}") for name, value in sorted(observation.annotations.items())),
            ]
            blocks.append("".join(f"{key:<11}  {_line(value)}\n" for key, value in rows))
    return "\n".join(blocks)


_PRINTERS = {"simple": _simple, "extended": _extended, "json": _json}


def _status(observation: Observation) -> str:
    if observation.quarantined:
        return "quarantined"
    return "firing" if observation.firing else "resolved"


def _labels(observation: Observation) -> str:
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(observation.labels.items()))
    return "{" + ", ".join(pairs) + "}"


def _time(moment: Instant | None) -> str:
    return "-" if moment is None else rfc3339(moment)


def _line(value: str) -> str:
    """Keep a value on its line, and a terminal's control characters out of it."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in value
    )


def _header(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name.strip():
        raise argparse.ArgumentTypeError(f"{pair!r} is not of the form NAME=VALUE")
    return name.strip().lower(), value


def _instant(text: str) -> Instant:
    moment = instant(text)
    if moment is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no RFC 3339 time, such as 2026-11-02T09:00:00Z")
    return moment
