"""Telemetry on one machine: logfmt lines on standard error, counters in Prometheus' text format."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

LOGGER = "tocsin"
CONTENT_TYPE = (
    "text/plain; version=0.0.4; charset=utf-8"  # https://prometheus.io/docs/instrumenting/exposition_formats/
)

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_BARE = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")  # what logfmt needs no quotes for
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_]")

_Labels = tuple[tuple[str, str], ...]


class LocalTelemetry:
    """Counters in this process, and lines through ``logging``; thread-safe."""

    def __init__(self) -> None:
        """Count nothing yet; ``log_to`` says where lines go."""
        self._logger = logging.getLogger(LOGGER)
        self._counts: dict[str, Counter[_Labels]] = {}
        self._gauges: dict[str, tuple[Callable[[], float], str]] = {}
        self._gate = threading.Lock()

    def count(self, metric: str, value: int = 1, /, **labels: str) -> None:
        """See ``Telemetry``."""
        with self._gate:
            self._counts.setdefault(metric, Counter())[tuple(sorted(labels.items()))] += value

    def log(self, level: str, message: str, /, **fields: Any) -> None:  # noqa: ANN401 (fields of a log line)
        """See ``Telemetry``; one line whatever the values hold."""
        number = _LEVELS.get(level, logging.ERROR)
        if self._logger.isEnabledFor(number):
            self._logger.log(number, "%s", logfmt({"msg": message, **fields}))

    def watch(self, metric: str, read: Callable[[], float], explanation: str = "") -> None:
        """Show a gauge, read whenever somebody looks."""
        self._gauges[metric] = (read, explanation)

    def value(self, metric: str, **labels: str) -> int:
        """Give a counter's value so far."""
        with self._gate:
            return self._counts.get(metric, Counter())[tuple(sorted(labels.items()))]

    def render(self) -> str:
        """Give everything as ``/metrics`` answers it."""
        with self._gate:
            counts = {metric: dict(series) for metric, series in self._counts.items()}
        lines: list[str] = []
        for metric, series in sorted(counts.items()):
            name = f"tocsin_{_name(metric)}_total"
            lines.append(f"# TYPE {name} counter")
            lines.extend(f"{name}{_labels(labels)} {value}" for labels, value in sorted(series.items()))
        for metric, (read, explanation) in sorted(self._gauges.items()):
            name = f"tocsin_{_name(metric)}"
            lines.extend([f"# HELP {name} {_escaped(explanation)}"] if explanation else [])
            lines.extend([f"# TYPE {name} gauge", f"{name} {read():g}"])
        return "".join(f"{line}\n" for line in lines)


def log_to(stream: TextIO | None = None, level: str = "info") -> logging.Handler:
    """Send Tocsin's lines (and those of ``logging.getLogger("tocsin.…")``) to a stream, standard error by default.

    Gives the handler, for whoever wants to take it away again. A second call replaces the first.
    """
    logger = logging.getLogger(LOGGER)
    for handler in [handler for handler in logger.handlers if isinstance(handler, _Lines)]:
        logger.removeHandler(handler)
    lines = _Lines(stream or sys.stderr)
    lines.setFormatter(_Stamped())
    logger.addHandler(lines)
    logger.setLevel(_LEVELS[level])
    logger.propagate = False
    return lines


class _Lines(logging.StreamHandler[TextIO]):
    """Ours, to be told from handlers that others have added."""


class _Stamped(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = record.getMessage()
        if record.exc_info:
            message += " " + logfmt({"exception": self.formatException(record.exc_info)})
        return f"ts={at} level={record.levelname.lower()} {message}"


def logfmt(fields: Mapping[str, Any]) -> str:
    """Write fields as ``key=value``, quoted as JSON where a value needs it."""
    return " ".join(f"{_name(key)}={_quoted(value)}" for key, value in fields.items())


def _quoted(value: object) -> str:
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=not text.isprintable())


def _name(name: str) -> str:
    return _NOT_IN_NAME.sub("_", name)


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{_name(name)}="{_escaped(value, quote=True)}"' for name, value in labels) + "}"


def _escaped(text: str, *, quote: bool = False) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quote else escaped
