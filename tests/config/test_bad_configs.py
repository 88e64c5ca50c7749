"""Each file in ``bad/`` is named by its mistake; the comments at its top are the sentences the operator reads."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tocsin import sources
from tocsin.config.loader import load
from tocsin.config.receivers import ChannelSchema
from tocsin.errors import ConfigError

BAD = sorted((Path(__file__).parent / "bad").glob("*.yml"))
BESIDE = sorted((Path(__file__).parent / "bad_beside").glob("*.yml"))
ACCEPTED = "Alertmanager accepts this:"


def comments(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# ")]


def problems(path: Path, channels: Mapping[str, ChannelSchema]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, channels, sources.STRANGERS)
    errors = [problem for problem in caught.value.problems if problem.severity == "error"]
    return [str(problem).removeprefix(str(path)).lstrip(": ") for problem in errors]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_alertmanager_yml_says_what_is_wrong_and_where(path: Path, channels: Mapping[str, ChannelSchema]) -> None:
    expected = [line for line in comments(path) if not line.startswith(ACCEPTED) and line != "nothing"]
    assert expected
    assert problems(path, channels) == expected


@pytest.mark.oracle
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_amtool_refuses_it_too(path: Path, amtool: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    accepts = any(line.startswith(ACCEPTED) for line in comments(path))
    assert (amtool("check-config", path).returncode == 0) is accepts


@pytest.mark.parametrize("path", BESIDE, ids=lambda path: path.stem)
def test_a_bad_tocsin_yml_says_what_is_wrong_and_where(path: Path, channels: Mapping[str, ChannelSchema]) -> None:
    expected = comments(path)
    assert expected
    assert problems(path, channels) == expected
