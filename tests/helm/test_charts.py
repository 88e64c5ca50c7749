"""Where charts come from: our own directory, or a repository whose archive must be the pinned one."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helm_release import charts
from helm_release.deadline import Deadline
from helm_release.errors import ChartError, HelmError
from helm_release.helm import Helm
from helm_release.request import FIRST_PARTY, Place, Wanted

from tests.helm.conftest import TOOLS

CHARTS = Path(__file__).parent / "charts"
PLACE = Place("c", "apps", "greeter")


def wanted(repository: str, version: str = "1.0.0", digest: str = "", chart: str = "greeter") -> Wanted:
    return Wanted(PLACE, chart, repository, version, 60, digest)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(str(TOOLS / "helm"), str(TOOLS / "kubectl"), tmp_path, Deadline(lambda: 200_000), lambda _: None)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A chart repository on loopback: its address, and the digest of the one archive in it."""
    directory = tmp_path / "repository"
    run = partial(subprocess.run, check=True, capture_output=True)
    run([TOOLS / "helm", "package", CHARTS / "greeter", "--destination", directory])
    run([TOOLS / "helm", "repo", "index", directory])
    (archive,) = directory.glob("*.tgz")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", hashlib.sha256(archive.read_bytes()).hexdigest()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.helm
def test_an_archive_with_the_pinned_digest_is_taken(repository: tuple[str, str], helm: Helm, tmp_path: Path) -> None:
    address, digest = repository
    archive = charts.fetch(wanted(address, digest=digest), CHARTS, helm, tmp_path)
    assert archive.name == "greeter-1.0.0.tgz"


@pytest.mark.helm
def test_another_archive_than_the_pinned_one_is_refused(
    repository: tuple[str, str], helm: Helm, tmp_path: Path
) -> None:
    address, _ = repository
    with pytest.raises(ChartError, match="find out who changed a published chart"):
        charts.fetch(wanted(address, digest="00" * 32), CHARTS, helm, tmp_path)


@pytest.mark.helm
def test_a_version_that_is_not_published_is_named(repository: tuple[str, str], helm: Helm, tmp_path: Path) -> None:
    address, _ = repository
    with pytest.raises(HelmError, match=r"helm pull of greeter 9\.9\.9 failed"):
        charts.fetch(wanted(address, version="9.9.9"), CHARTS, helm, tmp_path)


def test_our_own_chart_must_have_the_version_that_the_template_wants(helm: Helm, tmp_path: Path) -> None:
    assert charts.fetch(wanted(FIRST_PARTY), CHARTS, helm, tmp_path) == CHARTS / "greeter"
    with pytest.raises(ChartError, match=r"has version 1\.0\.0, the template wants 1\.0\.1"):
        charts.fetch(wanted(FIRST_PARTY, version="1.0.1"), CHARTS, helm, tmp_path)
    with pytest.raises(ChartError, match="there is no first-party chart 'absent'"):
        charts.fetch(wanted(FIRST_PARTY, chart="absent"), CHARTS, helm, tmp_path)


def test_the_fingerprint_of_our_own_chart_follows_its_files(tmp_path: Path) -> None:
    """The version need not move for a change to be deployed."""
    chart = tmp_path / "greeter"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("name: greeter\nversion: 1.0.0\n")
    before = charts.fingerprint(wanted(FIRST_PARTY), tmp_path)
    assert charts.fingerprint(wanted(FIRST_PARTY), tmp_path) == before
    (chart / "values.yaml").write_text("a: 1\n")
    assert charts.fingerprint(wanted(FIRST_PARTY), tmp_path) != before
