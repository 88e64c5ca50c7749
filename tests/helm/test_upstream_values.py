"""Every key that our values set exists in the chart at its pinned version: helm silently ignores one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.tools import chart_keys, releases

ROWS = {name: row for name, row in releases.read_table().items() if row["repository"] != releases.FIRST_PARTY}
FILES = sorted(
    (name, releases.filled(row["values"], {"LogOutput": output}))
    for name, row in ROWS.items()
    for output in (("cloudwatch", "opensearch") if "LogOutput" in row["values"] else ("",))
)


@pytest.mark.parametrize(("release", "file"), FILES)
def test_every_key_exists_at_the_pinned_version(release: str, file: str) -> None:
    row = ROWS[release]
    wanted = yaml.safe_load((releases.VALUES / file).read_text(encoding="utf-8"))
    assert wanted, "values that set nothing check nothing"
    assert list(chart_keys.unknown(wanted, chart_keys.read(row["chart"], row["version"]))) == []


def test_a_version_that_moves_needs_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"dex-9\.9\.9\.keys"):
        chart_keys.read("dex", "9.9.9")


def test_no_table_is_left_of_a_version_that_is_not_pinned() -> None:
    pinned = {f"{row['chart']}-{row['version']}" for row in ROWS.values()}
    found = {path.stem for path in chart_keys.UPSTREAM.glob("*.[ak]*") if path.suffix in {".keys", ".alerts"}}
    assert {name for name in found if name not in chart_keys.OURS} == pinned


VALUES = {
    "image": {"tag": "", "pullSecrets": []},
    "resources": {},
    "replicas": 1,
    "volume": None,
    "server.conf": {"a": {"b": 1}},
}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"image": {"tag": "v1", "pullSecrets": [{"name": "x"}]}}, []),
        ({"resources": {"limits": {"memory": "1Gi"}}}, []),
        ({"volume": {"anything": {"at": "all"}}}, []),
        ({"server.conf": {"a": {"b": 2}}}, []),
        ({"image": {"tags": "v1"}}, ["image.tags"]),
        ({"replica": 2}, ["replica"]),
        ({"server.conf": {"a": {"c": 2}}}, ['"server.conf".a.c']),
        ({"replicas": {"min": 2}}, ["replicas (the chart has a value there, not a map)"]),
        ({"image": {}}, []),
        ({"imag": {}}, ["imag"]),
    ],
)
def test_what_is_unknown_and_what_is_open(wanted: dict[str, Any], told: list[str]) -> None:
    assert list(chart_keys.unknown(wanted, frozenset(chart_keys.paths(VALUES)))) == told


def test_the_paths_of_a_chart_with_a_subchart(tmp_path: Path) -> None:
    (tmp_path / "charts" / "inner").mkdir(parents=True)
    (tmp_path / "values.yaml").write_text("a: {b: 1}\n")
    (tmp_path / "charts" / "inner" / "values.yaml").write_text("c: []\nd: {}\ne:\n")
    assert chart_keys.table_of(tmp_path) == ["a.b", "inner.c[]", "inner.d{}", "inner.e?"]


def test_the_paths_of_a_definition() -> None:
    schema = {
        "properties": {
            "kind": {"type": "string"},
            "spec": {
                "properties": {
                    "list": {"type": "array", "items": {"properties": {"name": {"type": "string"}}}},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "any": {"x-kubernetes-preserve-unknown-fields": True},
                }
            },
        }
    }
    assert list(chart_keys.schema_paths(schema)) == ["spec.list.name", "spec.labels{}", "spec.any{}"]
