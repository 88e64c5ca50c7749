from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tocsin import sources
from tocsin.bootstrap.configs import channel_schemas
from tocsin.config.loader import Loaded, load
from tocsin.config.plan import Plan
from tocsin.config.receivers import ChannelSchema
from tocsin.errors import ConfigError

Load = Callable[..., Loaded]


@pytest.fixture(scope="session")
def channels() -> Mapping[str, ChannelSchema]:
    return channel_schemas()


@pytest.fixture
def load_text(tmp_path: Path, channels: Mapping[str, ChannelSchema]) -> Load:
    """Loads an alertmanager.yml (and a tocsin.yml beside it) from text."""

    def loaded(alertmanager: str, tocsin: str | None = None, **files: str) -> Loaded:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        (tmp_path / "alertmanager.yml").write_text(alertmanager)
        if tocsin is not None:
            (tmp_path / "tocsin.yml").write_text(tocsin)
        return load(tmp_path / "alertmanager.yml", channels, sources.STRANGERS)

    return loaded


@pytest.fixture
def plan_of(load_text: Load) -> Callable[..., Plan]:
    return lambda *texts, **files: load_text(*texts, **files).plan


@pytest.fixture
def problems_of(load_text: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """Gives every problem of a config, without the folder's name."""

    def problems(*texts: str, **files: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_text(*texts, **files)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return problems


@pytest.fixture(params=["amtool", "amtool-next"])
def amtool(request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Debian's amtool, and a newer one where there is one."""
    return amtool_runner(request.param)


def amtool_runner(name: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return lambda *args: subprocess.run([path, *map(str, args)], capture_output=True, text=True, check=False)
