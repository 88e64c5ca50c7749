"""Plans are immutable, epochs only rise, and the pointer moves by a conditional write."""

from __future__ import annotations

import pytest
from tocsin.errors import ConfigError, ConflictError
from tocsin.pipeline.plans import Plans
from tocsin.pipeline.rows import PLAN_POINTER
from tocsin.ports import Put

from tests.stories.world import MINUTE, World, firing, plan, receiver, route


def to(name):
    return plan(route(name, group_wait=0), receiver(name, "webhook"))


def test_a_push_is_used_by_the_next_message_and_its_equal_is_no_new_epoch():
    world = World(to("old"))
    world.alertmanager(firing("A"))
    world.run()
    assert world.app.plans.push(to("new")).epoch == 1
    assert world.app.plans.push(to("new")).epoch == 1
    world.alertmanager(firing("B"))
    world.run(6 * MINUTE)
    told = [(body["receiver"], sorted(body["alerts"])) for body in world.vendors["webhook"].requests]
    assert told == [("old", ["A"]), ("new", ["A", "B"])]


def test_a_rollback_brings_the_earlier_plan_back_under_a_new_epoch():
    plans = World(to("builtin")).app.plans
    plans.push(to("one"))
    plans.push(to("two"))
    assert plans.rollback().route.receiver == "one"
    assert plans.current().epoch == 3
    assert plans.rollback(2).route.receiver == "two"
    with pytest.raises(ConfigError, match="epochs that are kept: 1, 2, 3"):
        plans.rollback(9)


def test_nothing_to_roll_back_to_is_a_sentence():
    with pytest.raises(ConfigError, match="there is no plan to roll back to; epochs that are kept: none"):
        World(to("builtin")).app.plans.rollback()


def test_two_who_push_at_once_do_not_overwrite_each_other():
    world = World(to("builtin"))
    store = world.ports.store
    world.app.plans.push(to("one"))

    class Slow:
        """The same store, in which somebody else is faster between the read and the write."""

        def __getattr__(self, name):
            return getattr(store, name)

        def write(self, writes, **more):
            if writes[0].key == PLAN_POINTER:
                store.write([Put(PLAN_POINTER, store.get([PLAN_POINTER])[PLAN_POINTER].data)])
            return store.write(writes, **more)

    with pytest.raises(ConflictError, match="somebody else pushed"):
        Plans(Slow(), world.clock, to("builtin")).push(to("two"))
    assert world.app.plans.current().route.receiver == "one"


def test_a_plan_survives_the_process():
    world = World(to("builtin"))
    world.app.plans.push(to("one"))
    world.restart(to("builtin"))
    world.run(MINUTE)
    assert world.app.plans.current().route.receiver == "one"
