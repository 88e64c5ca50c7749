"""The account a person reads: lines with the time since the curtain rose, in colour on a terminal."""

from __future__ import annotations

import textwrap
import threading
import time
from typing import TextIO

WIDTH = 118
_LEAD = 8  # "  12.3s "
_WHO = 14
_COLOURS = {"in": "36", "PagerDuty": "31", "Slack": "35", "email": "33", "Zendesk": "32", "title": "1", "dim": "2"}


class Account:
    """Writes lines to a stream; from several threads, one line at a time."""

    def __init__(self, stream: TextIO) -> None:
        """Start the clock. Colour only on a terminal."""
        self._stream = stream
        self._colour = stream.isatty()
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self._write(f"\n{self._painted(title, 'title')}\n\n")

    def told(self, who: str, text: str) -> None:
        """Write what happened just now, and where."""
        lead = f"{time.monotonic() - self._start:6.1f}s "
        shown = self._painted(f"{who:<{_WHO}}", who if who in _COLOURS else "in")
        first, *rest = textwrap.wrap(_printable(text), WIDTH - _LEAD - _WHO) or [""]
        indent = " " * (_LEAD + _WHO)
        self._write(f"{lead}{shown}{first}\n" + "".join(f"{indent}{line}\n" for line in rest))

    def aside(self, text: str) -> None:
        """Write why, below what it explains."""
        indent = " " * (_LEAD + _WHO)
        lines = textwrap.wrap(_printable(text), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
        self._write("".join(f"{self._painted(line, 'dim')}\n" for line in lines))

    def plain(self, text: str = "") -> None:
        """Write text as it is."""
        self._write(f"{text}\n")

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()


def _printable(text: str) -> str:
    """Keep a terminal's control characters out of what alerts say."""
    return "".join(c if c.isprintable() or c.isspace() else c.encode("unicode_escape").decode() for c in text)
