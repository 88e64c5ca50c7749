"""Ports and stages, joined: ``compose``. Tests pass ports of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tocsin import channels, sources
from tocsin.config.plan import Plan
from tocsin.pipeline.decide import Decide
from tocsin.pipeline.deliver import Deliverer
from tocsin.pipeline.flush import Flusher
from tocsin.pipeline.heartbeats import Heartbeats
from tocsin.pipeline.intake import Intake
from tocsin.pipeline.plans import Plans
from tocsin.pipeline.receive import Receive
from tocsin.pipeline.route import Router
from tocsin.pipeline.tick import A_MINUTE, Pace, Tick
from tocsin.pipeline.worker import Worker
from tocsin.ports import Announcer, Channel, Clock, Queues, Secrets, Store, Telemetry


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything the stages need of the world."""

    store: Store
    queues: Queues
    secrets: Secrets
    clock: Clock
    telemetry: Telemetry
    announcer: Announcer


@dataclass(frozen=True, slots=True)
class App:
    """The stages, joined over one set of ports."""

    ports: Ports
    plans: Plans
    receive: Receive
    decide: Decide
    worker: Worker
    tick: Tick


@lru_cache(maxsize=16)
def one_channel(name: str) -> Channel:
    """Give the one instance of a channel in this process."""
    return channels.channel_class(name)()


def compose(
    ports: Ports,
    builtin: Plan,
    *,
    worker: str,
    dry_run: bool = False,
    pace: Pace = A_MINUTE,
    channel: Callable[[str], Channel] = one_channel,
) -> App:
    """Join the stages.

    Args:
        ports: the adapters.
        builtin: the plan that holds until one is pushed.
        worker: the name of this process in the lanes' claims; no two live ones may share it.
        dry_run: log what would be sent instead of sending it.
        pace: how much a tick hints.
        channel: makes a channel by name.
    """
    p = ports
    plans = Plans(p.store, p.clock, builtin)
    heartbeats = Heartbeats(store=p.store, queues=p.queues, clock=p.clock, telemetry=p.telemetry)
    decide = Decide(
        intake=Intake(store=p.store, queues=p.queues, clock=p.clock, telemetry=p.telemetry, source=sources.source),
        router=Router(store=p.store, queues=p.queues, clock=p.clock, telemetry=p.telemetry),
        flusher=Flusher(store=p.store, queues=p.queues, clock=p.clock, telemetry=p.telemetry),
        heartbeats=heartbeats, plan=plans.current, queues=p.queues, clock=p.clock, telemetry=p.telemetry,
    )  # fmt: skip
    deliverer = Deliverer(
        store=p.store, queues=p.queues, secrets=p.secrets, clock=p.clock, telemetry=p.telemetry,
        announcer=p.announcer, channel=channel, worker=worker, dry_run=dry_run,
    )  # fmt: skip
    return App(
        ports=ports,
        plans=plans,
        receive=Receive(
            store=p.store, queues=p.queues, secrets=p.secrets, clock=p.clock, telemetry=p.telemetry, door=plans.door
        ),
        decide=decide,
        worker=Worker(
            queues=p.queues, decide=decide, deliverer=deliverer, plan=plans.current, telemetry=p.telemetry,
            channels=tuple(channels.REGISTRY),
        ),
        tick=Tick(
            store=p.store, queues=p.queues, clock=p.clock, telemetry=p.telemetry, heartbeats=heartbeats,
            plan=plans.current, pace=pace,
        ),
    )  # fmt: skip
