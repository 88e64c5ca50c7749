"""The embedded engine: one file, one process, one writer (docs/decisions/0002-hints-in-memory.md)."""

from tocsin.engines.sqlite.queues import SqliteQueues
from tocsin.engines.sqlite.store import SqliteStore

__all__ = ["SqliteQueues", "SqliteStore"]
