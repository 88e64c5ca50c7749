"""The same on AWS, call by call: each request is lost before its effect, or its answer after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
import time_machine
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends
from tocsin.bootstrap import Ports
from tocsin.engines.local import LocalSecrets, Nobody

from tests.engines.aws_world import Answer, Call, aws_world
from tests.engines.aws_world import World as Account
from tests.stories.crashes import Crash, settle, story, tell
from tests.stories.test_crashes import check, the_plan
from tests.stories.world import SECOND, START, Chat, Hook, Mail, Pager, Recorder, Tickets, VirtualClock, World

REGION = "eu-west-1"
# All of them take the better part of an hour; a run takes every n-th, and TOCSIN_CRASH_STRIDE=1 takes all.
STRIDE = int(os.environ.get("TOCSIN_CRASH_STRIDE", "89"))
PARTS = 4


class AccountClock(VirtualClock):
    """Moto's clock follows ours."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        object.__setattr__(self, "_traveller", traveller)
        super().__init__()

    def __setattr__(self, name: str, value: int) -> None:
        object.__setattr__(self, name, value)
        self._traveller.move_to(value / SECOND)


class Polled:
    """Queues that are asked only when there is something to see, as an event source mapping costs us nothing."""

    def __init__(self, queues: object, names: dict[str, str]) -> None:
        self._queues, self._names = queues, names

    def __getattr__(self, name: str) -> object:
        return getattr(self._queues, name)

    def receive(self, queue: str, limit: int = 10) -> object:
        backend = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues[self._names[queue].rpartition("/")[2]]
        return self._queues.receive(queue, limit) if backend.messages else []


class Away:
    """AWS: everything but the process survives. The wire to it is what is cut."""

    def __init__(
        self, account: Account, traveller: time_machine.Traveller, at: int = -1, *, after: bool = False
    ) -> None:
        self.account, self.at, self.after, self.calls, self.where = account, at, after, 0, ""
        self.clock = AccountClock(traveller)
        self.telemetry = Recorder()
        self.vendors = {"pagerduty": Pager(), "slack": Chat(), "zendesk": Tickets(), "email": Mail(), "webhook": Hook()}
        account.proxy.before.append(self._cut_before)
        account.proxy.after.append(self._cut_after)
        self.world = World(the_plan(), ports=self.ports(), vendors=self.vendors)
        self.world.clock, self.world.telemetry = self.clock, self.telemetry
        self.world.rows = self.rows  # type: ignore[method-assign]

    def ports(self) -> Ports:
        queues = Polled(self.account.queues(self.clock), self.account.urls)
        return Ports(
            self.account.store(self.clock), queues, LocalSecrets(), self.clock, self.telemetry, Nobody(),
        )  # fmt: skip

    def _cut_before(self, call: Call) -> None:
        self.calls += 1
        if self.calls - 1 == self.at and not self.after:
            self.where = f"{call.operation} {call.number}"
            raise Crash(self.where)

    def _cut_after(self, call: Call, answer: Answer) -> Answer:
        if self.calls - 1 == self.at and self.after and not self.where:
            self.where = f"{call.operation} {call.number}"
            raise Crash(self.where)
        return answer

    def revive(self) -> None:
        self.world.ports = self.ports()
        self.world.restart(the_plan())

    def play(self) -> World:
        tell(self.world, self.revive, story())
        settle(self.world, self.revive)
        return self.world

    def rows(self, prefix: str) -> list[object]:
        pages = self.account.dynamodb.get_paginator("scan").paginate(TableName="tocsin")
        names = {item["pk"]["S"] for page in pages for item in page["Items"] if item["pk"]["S"].startswith(prefix)}
        return [row for name in sorted(names) for row in self.world.ports.store.scan(name)]


@contextlib.contextmanager
def away(at: int = -1, *, after: bool = False) -> Iterator[Away]:
    with time_machine.travel(START / SECOND, tick=False) as traveller, aws_world() as account:
        yield Away(account, traveller, at, after=after)


def calls_of_the_story() -> int:
    with away() as aws:
        world, calls = aws.play(), aws.calls
        check(world)
        return calls


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("part", range(PARTS))
def test_the_story_survives_a_cut_at_every_call_to_aws(part, after):
    total = calls_of_the_story()
    assert total > 500, "the story shrank"
    for number in range(total)[STRIDE // 2 :: STRIDE][part::PARTS]:
        with away(number, after=after) as aws:
            world = aws.play()
            assert aws.where, "the call was never reached"
            try:
                check(world)
            except AssertionError as error:
                when = "after" if after else "before"
                raise AssertionError(f"ended {when} call {number}, {aws.where}: {error}") from error
