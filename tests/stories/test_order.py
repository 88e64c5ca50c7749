"""Law 3: any order and repetition of what comes in ends in the same state, and every channel's last word is true."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.pipeline.messages import Incoming
from tocsin.ports import INBOX, Message

from tests.stories.world import MINUTE, SECOND, START, World, firing, plan, receiver, resolved, route

NAMES = ("A", "B")


@dataclass(frozen=True)
class Stamped:
    """A webhook body and the second at which it was taken in."""

    at: int
    name: str
    fires: bool
    start: int
    end: int

    def message(self) -> Message:
        start, end = START + self.start * SECOND, START + self.end * SECOND
        alert = firing(self.name, start) if self.fires else resolved(self.name, start, end)
        body = json.dumps({"alerts": [alert]}).encode()
        name = f"{self.at}-{self.name}-{self.fires}-{self.start}-{self.end}"
        return Message(Incoming(name, "alertmanager", START + self.at * SECOND, body).encode())


MESSAGES = st.lists(
    st.builds(
        Stamped,
        at=st.integers(0, 12),
        name=st.sampled_from(NAMES),
        fires=st.booleans(),
        start=st.sampled_from((-600, 0, 5)),
        end=st.integers(0, 20),
    ),
    min_size=1,
    max_size=7,
    unique=True,
)


def drained(messages: list[Stamped], pauses: list[int]) -> World:
    tree = route("team", group_by=("alertname",), group_wait=0)
    world = World(plan(tree, receiver("team", "pagerduty", "slack", "zendesk")))
    world.clock.instant = START + MINUTE
    for number, message in enumerate(messages):
        world.ports.queues.send(INBOX, [message.message()])
        world.run((pauses[number % len(pauses)] if pauses else 0) * SECOND, step=MINUTE)
    world.run(20 * MINUTE, step=MINUTE)
    return world


@given(messages=MESSAGES, order=st.randoms(use_true_random=False), pauses=st.lists(st.sampled_from((0, 60, 400))))
@settings(max_examples=120, deadline=None)
def test_any_order_and_repetition_ends_in_the_same_state_and_the_channels_agree(messages, order, pauses):
    plain = drained(sorted(messages, key=lambda m: m.at), [])
    shuffled = [*messages, *order.choices(messages, k=len(messages))]
    order.shuffle(shuffled)
    world = drained(shuffled, pauses)
    assert world.states() == plain.states()
    for each in (plain, world):
        agrees(each)


def agrees(world: World) -> None:
    for name in NAMES:
        fires = truth(world, name)
        assert len([i for i in world.pager.incidents if i["open"] and f'"{name}"' in i["key"]]) == fires
        assert len([t for t in world.vendors["zendesk"].tickets if t["open"] and f'"{name}"' in t["key"]]) == fires
        posts = [body for body in world.vendors["slack"].requests if name in body["alerts"]]
        assert (posts[-1]["status"] == "firing" if posts else False) is fires


def truth(world: World, name: str) -> bool:
    """Work out from the four maxima themselves whether it fires."""
    for row in world.rows("alerts#"):
        if row.data["labels"]["alertname"] == name:
            firing_start, firing_seen, resolved_end, resolved_seen, _ = row.data["max"]
            return firing_start > resolved_end or firing_seen > resolved_seen
    return False
