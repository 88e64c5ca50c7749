"""One tree of errors. A message says what is wrong, where (key, line, field), and what to do.

::

    TocsinError
    ├── ConfigError          a file does not say what it should; carries every Problem found
    │   └── MatcherError, DurationError, TemplateError, IntervalError   a language's own, before a line is known
    ├── UnintelligibleError  a body that no parser of its source understands: quarantined, never dropped
    ├── ProofError           the sender did not prove who it is: 401
    ├── StoreError           the state could not be read or written
    │   ├── ConflictError    somebody else wrote first: read again, judge again
    │   ├── StoreFullError   no room left: intake answers 503, receipts still fit
    │   └── StoreBusyError   throttled, timed out or unreachable: the same call may go through later
    └── SecretError          a secret's name leads nowhere
"""

from __future__ import annotations

from dataclasses import dataclass


class TocsinError(Exception):
    """The root: everything Tocsin raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding in a config file.

    Lines and columns count from 1; 0 means that the whole file is meant.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    severity: str = "error"  # error | warning

    def __str__(self) -> str:
        """Print as compilers do: ``file:line:column: message``."""
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        kind = "" if self.severity == "error" else f"{self.severity}: "
        return f"{where}: {kind}{self.message}" if where else f"{kind}{self.message}"


class ConfigError(TocsinError):
    """A config that must not replace a good one. ``problems`` holds every finding, not only the first."""

    def __init__(self, *problems: Problem | str) -> None:
        """Take findings, or sentences that have no place yet."""
        self.problems = tuple(p if isinstance(p, Problem) else Problem(p) for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class MatcherError(ConfigError):
    """A matcher neither grammar can read."""


class DurationError(ConfigError):
    """Not a Prometheus or Go duration."""


class IntervalError(ConfigError):
    """Not a time interval."""


class TemplateError(ConfigError):
    """A template that does not parse, or fails when it is executed."""


class UnintelligibleError(TocsinError):
    """A body that is authenticated but not understood."""


class ProofError(TocsinError):
    """The sender did not prove who it is."""


class StoreError(TocsinError):
    """The state could not be read or written."""


class ConflictError(StoreError):
    """A conditional write met another version than it expected."""


class StoreFullError(StoreError):
    """No room is left for what comes in."""


class StoreBusyError(StoreError):
    """Throttled, timed out or unreachable; the write may or may not have happened."""


class SecretError(TocsinError):
    """A secret that cannot be had."""
