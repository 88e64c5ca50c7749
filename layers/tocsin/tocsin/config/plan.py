"""The compiled config: what the stages load instead of YAML. Immutable, JSON, versioned, free of secrets.

A secret stands as ``{"$secret": "name"}``, a secret that lies in a file as ``{"$file": "path"}``, anywhere within
``Integration.settings`` or ``SourceSettings.auth``; ``ports.Secrets`` knows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.matchers import Matcher
from tocsin.model import HOUR, MINUTE, Instant, Labels, Span

PLAN_SCHEMA = 1
CATCH_ALL_ROUTE = "catch-all"  # the route id of what no route was asked about: quarantined bodies, give-ups


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the route tree with everything inherited already filled in.

    ``key`` is Alertmanager's routeKey (not unique); ``id`` is unique and stable while siblings are only reordered.
    ``line`` is where the node stands in ``alertmanager.yml``.
    """

    id: str
    key: str
    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    group_by_all: bool = False
    group_wait: Span = 30 * 1_000_000_000
    group_interval: Span = 5 * MINUTE
    repeat_interval: Span = 4 * HOUR
    continue_: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    labels: Labels = field(default_factory=dict)
    line: int = 0
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Integration:
    """One entry of one ``*_configs`` list. ``id`` is unique within the receiver: ``slack/0``, as Alertmanager names it.

    ``channel`` is empty for a kind that Tocsin does not speak (``kind`` says which): the catch-all is told instead.
    """

    id: str
    kind: str  # "slack", "opsgenie" …
    channel: str  # a name of tocsin.channels.REGISTRY, or ""
    settings: Mapping[str, Any]
    send_resolved: bool
    resolve_when_muted: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Receiver:
    """A named set of integrations, and whom to tell when it does not work out."""

    name: str
    integrations: tuple[Integration, ...] = ()
    fallback: str = ""  # a receiver's name; "" goes to the catch-all when all is lost
    fallback_after: Span = 5 * MINUTE
    give_up_after: Span = 24 * HOUR
    line: int = 0


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """Targets are muted while some source fires with the same values of ``equal``."""

    id: str
    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class HeartbeatRule:
    """A dead man's switch: what must be heard of at least every ``interval`` + ``grace``."""

    name: str
    matchers: tuple[Matcher, ...]
    interval: Span
    grace: Span
    labels: Labels = field(default_factory=dict)  # added to HeartbeatMissing
    line: int = 0


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A way in. ``auth`` is ``{"type": "bearer"|"basic"|"path"|"hmac"|"none", …}`` with its secrets by reference."""

    name: str  # the segment after /webhooks/
    kind: str  # a name of tocsin.sources.REGISTRY
    auth: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole config, ready for the stages."""

    route: Route
    receivers: Mapping[str, Receiver]
    catch_all: str  # a receiver's name
    epoch: int = 0
    schema: int = PLAN_SCHEMA
    created: Instant = 0
    origin: str = ""  # the file it came from
    open_on_loopback: bool = False  # an alertmanager.yml alone: no proof asked for, loopback only
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    heartbeats: tuple[HeartbeatRule, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, Any] = field(default_factory=dict)  # name → JSON of tocsin.intervals
    templates: tuple[str, ...] = ()  # the texts of the template files, inlined
    external_url: str = ""
    delivery: str = "live"  # live | dry-run
    resolve_timeout: Span = 5 * MINUTE
    stale_after: Span = 25 * HOUR
    on_stale: str = "tell"  # tell | resolve
