"""``sam local invoke`` for every envelope: in the container it goes as it goes through its door in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sam.conftest import Sam
from tests.sam.envelopes import EVENTS, Shown, all_envelopes, function_of, in_process

pytestmark = [pytest.mark.sam, pytest.mark.docker, pytest.mark.slow]

ALL = all_envelopes()


def lines_of(log: str) -> list[dict[str, Any]]:
    """Read the JSON lines of a log."""
    lines = []
    for line in log.splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            continue
        if isinstance(read, dict):
            lines.append(read)
    return lines


@pytest.mark.parametrize("envelope", ALL, ids=map(str, ALL))
def test_an_envelope_goes_the_whole_way_in_the_container(sam: Sam, build: Path, image: str, envelope: Path) -> None:
    done = sam.run(
        "local", "invoke", function_of(envelope), "--template-file", str(build / "template.yaml"),
        "--event", str(EVENTS / envelope), "--env-vars", str(EVENTS / "env.json"), "--skip-pull-image",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert Shown.of(answer, lines_of(done.stderr + done.stdout)) == in_process(envelope)
