"""A lane: who has been told what. One version, one claim, at most one request in flight (state.md, rules 9 to 11).

Flush writes what is owed, deliver writes what was told. Everything here is judgement: a lane in, a lane or a named
action out; the rows are written by ``pipeline``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin.dedup import Owed
from tocsin.model import MINUTE, SECOND, Instant, Span

SCHEMA = 1
LEASE: Span = 90 * SECOND  # longer than a worker's time limit (60 s) plus the skew of two clocks
REQUEST_BUDGET: Span = 20 * SECOND  # nobody starts a request with less of the lease left than this
NEAR = 20_000  # fingerprints that a lane's row holds itself; of more, its snapshot knows
FINGERPRINT = 8  # bytes of one in a row
ROW = 4_000  # bytes of everything else in it: keys, the note, the vendor's references
BACKOFF_FIRST: Span = 5 * SECOND
BACKOFF_LONGEST: Span = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Owing:
    """What the last flush that had something to say decided for this lane."""

    version: int
    snapshot: str  # the snapshot's blob
    firing: frozenset[str]
    resolved: frozenset[str]
    reason: str
    at: Instant  # nominal time of the flush
    note: str = ""  # a sentence for the person: why a fallback is told
    silent: bool = False  # only resolutions, and the integration does not want them: nothing is sent
    stale: bool = False
    far: str = ""  # "firing" or "resolved" where the fingerprints are too many for the row: the snapshot has them

    @property
    def fires(self) -> bool:
        """Whether anything fires in it."""
        return bool(self.firing) or self.far == "firing"

    @property
    def size(self) -> int:
        """How many bytes its row has, about."""
        return FINGERPRINT * min(len(self.firing) + len(self.resolved), NEAR) + ROW


@dataclass(frozen=True, slots=True)
class Lane:
    """One (group key, route id, receiver, integration).

    ``open`` is what the vendor believes of the incident: "no", "maybe" (a request's fate is unknown) or "yes".
    ``done`` is the last version with a receipt; ``tried`` the last version a request was begun for, ``uncertain`` the
    version whose request may or may not have acted, 0 if none. ``claimed_until`` is the lease.
    """

    id: str
    group: str
    group_key: str
    route_id: str
    receiver: str
    integration: str
    channel: str
    owed: Owing | None = None
    open: str = "no"
    done: int = 0
    tried: int = 0
    uncertain: int = 0
    attempts: int = 0
    unmet_since: Instant | None = None
    claimed_by: str = ""
    claimed_until: Instant = 0
    claimed_version: int = 0
    retry_at: Instant = 0
    fallback: str = ""  # the receiver that is told instead while this lane cannot
    primary: str = ""  # the receiver this lane stands in for
    ref: Mapping[str, Any] = field(default_factory=dict)
    receipt: str = ""
    epoch: int = 0

    @property
    def waits(self) -> bool:
        """Whether something is owed that has no receipt yet."""
        return self.owed is not None and self.owed.version > self.done

    def last_owed(self) -> Owed | None:
        """Give what dedup compares with."""
        if self.owed is None:
            return None
        return Owed(self.owed.firing, self.owed.resolved, self.owed.at, self.owed.stale)


def owe(lane: Lane, owing: Owing, now: Instant) -> Lane:
    """Put a newer version on a lane. What waited before is superseded; how long it waited is not forgotten."""
    newer = replace(owing, version=(lane.owed.version if lane.owed else 0) + 1)
    if lane.owed is not None and lane.owed.silent and lane.claimed_until <= now:
        # That incident ended in silence: what was uncertain then must not be told before the first word of a new one.
        lane = replace(release(lane), uncertain=0, retry_at=0)
    if newer.silent:
        return replace(lane, owed=newer, done=newer.version, unmet_since=None, attempts=0, receipt="nothing to send")
    return replace(
        lane,
        owed=newer,
        unmet_since=lane.unmet_since if lane.waits and lane.unmet_since is not None else now,
        attempts=lane.attempts if lane.waits else 0,
    )


@dataclass(frozen=True, slots=True)
class Send:
    """Claim the lane and make the request for this version."""

    version: int
    uncertain: bool


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing needs to be sent: write this receipt."""

    receipt: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now; look again at ``until`` (None: when a flush owes something)."""

    reason: str
    until: Instant | None = None


Action = Send | Close | Wait


def next_action(lane: Lane, now: Instant, *, merges_by_key: bool, tells_late_resolution: bool) -> Action:
    """Say what a worker that holds this hint has to do."""
    if lane.owed is None or not lane.waits:
        return Wait("nothing owed")
    if lane.claimed_until > now:
        return Wait("another worker has the lane", lane.claimed_until)
    if lane.retry_at > now:
        return Wait("waiting for the next attempt", lane.retry_at)
    uncertain = lane.claimed_version or lane.uncertain  # a claim that ran out: its request may have acted
    if uncertain and uncertain < lane.owed.version and not merges_by_key:
        return Send(uncertain, uncertain=True)  # settle it with the same bytes before a newer version goes
    if not lane.owed.fires and lane.open == "no" and not uncertain and not tells_late_resolution:
        return Close(f"nothing to say: resolved before {lane.receiver} was told")
    return Send(lane.owed.version, uncertain=uncertain == lane.owed.version)


def claim(lane: Lane, worker: str, version: int, now: Instant) -> Lane:
    """Take the lane for one request. From here on the request may have been made, whatever happens to the worker."""
    lost = lane.claimed_version or lane.uncertain
    return replace(
        lane,
        claimed_by=worker,
        claimed_until=now + LEASE,
        claimed_version=version,
        uncertain=lost,
        tried=version,
        attempts=lane.attempts + 1,
    )


def release(lane: Lane) -> Lane:
    """Give the claim back."""
    return replace(lane, claimed_by="", claimed_until=0, claimed_version=0)


def sent(lane: Lane, version: int, *, fires: bool, ref: Mapping[str, Any], now: Instant, status: str) -> Lane:
    """Record that the vendor took a version."""
    lane = release(lane)
    met = lane.owed is None or lane.owed.version <= version
    return replace(
        lane,
        open="yes" if fires else "no",
        done=max(lane.done, version),
        uncertain=0,
        attempts=0,
        retry_at=0,
        unmet_since=None if met else now,
        ref={**lane.ref, **ref},
        receipt=f"sent {status}".strip(),
    )


def throttled(lane: Lane, wait: Span, now: Instant) -> Lane:
    """Record that the vendor asked us to come back later: no failed attempt, and it has not acted."""
    return replace(release(lane), retry_at=now + max(wait, SECOND), attempts=max(0, lane.attempts - 1))


def failed(lane: Lane, now: Instant, *, maybe: bool, fires: bool) -> Lane:
    """Record a failure that may pass, and when to try again."""
    uncertain = lane.claimed_version if maybe else lane.uncertain
    opened = "maybe" if maybe and fires and lane.open == "no" else lane.open
    return replace(release(lane), retry_at=now + backoff(lane.attempts), uncertain=uncertain, open=opened)


def closed(lane: Lane, receipt: str) -> Lane:
    """Record that what is owed needs no request."""
    done = lane.owed.version if lane.owed else lane.done
    return replace(release(lane), done=done, uncertain=0, attempts=0, retry_at=0, unmet_since=None, receipt=receipt)


def unsettled(lane: Lane, reason: str) -> Lane:
    """Record that an older version's fate stays unknown, for the vendor refuses its bytes: the newer one goes now."""
    opened = "maybe" if lane.open == "no" else lane.open
    return replace(release(lane), uncertain=0, attempts=0, retry_at=0, open=opened, receipt=f"unsettled: {reason}")


def given_up(lane: Lane, version: int, reason: str, *, fires: bool, fallback: str, now: Instant) -> Lane:
    """Record that no further attempt is made for this version, and who is told instead ("" if nobody is left).

    While it ``fires`` the fallback stays engaged: it hears what follows, above all the resolution. An earlier attempt
    that may have acted stays uncertain: what it may have opened is still to be closed.
    """
    receipt = f"failed over to {fallback}: {reason}" if fallback else f"given up: {reason}"
    newer = lane.owed is not None and lane.owed.version > version
    fires = fires and (lane.owed is None or lane.owed.fires)
    return replace(
        release(lane), done=max(lane.done, version), attempts=0, retry_at=0, unmet_since=now if newer else None,
        fallback=(fallback or lane.fallback) if fires else "", receipt=receipt,
    )  # fmt: skip


def backoff(attempts: int) -> Span:
    """Give the pause after that many failed attempts: doubling, bounded."""
    return min(BACKOFF_LONGEST, BACKOFF_FIRST << min(max(attempts, 1) - 1, 10))


def due(lane: Lane) -> Instant | None:
    """When the lane must be looked at again, whoever was to do it: the lease's end, the retry, now; None if settled."""
    if not lane.waits:
        return None
    return max(lane.claimed_until, lane.retry_at, lane.unmet_since or 0)


def late(lane: Lane, now: Instant, after: Span) -> bool:
    """Whether the lane has owed something for longer than that."""
    return lane.waits and lane.unmet_since is not None and now - lane.unmet_since >= after


_APART = frozenset({"id", "owed", "ref"})  # fields with a form of their own in the row


def to_json(lane: Lane) -> dict[str, Any]:
    """Write a lane as the data of its row; fingerprints are packed, eight bytes each."""
    row: dict[str, Any] = {name: getattr(lane, name) for name in Lane.__dataclass_fields__ if name not in _APART}
    row |= {"schema": SCHEMA, "ref": dict(lane.ref)}
    if lane.owed:
        owed = lane.owed
        far = owed.far
        if len(owed.firing) + len(owed.resolved) > NEAR:
            far = "firing" if owed.firing else "resolved"
        row["firing"], row["resolved"] = (b"", b"") if far else (_pack(owed.firing), _pack(owed.resolved))
        row["owed"] = [
            owed.version, owed.snapshot, str(owed.reason), owed.at, owed.note, owed.silent, owed.stale, far,
        ]  # fmt: skip
    return row


def from_json(lane: str, row: Mapping[str, Any]) -> Lane:
    """Read a lane from its row."""
    owed = None
    if "owed" in row:
        version, snapshot, reason, at, note, silent, stale, far = row["owed"]
        owed = Owing(
            version, snapshot, _unpack(row["firing"]), _unpack(row["resolved"]), reason, at, note, silent, stale, far,
        )  # fmt: skip
    known = Lane.__dataclass_fields__.keys() - {"id", "owed"}
    return Lane(lane, owed=owed, **{name: value for name, value in row.items() if name in known})


def _pack(fingerprints: frozenset[str]) -> bytes:
    return b"".join(bytes.fromhex(name) for name in sorted(fingerprints))


def _unpack(packed: bytes) -> frozenset[str]:
    return frozenset(packed[i : i + 8].hex() for i in range(0, len(packed), 8))
