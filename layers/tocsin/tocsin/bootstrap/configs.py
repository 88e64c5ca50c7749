"""Configs loaded with every channel and source there is, for the command line and the server."""

from __future__ import annotations

from pathlib import Path

from tocsin import channels, sources
from tocsin.config.loader import Loaded, load
from tocsin.config.receivers import Channels, ChannelSchema


def channel_schemas() -> Channels:
    """Ask every registered channel for its schema, by config key."""
    classes = [channels.channel_class(name) for name in channels.REGISTRY]
    return {each.config_key: ChannelSchema.of(each) for each in classes}


def load_config(path: str | Path) -> Loaded:
    """Load an ``alertmanager.yml`` or a ``tocsin.yml``; raises ``ConfigError`` with every problem."""
    return load(path, channel_schemas(), sources.STRANGERS)
