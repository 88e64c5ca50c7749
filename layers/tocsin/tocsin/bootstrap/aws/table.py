"""Questions a person asks a deployment's table from outside: what is the plan, why was I told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.config.plan import Plan, Route
from tocsin.engines.aws import clients
from tocsin.engines.aws.store import DynamoStore
from tocsin.engines.local import SystemClock
from tocsin.pipeline import explain as explaining
from tocsin.pipeline.plans import Plans


def plans(table: str) -> Plans:
    """Give the plans of a table; before the first push there is only an empty one."""
    clock = SystemClock()
    return Plans(DynamoStore(table, clients.dynamodb(), clock), clock, Plan(Route("{}", "{}", ""), {}, ""))


def explain(table: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Explain the alerts that a query (``fingerprint``, or labels) finds in a table."""
    clock = SystemClock()
    store = DynamoStore(table, clients.dynamodb(), clock)
    plan = plans(table).current()
    labels = {name: value for name, value in query.items() if name != "fingerprint"}
    found = explaining.alerts(store, fingerprint=query.get("fingerprint", ""), labels=labels)
    most = zip(found, range(explaining.MOST), strict=False)
    return [explaining.explain(store, plan, state, clock.now()) for state, _ in most]
