"""SQLite's errors as ours."""

from __future__ import annotations

import sqlite3

from tocsin.errors import StoreBusyError, StoreError, StoreFullError

_PRIMARY = 0xFF  # an extended code carries its primary one in the low byte: https://www.sqlite.org/rescode.html

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}


def translated(error: sqlite3.Error) -> StoreError:
    """Give the error of our tree that says what the caller can do."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & _PRIMARY if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_FULL:
        translation: StoreError = StoreFullError(f"the state cannot be written: {error}; make room on its disk")
    elif primary in _PASSING:
        translation = StoreBusyError(f"the state could not be read or written just now: {error}")
    elif primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        translation = StoreError(f"the state is damaged: {error}; move the file away or bring back a copy")
    else:
        translation = StoreError(f"the state could not be read or written: {error}")
    translation.__cause__ = error
    return translation
