"""What one machine needs no service for: its clock; secrets from config, environment and files; nobody to tell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.errors import SecretError
from tocsin.model import Instant

_ENVIRONMENT = "env:"
_FILE = "file:"


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """Give the instant, nanoseconds since the epoch."""
        return time.time_ns()


class LocalSecrets:
    """Secrets at home.

    A name is looked up among those the configuration brought inline, then as ``env:NAME`` in the environment that is
    handed in, then as ``file:PATH`` (read each time, so that a rotated file counts at once; its last newline is not
    part of the value, as in Alertmanager's ``*_file`` settings).
    """

    def __init__(self, inline: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> None:
        """Take the inline secrets by name, and the environment (bootstrap reads it, nobody else)."""
        self._inline = dict(inline or {})
        self._environment = dict(environment or {})

    def update(self, inline: Mapping[str, str]) -> None:
        """Replace the inline secrets, after a reload."""
        self._inline = dict(inline)

    def get(self, name: str) -> str:
        """Give the value; ``SecretError`` says where it was looked for, never what was found."""
        if name in self._inline:
            return self._inline[name]
        if name.startswith(_ENVIRONMENT):
            variable = name.removeprefix(_ENVIRONMENT)
            if variable not in self._environment:
                raise SecretError(f"secret {name!r}: the environment has no {variable}; set it and start again")
            return self._environment[variable]
        if name.startswith(_FILE):
            return self.read_file(name.removeprefix(_FILE))
        raise SecretError(f"secret {name!r} is not in the configuration; use env:NAME, file:PATH or a value there")

    def read_file(self, path: str) -> str:
        """Read a ``*_file`` setting; ``SecretError`` when that is not possible."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretError(f"secret file {path} cannot be read: {reason}; check the path and its owner") from error
        return text.removesuffix("\n").removesuffix("\r")


class Nobody:
    """The announcer at home: there is no bus."""

    def announce(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Do nothing."""
