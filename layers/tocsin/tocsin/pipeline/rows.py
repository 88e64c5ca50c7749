"""Where everything lies: the keys of every row, and reading and writing the three that matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin import lanes
from tocsin.lanes import Lane
from tocsin.model import DAY, Alert, Instant, Labels, Span
from tocsin.ports import ABSENT, COMMIT_LIMIT, Key, Put, Row, Store

KEPT: Span = 14 * DAY  # how long history, snapshots and what nobody speaks of any more are kept
ALERT_SHARDS = "0123456789abcdef"  # the first digit of the fingerprint spreads alerts over partitions


def alert_key(fingerprint: str) -> Key:
    """Everything known of a fingerprint."""
    return Key(f"alerts#{fingerprint[:1]}", fingerprint)


def group_key(group: str) -> Key:
    """The group's own row: due, touched."""
    return Key(f"group#{group}")


def members_pk(group: str) -> str:
    """The partition of the alerts in a group, one row each."""
    return f"members#{group}"


def lane_key(lane: str) -> Key:
    """A lane."""
    return Key(f"lane#{lane}")


def heartbeat_key(name: str) -> Key:
    """A heartbeat."""
    return Key(f"heartbeat#{name}")


COMMIT_ROOM = 3_000_000  # bytes of lanes in one commit; what else is in it has the rest of the 4 MB

PLAN_POINTER = Key("plan", "current")


@dataclass(frozen=True, slots=True)
class Member:
    """An alert in a group: a copy of what is known, derived from the alert's row at ``rev``."""

    fingerprint: str
    rev: int
    alert: Alert
    stamp: Instant
    quarantined: bool = False
    version: int = 0  # of the member's own row

    @staticmethod
    def read(row: Row) -> Member:
        """Read a member's row."""
        rev, fires, labels, annotations, start, end, url, stamp, quarantined = row.data["m"]
        alert = Alert(row.key.sk, labels, annotations, fires, start, end, url)
        return Member(row.key.sk, rev, alert, stamp, quarantined, row.version)

    def put(self, group: str, expect: int) -> Put:
        """Write the member's row over the version that was read."""
        a = self.alert
        row = [
            self.rev, a.firing, dict(a.labels), dict(a.annotations), a.start, a.end, a.generator_url, self.stamp,
            self.quarantined,
        ]  # fmt: skip
        return Put(Key(members_pk(group), self.fingerprint), {"schema": 1, "m": row}, expect=expect)


@dataclass(frozen=True, slots=True)
class Group:
    """A group's row. ``gone`` names the resolved alerts that the last flush told of: (fingerprint, row version)."""

    id: str
    group_key: str
    route_id: str
    receiver: str
    labels: Labels
    flushed: bool = False
    gone: str = ""  # a blob
    epoch: int = 0
    created: Instant = 0

    def as_row(self) -> dict[str, Any]:
        """Write the data of the row."""
        return {
            "schema": 1, "group_key": self.group_key, "route_id": self.route_id, "receiver": self.receiver,
            "labels": dict(self.labels), "flushed": self.flushed, "gone": self.gone, "epoch": self.epoch,
            "created": self.created,
        }  # fmt: skip

    @staticmethod
    def read(row: Row) -> Group:
        """Read a group's row."""
        known = Group.__dataclass_fields__.keys() - {"id"}
        return Group(row.key.pk.partition("#")[2], **{k: v for k, v in row.data.items() if k in known})


def read_lane(row: Row) -> Lane:
    """Read a lane's row."""
    return lanes.from_json(row.key.pk.partition("#")[2], row.data)


def put_lane(lane: Lane, expect: int, due_at: Instant | None, now: Instant) -> Put:
    """Write a lane's row; one that is over and waits for nothing is forgotten in time."""
    kept = lane.waits or (lane.owed is not None and lane.owed.fires)  # however long it fires, it was told once
    expires = None if kept else now + 2 * KEPT
    return Put(lane_key(lane.id), lanes.to_json(lane), expect=expect, due_at=due_at, expires_at=expires)


def lane_rows(store: Store, ids: Iterable[str]) -> Mapping[str, tuple[Lane, int]]:
    """Read lanes with the versions of their rows; those that are not there are missing."""
    rows = store.get([lane_key(lane) for lane in ids])
    return {lane.id: (lane, row.version) for row in rows.values() for lane in [read_lane(row)]}


def batches(puts: Sequence[Put], size: int, *, reserved: int) -> list[list[Put]]:
    """Divide the rows of lanes into commits; the last, perhaps empty, leaves room for ``reserved`` other rows.

    Args:
        puts: the rows.
        size: bytes of the largest of them; a commit holds 4 MB.
        reserved: rows that the last commit holds beside them.
    """
    most = max(1, min(COMMIT_LIMIT - reserved, COMMIT_ROOM // max(size, 1)))
    last = len(puts) % most if len(puts) > most else len(puts)
    full = [list(puts[i : i + most]) for i in range(0, len(puts) - last, most)]
    return [*full, list(puts[len(puts) - last :])]


def version_of(rows: Mapping[Key, Row], key: Key) -> int:
    """Give the version a write must expect."""
    row = rows.get(key)
    return row.version if row else ABSENT
