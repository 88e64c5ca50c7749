"""``tocsin demo``: what a visitor sees, and that it says so when it did not happen."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from tocsin.bootstrap.configs import load_config
from tocsin.cli import demo, explain, main
from tocsin.demo import setting
from tocsin.demo.account import Account
from tocsin.demo.sightings import Watcher
from tocsin.demo.stage import Stage, Wanted
from tocsin.demo.story import Story
from tocsin.loopback import Vendors

PAYLOADS = Path(__file__).parents[2] / "events" / "payloads"
TOCSIN = (sys.executable, "-c", "import sys; from tocsin.cli import main; sys.exit(main())")
PATIENCE = 90.0  # seconds for a story of thirteen, on a machine that is busy with other tests

SAMPLES = {
    "alertmanager-firing": "alertmanager/firing",
    "alertmanager-resolved": "alertmanager/resolved",
    "cloudwatch-alarm": "cloudwatch/metric-alarm",
    "cloudwatch-ok": "cloudwatch/metric-ok",
    "pingdom-down": "pingdom/http-down",
    "pingdom-up": "pingdom/http-up",
}


# ---- what the package carries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "payload"), SAMPLES.items())
def test_the_package_carries_the_sample_bodies_of_the_repository_byte_for_byte(name, payload):
    packed = files("tocsin.demo").joinpath("events", f"{name}.json").read_bytes()
    assert packed == (PAYLOADS / f"{payload}.json").read_bytes(), f"copy events/payloads/{payload}.json over it"


def test_every_packed_event_is_a_sample_of_the_repository():
    packed = {path.name.removesuffix(".json") for path in files("tocsin.demo").joinpath("events").iterdir()}
    assert packed == SAMPLES.keys()


def test_the_config_is_fine_as_it_lies_in_the_package():
    loaded = load_config(str(files("tocsin.demo").joinpath("config", "tocsin.yml")))
    assert loaded.warnings == ()
    assert loaded.plan.receivers["on-call"].fallback == "duty-manager"


# ---- the story, as a visitor sees it ---------------------------------------------------------------------------------


@dataclass
class Running:
    """A demo in a process of its own, somewhere else on the disk."""

    process: subprocess.Popen[str]
    account: str

    @property
    def url(self) -> str:
        found = re.search(r"listens on (http://\S+)", self.account)
        assert found, self.account
        return found[1]

    @property
    def folder(self) -> Path:
        found = re.search(r"reads (\S+)/alertmanager.yml", self.account)
        assert found, self.account
        return Path(found[1])

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.account += line
            if text in line:
                return
        raise AssertionError(f"the demo ended before it said {text!r}:\n{self.account}")


@pytest.fixture
def begun(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A demo with the flags that the test's parameter names."""
    process = subprocess.Popen(
        [*TOCSIN, "demo", *request.param], cwd=tmp_path, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield Running(process, "")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


SEEN = [
    (r"comes in +KubePodCrashLooping fires \(Alertmanager POST", "Alertmanager came in by its webhook"),
    (r"comes in +publishing-db-cpu fires \(CloudWatch POST /webhooks/eventbridge", "CloudWatch came in as an event"),
    (r"comes in +Homepage fires \(Pingdom POST", "Pingdom came in by its secret path"),
    (r'line 18: severity="critical" goes to on-call', "the route is named with its line"),
    (r"PagerDuty +incident 1 opened, critical: KubePodCrashLooping", "PagerDuty paged"),
    (r"Slack +#alerts: FIRING KubePodCrashLooping", "Slack was told"),
    (r"email +to platform@example.org: FIRING KubePodCrashLooping", "a mail went out"),
    (r"Zendesk +ticket 1 opened, urgent: KubePodCrashLooping", "a ticket was opened"),
    (r"why: first notification \(on-call pagerduty/0", "the dedup reason is given"),
    (r"PagerDuty +answers 503: nobody is paged", "the outage shows"),
    (r"email +to duty-manager@example.org: FIRING Homepage", "the fallback was told"),
    (r"could not be told for \d+ s: failed: PagerDuty", "the fallback says why"),
    (r"PagerDuty +incident 3 opened, critical: Homepage", "what PagerDuty missed was not forgotten"),
    (r"PagerDuty +incident 3 resolved: Homepage", "the incident is resolved"),
    (r"now reads: RESOLVED Homepage", "the Slack message was edited"),
    (r"email +to publishing@example.org: RESOLVED Homepage", "the resolution was mailed"),
    (r"Zendesk +ticket 3 solved: Homepage", "the ticket is solved"),
]


@pytest.mark.slow
@pytest.mark.parametrize("begun", [["--once"]], indirect=True)
def test_once_tells_everything_exits_0_and_keeps_log_and_colours_out_of_the_account(begun):
    told, noise = begun.process.communicate(timeout=PATIENCE)
    assert (begun.process.returncode, noise) == (0, ""), told
    assert [sentence for pattern, sentence in SEEN if not re.search(pattern, told)] == [], told
    assert "Everybody was told, nobody twice." in told
    assert "level=" not in told
    assert "\x1b" not in told


@pytest.mark.slow
@pytest.mark.parametrize("begun", [[]], indirect=True)
def test_the_demo_stays_for_the_commands_that_it_offers_until_ctrl_c(begun, capsys):
    begun.read_until("Ctrl-C ends the demo")
    query = argparse.Namespace(query=["alertname=KubePodCrashLooping"], url=begun.url, table="", output="simple")
    assert explain.run(query) == 0
    assert "all alerts resolved" in capsys.readouterr().out
    offered = re.search(r"curl -d '(.*)'", begun.account)
    assert offered
    headers = setting.headers(bearer=True)
    answer = httpx.post(f"{begun.url}/webhooks/alertmanager", json=json.loads(offered[1]), headers=headers)
    assert answer.status_code == 202
    begun.read_until("incident 4 opened, critical: MyAlert of data")

    assert f"--config {begun.folder / 'tocsin.yml'}" in begun.account
    assert (begun.folder / "tocsin.log").stat().st_size > 0
    begun.process.send_signal(signal.SIGINT)
    told, noise = begun.process.communicate(timeout=PATIENCE)
    assert (begun.process.returncode, noise) == (0, "")
    assert "its files are gone" in told
    assert not begun.folder.exists()


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def test_what_was_not_seen_is_named_and_exits_1(monkeypatch, capsys):
    monkeypatch.setattr(Story, "tell", lambda story: story.missing.append("PagerDuty opened KubePodCrashLooping"))
    assert demo.run(argparse.Namespace(once=True, listen="127.0.0.1:0", verbose=False)) == 1
    shown = capsys.readouterr()
    assert "should have been seen and was not: PagerDuty opened KubePodCrashLooping" in shown.err
    assert "Everybody was told" not in shown.out


def test_a_taken_address_is_said_in_a_sentence(capsys):
    with Stage(Account(io.StringIO()), host="127.0.0.1", port=0, verbose=False) as stage:
        taken = stage.url.removeprefix("http://")
        assert main(["demo", "--once", "--listen", taken]) == 1
    assert f"cannot listen on {taken}" in capsys.readouterr().err


def test_waiting_gives_up_and_names_what_is_missing():
    with Stage(Account(io.StringIO()), host="127.0.0.1", port=0, verbose=False) as stage:
        wanted = Wanted("Zendesk", "opened", "Nothing")
        assert stage.wait([wanted], 0) == [wanted]
        assert str(wanted) == "Zendesk opened Nothing"


def test_a_second_incident_or_ticket_is_found_out():
    with Stage(Account(io.StringIO()), host="127.0.0.1", port=0, verbose=False) as stage:
        for key in ("one", "two"):
            httpx.post(stage.vendors.urls["pagerduty_url"], json=_trigger(key), trust_env=False)
        stage.look()
        story = Story(stage)
        story._count()
        assert story.missing == ["one incident for Homepage: PagerDuty opened 2"]


def test_looking_twice_at_the_same_records_sees_nothing_new():
    with Vendors() as vendors:
        watcher = Watcher(vendors)
        httpx.post(vendors.urls["pagerduty_url"], json=_trigger("one"), trust_env=False)
        assert [(s.what, s.said) for s in watcher.look()] == [("opened", "Homepage")]
        assert watcher.look() == []
        httpx.post(vendors.urls["pagerduty_url"], json=_trigger("one"), trust_env=False)
        assert [s.what for s in watcher.look()] == ["updated"]


def test_a_terminal_gets_colours_and_a_pipe_gets_none():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, coloured in ((Terminal(), True), (io.StringIO(), False)):
        Account(stream).told("PagerDuty", "incident 1 opened")
        assert ("\x1b[31m" in stream.getvalue()) is coloured


def _trigger(key: str) -> dict[str, object]:
    return {
        "routing_key": "r", "event_action": "trigger", "dedup_key": key,
        "payload": {"summary": "Homepage", "source": "s", "severity": "critical"},
    }  # fmt: skip


def test_the_time_of_a_sample_is_moved_to_now():
    from datetime import UTC, datetime  # noqa: PLC0415

    now = datetime.fromtimestamp(time.time(), UTC)
    assert setting.pingdom("pingdom-down", now)["state_changed_timestamp"] == int(now.timestamp())
    assert setting.cloudwatch("cloudwatch-ok", now)["detail"]["state"]["timestamp"][:19] == now.isoformat()[:19]
    [alert] = setting.alertmanager("alertmanager-resolved", now)["alerts"]
    assert alert["startsAt"] < alert["endsAt"] == now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
