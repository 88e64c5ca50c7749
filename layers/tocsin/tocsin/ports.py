"""The protocols the edges fulfil: state, queues, secrets, clock, telemetry, sources, channels.

Every rule of ``docs/architecture.md`` that concerns state is written once, above these ports, in ``pipeline``; an
engine only keeps rows, moves messages and tells the truth about conflicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from tocsin.model import Instant, Observation, Span

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tocsin.rendering import Notification


# ---- state -----------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """Where a row lives: a partition, and its place within it."""

    pk: str
    sk: str = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read.

    ``version`` rises by one with every ``Put``; ``touched`` rises by one with every ``touch`` and with nothing else.
    ``due_at`` puts the row into the sparse index of what waits for something; ``expires_at`` lets it be forgotten.
    """

    key: Key
    data: Mapping[str, Any]  # JSON; must not be changed in place
    version: int = 0
    touched: int = 0
    due_at: Instant | None = None
    expires_at: Instant | None = None


ABSENT = 0  # the version that a row has which is not there


@dataclass(frozen=True, slots=True)
class Put:
    """Write a row whole. ``expect`` is the version it must have now (``ABSENT``: none), None writes in any case.

    A row that exists keeps its ``touched``; a new one starts at ``touched`` 0. ``data`` is JSON (str, int, float, bool,
    None, lists, mappings) or holds ``bytes`` at the top level only.
    """

    key: Key
    data: Mapping[str, Any]
    expect: int | None = None
    due_at: Instant | None = None
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row, if it has the version and the ``touched`` that are expected (None: whatever they are).

    Deleting a row that is not there succeeds when ``expect`` is None, else it is a conflict.
    """

    key: Key
    expect: int | None = None
    expect_touched: int | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """Raise ``touched`` by one, or make the row as ``data``/``due_at`` say (version 1, touched 1) where there is none.

    Never fails on a conflict, however many touch the same row side by side: a storm on one group must not serialise.
    """

    key: Key
    data: Mapping[str, Any]
    due_at: Instant | None = None


class Store(Protocol):
    """Rows with versions. All reads are strongly consistent, but for ``due``.

    Errors: ``ConflictError`` from ``commit`` alone; ``StoreFullError``; ``StoreBusyError`` (the effect is then unknown:
    read again).
    """

    def get(self, keys: Sequence[Key]) -> Mapping[Key, Row]:
        """Read rows; those that do not exist (or have expired) are missing from the answer. Any number of keys."""
        ...

    def scan(self, pk: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Row]:
        """Read a partition in the order of ``sk`` (bytewise), from the first key greater than ``after``."""
        ...

    def write(self, writes: Sequence[Put | Delete], *, durable: bool = False) -> Sequence[bool]:
        """Do each write on its own, any number; the answer says of each whether its expectation held.

        ``durable`` waits until a power cut can no longer take the writes back.
        """
        ...

    def commit(self, writes: Sequence[Put | Delete], *, durable: bool = False) -> None:
        """Do all (at most ``COMMIT_LIMIT``, each key once) or none, which is a ``ConflictError``."""
        ...

    def touch(self, touches: Sequence[Touch]) -> Sequence[Row]:
        """Do each touch and answer the rows as they stand after it."""
        ...

    def due(self, before: Instant, limit: int) -> Sequence[tuple[Key, Instant]]:
        """Rows whose ``due_at`` is at or before that instant, earliest first. May lag: a hint, not a truth."""
        ...

    def sweep(self, now: Instant) -> int:
        """Forget rows that expired, a bounded number a call; says how many. A no-op where the store does it itself."""
        ...


COMMIT_LIMIT = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html


# ---- queues ----------------------------------------------------------------------------------------------------------

INBOX = "inbox"
DUE = "due"


def deliver_queue(channel: str) -> str:
    """Name the queue of a channel's deliveries."""
    return f"deliver.{channel}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way in: what it says and how long it stays unseen (at most 15 minutes)."""

    body: str
    delay: Span = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A message on its way out. ``count`` says how often it was handed out, this time included."""

    id: str
    body: str
    count: int
    receipt: str
    sent_at: Instant


class Queues(Protocol):
    """At-least-once queues, in no order. The inbox is durable; every other queue carries hints that may be lost."""

    def send(self, queue: str, messages: Sequence[Message]) -> None:
        """Queue the messages; on the inbox they are safe from a power cut once this returns."""
        ...

    def receive(self, queue: str, limit: int = 10) -> Sequence[Received]:
        """Take up to ``limit`` visible messages; unacknowledged ones come back after the visibility timeout."""
        ...

    def ack(self, queue: str, receipts: Sequence[str]) -> None:
        """Remove messages for good."""
        ...

    def postpone(self, queue: str, receipt: str, delay: Span) -> None:
        """Hand a message back, to be seen again after the delay."""
        ...


# ---- the rest of the world -------------------------------------------------------------------------------------------


class Secrets(Protocol):
    """Where secrets are. Names are what a plan holds instead of them."""

    def get(self, name: str) -> str:
        """Give the value, or raise ``SecretError`` naming the name."""
        ...


class Clock(Protocol):
    """The only source of the time."""

    def now(self) -> Instant:
        """Give the instant."""
        ...


class Telemetry(Protocol):
    """What the operators see of us."""

    def count(self, metric: str, value: int = 1, /, **labels: str) -> None:
        """Add to a counter, e.g. ``count("notifications", channel="slack", outcome="sent")``."""
        ...

    def log(self, level: str, message: str, /, **fields: Any) -> None:  # noqa: ANN401 (fields of a log line)
        """Write a line; ``level`` is debug, info, warning or error."""
        ...


class Announcer(Protocol):
    """Events for other teams: the bus on AWS, nobody at home."""

    def announce(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Publish one event; best effort, never fails a delivery."""
        ...


# ---- sources ---------------------------------------------------------------------------------------------------------


class Source(Protocol):
    """A kind of sender. Parsing is pure and lenient: unknown keys, missing keys and odd types are no error."""

    name: ClassVar[str]

    def parse(self, body: bytes, headers: Mapping[str, str], stamp: Instant) -> Sequence[Observation]:
        """Read a body as it was stored. Header names are lower case; ``stamp`` is when ``receive`` took it.

        An empty answer is a body that is understood and says nothing (a ping, a configuration change).
        Raises ``UnintelligibleError`` with a sentence for what it does not understand at all.
        """
        ...


# ---- channels --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """The vendor took it. ``ref`` is what the next version of this lane needs (a ts, a ticket, a message id)."""

    ref: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""
    vendor_id: str = ""  # what a person can look up at the vendor's


@dataclass(frozen=True, slots=True)
class Retry:
    """A failure that may pass. ``maybe`` says whether the vendor may have acted (a reset after the request, a 5xx)."""

    reason: str
    status: str = ""
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Come back after ``wait``. Not a failed attempt; the vendor has not acted."""

    wait: Span
    reason: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class Permanent:
    """No retry will help: the key is wrong, the channel archived, the body refused. The vendor has not acted."""

    reason: str
    status: str = ""


Outcome = Sent | Retry | Throttled | Permanent


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request about to be made: everything ``send`` may know.

    ``wire`` is the stored body, byte for byte what ``render`` gave the first time; ``settings`` are the integration's,
    secrets filled in; ``ref`` is what earlier versions on this lane left (and what ``record`` added);
    ``uncertain`` says that an earlier attempt of this very body may have acted, so look before posting again;
    ``record`` keeps progress within one body at once and durably (one recipient of several).
    """

    wire: bytes
    settings: Mapping[str, Any]
    ref: Mapping[str, Any]
    delivery_id: str
    uncertain: bool
    firing: bool
    record: Callable[[Mapping[str, Any]], None]


class Channel(Protocol):
    """A kind of receiver: settings, wire format, limits and error table in one place.

    ``merges_by_key``: an equal key never acts twice whatever the bytes, so an uncertain attempt need not be settled
    before a newer version goes (PagerDuty). ``tells_late_resolution``: something that resolved before anyone was told
    is told once all the same (Slack, email, webhook); PagerDuty and Zendesk need nothing then. ``resolve_when_muted``:
    if we said it fires, we say that it stopped, muted or not (PagerDuty, Zendesk). ``send_resolved`` is Alertmanager's
    default.
    """

    name: ClassVar[str]
    config_key: ClassVar[str]  # e.g. "slack_configs"
    send_resolved: ClassVar[bool]
    merges_by_key: ClassVar[bool]
    tells_late_resolution: ClassVar[bool]
    resolve_when_muted: ClassVar[bool]

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """Give the pydantic model of one entry under ``config_key``; imported only where configs are loaded."""
        ...

    def render(self, notification: Notification, settings: Mapping[str, Any]) -> bytes:
        """Make the wire body (canonical JSON) from a notification; pure, and free of secrets."""
        ...

    def send(self, attempt: Attempt) -> Outcome:
        """Make the request (or, for email, one a recipient) and name what became of it; raises nothing."""
        ...
