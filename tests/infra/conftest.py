"""Goldens of the platform: compared, or written anew with --update-goldens (or UPDATE_GOLDENS=1)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a text with the golden of a name."""
    # The option is the lead's, in tests/conftest.py; the variable works where only this folder is run.
    update = os.environ.get("UPDATE_GOLDENS") == "1" or request.config.getoption("--update-goldens", default=False)

    def compare(name: str, text: str) -> None:
        path = GOLDENS / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden {name}: look at the output and write it with --update-goldens"
        assert text == path.read_text(encoding="utf-8")

    return compare
