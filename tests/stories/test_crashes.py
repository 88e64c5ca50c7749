"""Every port call fails before and after its effect, one at a time: nothing is lost, nothing acts twice."""

from __future__ import annotations

import pytest
from tocsin.bootstrap import Ports
from tocsin.engines.local import LocalSecrets, Nobody
from tocsin.engines.sqlite import SqliteQueues, SqliteStore
from tocsin.pipeline.rows import read_lane

from tests.stories.crashes import TRUTH, Sabotaged, Saboteur, settle, story, tell
from tests.stories.world import (
    MINUTE,
    Chat,
    Hook,
    Mail,
    Pager,
    Plan,
    Recorder,
    Tickets,
    VirtualClock,
    World,
    plan,
    receiver,
    route,
)

PARTS = 8  # so that several workers can share it


def the_plan() -> Plan:
    both = route("tickets", ("team", "=", "both"), group_by=("alertname",), continue_=True)
    rest = route("team", ("alertname", "=~", ".+"), group_by=("alertname",))
    return plan(
        route("team", routes=(both, rest)),
        receiver("team", "pagerduty", "slack", "webhook", fallback="backup", fallback_after=2 * MINUTE),
        receiver("tickets", "zendesk"),
        receiver("backup", "email"),
        catch_all="backup",
    )


class Home:
    """The embedded engine: rows and inbox survive the process, hints do not."""

    def __init__(self, saboteur: Saboteur) -> None:
        self.saboteur = saboteur
        self.clock = VirtualClock()
        self.store = SqliteStore(":memory:", clock=self.clock)
        self.telemetry = Recorder()
        vendors = {"pagerduty": Pager(), "slack": Chat(), "zendesk": Tickets(), "email": Mail(), "webhook": Hook()}
        self.vendors = {name: Sabotaged(vendor, saboteur) for name, vendor in vendors.items()}
        self.world = World(the_plan(), ports=self.ports(), vendors=self.vendors)
        self.world.clock, self.world.telemetry = self.clock, self.telemetry

    def ports(self) -> Ports:
        queues = SqliteQueues(self.store, self.clock)
        return Ports(
            Sabotaged(self.store, self.saboteur), Sabotaged(queues, self.saboteur), LocalSecrets(), self.clock,
            self.telemetry, Nobody(),
        )  # fmt: skip

    def revive(self) -> None:
        self.world.ports = self.ports()
        self.world.restart(the_plan())

    def play(self) -> World:
        tell(self.world, self.revive, story())
        settle(self.world, self.revive)
        return self.world


def check(world: World) -> None:
    """What must hold once the dust has settled, wherever the process ended."""
    lanes = [read_lane(row) for row in world.rows("lane#")]
    assert lanes
    for lane in lanes:
        assert not lane.waits, f"{lane.receiver} {lane.integration} still waits: {lane.receipt}"
        assert lane.receipt, "nothing ends silently"
    pager, tickets = world.pager, world.vendors["zendesk"]
    for name, fires in TRUTH.items():
        incidents = [i for i in pager.incidents if f'alertname="{name}"' in i["key"]]
        episodes = 2 if name == "A" else 1
        assert 1 <= len(incidents) <= episodes, f"{len(incidents)} incidents for the {episodes} episodes of {name}"
        assert sum(i["open"] for i in incidents) == fires, f"PagerDuty's last word on {name} is not true"
        posts = [b for b in world.vendors["slack"].requests if name in b["alerts"]]
        assert posts, f"Slack never heard of {name}"
        assert (posts[-1]["status"] == "firing") is fires, f"Slack's last word on {name} is not true"
    assert [t["open"] for t in tickets.tickets] == [False], "exactly one ticket, and it is solved"
    mails = {name for body in world.vendors["email"].requests for name in body["alerts"]}
    assert "C" in mails, "the fallback heard what the webhook could not be told"


def test_the_story_itself_is_true_when_nothing_goes_wrong():
    world = Home(Saboteur()).play()
    check(world)


def calls_of_the_story() -> int:
    saboteur = Saboteur()
    Home(saboteur).play()
    return saboteur.calls


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("part", range(PARTS))
def test_the_story_survives_a_crash_at_every_port_call(part, after):
    total = calls_of_the_story()
    assert total > 700, "the story shrank: it no longer walks through the pipeline"
    for number in range(part, total, PARTS):
        saboteur = Saboteur(number, after=after)
        world = Home(saboteur).play()
        assert saboteur.where, "the call was never reached"
        try:
            check(world)
        except AssertionError as error:
            when = "after" if after else "before"
            raise AssertionError(f"ended {when} call {number}, {saboteur.where}: {error}") from error
