"""Every channel against its vendor on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.channels.rig import RIGS, Rig


@pytest.fixture
def make_rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    """Start rigs by name; keywords override settings. Their vendors stop with the test."""
    for name, value in {"AWS_ACCESS_KEY_ID": "AKIDLOOPBACK", "AWS_SECRET_ACCESS_KEY": "loopback"}.items():
        monkeypatch.setenv(name, value)
    started: list[Any] = []

    def start(name: str, **settings: Any) -> Rig:
        rig = RIGS[name]()
        rig.vendor.start()
        started.append(rig.vendor)
        return replace(rig, planned={**rig.planned, **settings}, settings={**rig.settings, **settings})

    yield start
    for vendor in started:
        vendor.stop()


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest, make_rig: Callable[..., Rig]) -> Rig:
    """Every way to tell somebody, one after the other."""
    return make_rig(request.param)
