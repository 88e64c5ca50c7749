"""pdpyras, imported once and without its farewell: it warns of its end of life, and is a required package."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pdpyras import EventsAPISession, PDClientError

__all__ = ["EventsAPISession", "PDClientError"]
