"""Cold import of each Lambda door from the built artefact, with the bytecode it ships and without."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

BUILD = Path(".aws-sam/build")
DOORS = {"ReceiveFunction": "receive", "DecideFunction": "decide", "DeliverSlackFunction": "deliver"}
RUNS = 7
PROBE = "import time; began = time.perf_counter(); import app; print(time.perf_counter() - began)"


def imports() -> dict[str, dict[str, float]]:
    """Measure seconds to import each door; empty when nothing is built or there is no Python 3.13 to do it with."""
    python = _python()
    if python is None or not (BUILD / "template.yaml").exists():
        return {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for function in DOORS:
            layers = [path / "python" for path in BUILD.iterdir() if (path / "python").is_dir()]
            shipped = _copy(layers, Path(folder) / f"{function}-shipped")
            bare = _copy(layers, Path(folder) / f"{function}-bare")
            for cache in [*bare.rglob("__pycache__")]:
                shutil.rmtree(cache)
            door = BUILD / function
            found[function] = {
                "with bytecode ms": _median(python, door, shipped),
                "without ms": _median(python, door, bare),
            }
    return found


def _copy(layers: list[Path], target: Path) -> Path:
    for layer in layers:
        shutil.copytree(layer, target, dirs_exist_ok=True)
    return target


def _median(python: str, door: Path, packages: Path) -> float:
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": f"{door.resolve()}:{packages}", "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "eu-west-1", **_functions_environment(),
    }  # fmt: skip
    took = [
        float(subprocess.run([python, "-c", PROBE], env=environment, check=True, capture_output=True, text=True).stdout)
        for _ in range(RUNS)
    ]
    return statistics.median(took) * 1000


def _functions_environment() -> dict[str, str]:
    path = Path("events/env.json")
    return dict(json.loads(path.read_text()).get("Parameters", {})) if path.exists() else {}


def _python() -> str | None:
    command = 'for p in $(type -aP python3.13) "$(pyenv prefix 3.13 2>/dev/null)/bin/python3.13"; do '
    command += '"$p" -c "import sys; print(sys.executable)" 2>/dev/null && break; done'
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False).stdout.strip()
    return found or None
