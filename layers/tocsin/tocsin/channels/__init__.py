"""Whom Tocsin can tell. A channel is one module or package; the registry holds dotted names, imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tocsin.ports import Channel

REGISTRY: dict[str, str] = {
    "pagerduty": "tocsin.channels.pagerduty:PagerDuty",
    "slack": "tocsin.channels.slack:Slack",
    "email": "tocsin.channels.email:Email",
    "zendesk": "tocsin.channels.zendesk:Zendesk",
    "webhook": "tocsin.channels.webhook:Webhook",
}


def channel_class(name: str) -> type[Channel]:
    """Import a channel's class by its name in the registry."""
    module, _, attribute = REGISTRY[name].partition(":")
    return cast("type[Channel]", getattr(import_module(module), attribute))
