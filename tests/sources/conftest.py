"""Samples and goldens of the sources; ``--update-goldens`` writes the goldens anew."""

from __future__ import annotations

import contextlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    with contextlib.suppress(ValueError):  # the root of the tests may have it already
        parser.addoption("--update-goldens", action="store_true", help="write the goldens anew")
