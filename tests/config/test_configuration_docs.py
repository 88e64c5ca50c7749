"""docs/configuration.md is a tested artefact: its samples load, its keys are all there are, its console is true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tocsin import sources
from tocsin.cli import main
from tocsin.config.beside import KEYS
from tocsin.config.loader import load
from tocsin.config.receivers import ChannelSchema

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "configuration.md").read_text()
ALERTMANAGER = """route: {receiver: team-a}
receivers:
- name: team-a
- name: team-a-mail
  webhook_configs: [{url: 'http://example.org'}]
"""


def test_the_yaml_samples_are_one_valid_tocsin_yml(tmp_path: Path, channels: Mapping[str, ChannelSchema]) -> None:
    samples = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER)
    (tmp_path / "tocsin.yml").write_text("".join(samples) + "catch_all: team-a-mail\n")
    loaded = load(tmp_path / "tocsin.yml", channels, sources.STRANGERS)
    assert set(loaded.plan.sources) == {"alertmanager", "other-team", "pingdom", "signed", "trusted"}
    assert not loaded.warnings


def test_every_key_of_tocsin_yml_is_documented() -> None:
    table = TEXT.partition("## tocsin.yml")[2].partition("###")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(KEYS)


@pytest.mark.parametrize("example", re.findall(r"^\$ tocsin (.*)\n((?:[^$`].*\n)*)", TEXT, re.MULTILINE))
def test_the_console_shows_what_is_printed(
    example: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, printed = example
    monkeypatch.chdir(ROOT)
    assert main(arguments.split()) == 0
    assert capsys.readouterr().out == printed
