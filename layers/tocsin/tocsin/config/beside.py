"""``tocsin.yml``: what Alertmanager does not know. Sources and their proof, fallbacks, heartbeats, the catch-all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import model_validator

from tocsin.config.document import Node, entries, known_entries, unknown_key
from tocsin.config.fields import Duration, SecretText, Strict, check_url
from tocsin.config.plan import HeartbeatRule, SourceSettings
from tocsin.config.reading import children_of, labels_of, matchers_from, span_of, text_of
from tocsin.config.settings import Workshop, read_settings
from tocsin.matchers import sort_matchers
from tocsin.model import HOUR, MINUTE, Span

KEYS = (
    "alertmanager_config", "sources", "receivers", "heartbeats", "catch_all", "delivery", "external_url", "stale_after",
    "on_stale",
)  # fmt: skip
DELIVERIES = ("live", "dry-run")
ON_STALE = ("tell", "resolve")
STALE_AFTER: Span = 25 * HOUR
HEARTBEAT_INTERVAL: Span = 5 * MINUTE
HEARTBEAT_GRACE: Span = 5 * MINUTE


class Bearer(Strict):
    """``Authorization: Bearer <token>``."""

    token: SecretText | None = None

    @model_validator(mode="after")
    def _check(self) -> Bearer:
        _needs(self, "token")
        return self


class Path(Bearer):
    """An unguessable last segment of the path: ``/webhooks/<source>/<token>``."""


class Basic(Strict):
    """A user's name and password."""

    username: str = ""
    password: SecretText | None = None

    @model_validator(mode="after")
    def _check(self) -> Basic:
        _needs(self, "username", "password")
        return self


class Hmac(Strict):
    """A signature over the raw body, in a header."""

    secret: SecretText | None = None
    header: str = ""
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    max_age: Duration = 5 * MINUTE

    @model_validator(mode="after")
    def _check(self) -> Hmac:
        _needs(self, "secret", "header")
        return self


def _needs(model: Strict, *names: str) -> None:
    for name in names:
        if not getattr(model, name):
            secret = name in {"token", "password", "secret"}
            raise ValueError(f"{name} is missing: set {name}" + (f" or {name}_file" if secret else ""))


_PROOFS: dict[str, type[Strict]] = {"bearer": Bearer, "basic": Basic, "path": Path, "hmac": Hmac}
_HOW = "set auth to one of bearer, basic, path or hmac with its secret, or to none if anybody may post here"


@dataclass(slots=True)
class Beside:
    """What the file says, but for receivers, which are merged by ``receivers.merge_receivers``."""

    sources: dict[str, SourceSettings] = field(default_factory=dict)
    heartbeats: tuple[HeartbeatRule, ...] = ()
    catch_all: str = ""
    delivery: str = "live"
    external_url: str = ""
    stale_after: Span = STALE_AFTER
    on_stale: str = "tell"
    nodes: Mapping[str, Node] = field(default_factory=dict)


def read_beside(root: Node, kinds: Collection[str], shop: Workshop) -> Beside:
    """Read the file; ``kinds`` are the sources that there are (empty: any)."""
    known = known_entries(root, KEYS, shop.findings, "tocsin.yml")
    return Beside(
        sources=_sources(known.get("sources"), kinds, shop),
        heartbeats=tuple(_heartbeats(known.get("heartbeats"), shop)),
        catch_all=text_of(known.get("catch_all"), "catch_all", shop.findings),
        delivery=_one_of(known, "delivery", DELIVERIES, shop),
        external_url=_external_url(known.get("external_url"), shop),
        stale_after=span_of(known.get("stale_after"), "stale_after", shop.findings, STALE_AFTER),
        on_stale=_one_of(known, "on_stale", ON_STALE, shop),
        nodes=known,
    )


def _one_of(known: Mapping[str, Node], key: str, values: tuple[str, ...], shop: Workshop) -> str:
    value = text_of(known.get(key), key, shop.findings, values[0])
    if value not in values:
        shop.findings.error(known.get(key), f'{key} is "{value}": write {" or ".join(values)}')
    return value


def _external_url(node: Node | None, shop: Workshop) -> str:
    url = text_of(node, "external_url", shop.findings)
    try:
        return check_url(url).rstrip("/") if url else ""
    except ValueError as error:
        shop.findings.error(node, f"external_url: {error}")
        return ""


def _sources(node: Node | None, kinds: Collection[str], shop: Workshop) -> dict[str, SourceSettings]:
    found: dict[str, SourceSettings] = {}
    if node is None or not node.is_mapping:
        if node is not None:
            shop.findings.error(node, f"sources must be a mapping of names to settings, not {node.describe()}")
        return found
    for name, (key, value) in entries(node, shop.findings).items():
        known = known_entries(value, ("type", "kind", "auth"), shop.findings, f"source {name}")
        kind = text_of(known.get("type", known.get("kind")), "type", shop.findings, name)
        if kinds and kind not in kinds:
            sentence = unknown_key(kind, kinds, "sources").partition(": ")[2].replace("known keys", "known types")
            shop.findings.error(known.get("type", key), f'unknown type of source "{kind}": {sentence}')
        found[name] = SourceSettings(name, kind, _auth(known.get("auth"), key, name, shop))
    return found


def _auth(node: Node | None, key: Node, name: str, shop: Workshop) -> dict[str, Any]:
    if node is None:
        shop.findings.error(key, f"sources.{name} has no proof of its sender: {_HOW}")
        return {}
    if node.is_scalar:
        if node.text != "none":
            shop.findings.error(node, f'sources.{name}.auth is "{node.text}": {_HOW}')
        return {"type": "none"}
    known = known_entries(node, (*_PROOFS, "none"), shop.findings, f"sources.{name}.auth")
    if len(node.pairs) != 1 or not set(known) <= set(_PROOFS):
        shop.findings.error(node, f"sources.{name}.auth must name exactly one proof: {_HOW}")
        return {}
    for kind, settings in known.items():
        read = read_settings(settings, _PROOFS[kind], shop, name=f"sources/{name}", where=f"sources.{name}.auth.{kind}")
        return {"type": kind, **(read or {})}
    return {}


def _heartbeats(node: Node | None, shop: Workshop) -> list[HeartbeatRule]:
    rules: dict[str, HeartbeatRule] = {}
    for child in children_of(node, "heartbeats", shop.findings):
        known = known_entries(child, ("name", "matchers", "interval", "grace", "labels"), shop.findings, "heartbeat")
        name = text_of(known.get("name"), "name", shop.findings)
        matchers = [
            matcher
            for line in children_of(known.get("matchers"), "matchers", shop.findings)
            for matcher in matchers_from(line, shop.findings)
        ]
        if not name:
            shop.findings.error(child, "missing name in heartbeat: set name")
        elif name in rules:
            shop.findings.error(child, f'heartbeat "{name}" is not unique: line {rules[name].line} has it too')
        if all(matcher.matches({}) for matcher in matchers):
            shop.findings.error(child, f'heartbeat "{name}" would be fed by any alert: set matchers, such as '
                                "alertname=Watchdog")  # fmt: skip
        interval = span_of(known.get("interval"), "interval", shop.findings, HEARTBEAT_INTERVAL)
        if not interval:
            shop.findings.error(known.get("interval"), "interval cannot be zero: set how often it must be heard of")
        rules[name] = HeartbeatRule(
            name=name,
            matchers=sort_matchers(matchers),
            interval=interval,
            grace=span_of(known.get("grace"), "grace", shop.findings, HEARTBEAT_GRACE),
            labels=labels_of(known.get("labels"), "labels", shop.findings),
            line=child.line,
        )
    return list(rules.values())
