"""Zendesk by zenpy: a ticket an incident, private comments for what follows, solved when it is over.

Wire: the ``ticket`` to make and the ``comment`` for one that exists. ``Idempotency-Key`` makes a repeated creation act
once, ``external_id`` finds a lost ticket again, a mark within each comment says whether it was already made.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from tocsin.channels.wire import canonical
from tocsin.channels.zendesk.body import body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from tocsin.ports import Attempt, Outcome
    from tocsin.rendering import Notification


class Zendesk:
    """Makes, comments, reopens and solves tickets. What is on ``pending`` somebody has acknowledged: it stays so."""

    name: ClassVar[str] = "zendesk"
    config_key: ClassVar[str] = "zendesk_configs"
    send_resolved: ClassVar[bool] = True
    merges_by_key: ClassVar[bool] = False
    tells_late_resolution: ClassVar[bool] = False
    resolve_when_muted: ClassVar[bool] = True

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """Give the model of one kind of ticket."""
        from tocsin.channels.zendesk.settings import ZendeskSettings  # noqa: PLC0415 (only where configs are loaded)

        return ZendeskSettings

    def render(self, notification: Notification, settings: Mapping[str, Any]) -> bytes:
        """Print the ticket and the comment."""
        return canonical(body(notification, settings))

    def send(self, attempt: Attempt) -> Outcome:
        """Bring the ticket to where it belongs."""
        from tocsin.channels.zendesk.delivery import deliver  # noqa: PLC0415 (zenpy: only who makes tickets pays for it)

        return deliver(json.loads(attempt.wire), attempt)
