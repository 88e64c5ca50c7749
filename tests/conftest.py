"""What all tests share: goldens that ``--update-goldens`` writes anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"


# What starts processes that have time limits of their own: beside other tests on two cores they would be late.
ALONE = (
    "kill/", "oracle/", "sam/test_invoke", "sam/test_start_api", "helm/test_release", "helm/test_sample_events",
    "cli/test_demo", "cli/test_serve", "cli/test_explain", "engines/test_sqlite_crash",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(tests) and item.path.relative_to(tests).as_posix().startswith(ALONE):
            item.add_marker(pytest.mark.alone)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the goldens anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name under tests/goldens."""

    def compare(name: str, text: str) -> None:
        path = GOLDENS / name
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"there is no golden {name}: run pytest with --update-goldens, then read what it wrote"
        assert text == path.read_text(encoding="utf-8"), f"{name} differs; if that is meant, --update-goldens"

    return compare
