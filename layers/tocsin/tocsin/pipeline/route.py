"""Route: write the alerts, then their groups' members, then arm the groups, then acknowledge (rules 1, 4, 5).

Every step happens on every delivery of a message, changed or not: to die between any two and to be handed the message
again must end where an undisturbed run ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin import observation, routing
from tocsin.config.plan import CATCH_ALL_ROUTE, Plan, Route
from tocsin.dedup import Reason
from tocsin.errors import ConflictError
from tocsin.grouping import first_due, group_id
from tocsin.model import DAY, HOUR, Instant, Span, fingerprint
from tocsin.observation import AlertState
from tocsin.pipeline import history
from tocsin.pipeline.intake import Read
from tocsin.pipeline.messages import HINT_HORIZON, Hint
from tocsin.pipeline.rows import KEPT, Group, Member, alert_key, group_key, members_pk
from tocsin.ports import ABSENT, DUE, Clock, Key, Put, Queues, Row, Store, Telemetry, Touch

STAMP_GRAIN: Span = HOUR  # a member's copy of the stamp may be this old: refreshes need not rewrite every group
STAMP_PART = 10  # and by this part of stale_after at most, or what is heard of often would count as silent
CONFLICT_TRIES = 12
REMEMBERED = 8  # how many messages an alert's row names, for `tocsin explain`


@dataclass(slots=True)
class Known:
    """An alert as the batch has joined it: what is stored, what came in, where it goes."""

    state: AlertState
    messages: list[str]
    rev: int = 0
    change: str = ""
    routes: Sequence[Route] = ()
    groups: list[tuple[Group, Route]] = field(default_factory=list)


def catch_all_route(plan: Plan) -> Route:
    """Give the route of what nobody understood: to the catch-all, at once."""
    return Route(
        id=CATCH_ALL_ROUTE, key="{}/{catch-all}", receiver=plan.catch_all, group_by=("alertname", "source"),
        group_wait=0, repeat_interval=DAY,
    )  # fmt: skip


class Router:
    """The stage; ``work`` takes what intake read."""

    def __init__(self, *, store: Store, queues: Queues, clock: Clock, telemetry: Telemetry) -> None:
        """Take the ports."""
        self._store, self._queues, self._clock, self._telemetry = store, queues, clock, telemetry

    def work(self, reads: Sequence[Read], plan: Plan) -> list[str]:
        """Write and arm everything these messages say.

        Returns:
            The groups that are due now, for whoever flushes them in the same run; all others were hinted.
        """
        known = self._join(reads)
        self._write_alerts(known)
        for alert in known.values():
            self._place(alert, plan)
        grain = min(STAMP_GRAIN, plan.stale_after // STAMP_PART)
        self._write_members(known, grain)
        due = self._arm(known)
        self._record(reads, known)
        return due

    # -- alerts --------------------------------------------------------------------------------------------------------

    def _join(self, reads: Sequence[Read]) -> dict[str, Known]:
        known: dict[str, Known] = {}
        for read in reads:
            for seen in read.observations:
                name = fingerprint(seen.labels)
                before = known.get(name)
                state = observation.observe(before.state if before else None, seen, read.incoming.stamp)
                messages = [*(before.messages if before else []), read.incoming.id]
                known[name] = Known(state, list(dict.fromkeys(messages)))
        return known

    def _write_alerts(self, known: Mapping[str, Known]) -> None:
        waiting = dict(known)
        for _ in range(CONFLICT_TRIES):
            rows = self._store.get([alert_key(name) for name in waiting])
            puts: dict[str, Put] = {}
            for name, alert in waiting.items():
                put = self._joined(alert, rows.get(alert_key(name)))
                if put is not None:
                    puts[name] = put
            verdicts = self._store.write(list(puts.values()))
            lost = {name for name, held in zip(puts, verdicts, strict=True) if not held}
            waiting = {name: waiting[name] for name in lost}
            if not waiting:
                return
        raise ConflictError(f"{len(waiting)} alerts were written by others {CONFLICT_TRIES} times in a row")

    def _joined(self, alert: Known, row: Row | None) -> Put | None:
        stored = observation.from_json(row.data) if row else None
        state = observation.join(stored, alert.state)
        alert.change = _change(stored, state)
        alert.state, alert.rev = state, row.version if row else ABSENT
        if stored is not None and state == stored:
            return None
        alert.rev += 1
        extra = dict(state.extra)
        if alert.change != "refreshed" or "messages" not in extra:
            extra["messages"] = list(dict.fromkeys([*extra.get("messages", []), *alert.messages]))[-REMEMBERED:]
        alert.state = replace(state, extra=extra)
        return Put(
            alert_key(state.fingerprint), observation.to_json(alert.state), expect=alert.rev - 1,
            expires_at=None if state.fires else state.stamp + KEPT * 2,  # one that was sent once may fire for months
        )  # fmt: skip

    # -- groups --------------------------------------------------------------------------------------------------------

    def _place(self, alert: Known, plan: Plan) -> None:
        state = alert.state
        alert.routes = (catch_all_route(plan),) if state.quarantined else routing.match(plan.route, state.labels)
        alert.groups = []
        for route in alert.routes:
            receiver = plan.receivers.get(route.receiver)
            if receiver is not None and not receiver.integrations:
                continue  # a null receiver: recorded as a decision, never armed
            labels = routing.group_labels(route, state.labels)
            key = routing.group_key(route, labels)
            group = Group(
                group_id(route.id, key), key, route.id, route.receiver, labels, epoch=plan.epoch,
                created=self._clock.now(),
            )  # fmt: skip
            alert.groups.append((group, route))

    def _write_members(self, known: Mapping[str, Known], grain: Span) -> None:
        waiting = [(alert, group) for alert in known.values() for group, _ in alert.groups]
        for attempt in range(CONFLICT_TRIES):
            keys = [Key(members_pk(group.id), alert.state.fingerprint) for alert, group in waiting]
            rows = self._store.get(keys)
            if attempt:
                self._refresh([alert for alert, _ in waiting])
            puts: list[Put] = []
            asked: list[tuple[Known, Group]] = []
            for (alert, group), key in zip(waiting, keys, strict=True):
                put = _member(alert, group, rows.get(key), grain)
                if key not in rows and put is None:  # it resolved before it was in the group: nobody is to be told
                    alert.groups = [pair for pair in alert.groups if pair[0].id != group.id]
                if put is not None:
                    puts.append(put)
                    asked.append((alert, group))
            verdicts = list(zip(asked, self._store.write(puts), strict=True))
            waiting = [pair for pair, held in verdicts if not held]
            waiting += self._overtaken([pair for pair, held in verdicts if held])
            if not waiting:
                return
        raise ConflictError(f"{len(waiting)} group members were written by others {CONFLICT_TRIES} times in a row")

    def _overtaken(self, written: Sequence[tuple[Known, Group]]) -> list[tuple[Known, Group]]:
        """Name the members that were written from what is no longer the latest state of their alerts.

        Whoever wrote the newer state may have looked before our member was there, and left it alone: one of the two
        must look after it wrote, and both do.
        """
        rows = self._store.get([alert_key(name) for name in {alert.state.fingerprint for alert, _ in written}])
        newest = {row.key.sk: row.version for row in rows.values()}
        return [pair for pair in written if newest.get(pair[0].state.fingerprint, 0) > pair[0].rev]

    def _refresh(self, alerts: Iterable[Known]) -> None:
        """Read alerts again after a conflict: a member is never written from an older state than its rival's."""
        by_name = {alert.state.fingerprint: alert for alert in alerts}
        for row in self._store.get([alert_key(name) for name in by_name]).values():
            by_name[row.key.sk].state, by_name[row.key.sk].rev = observation.from_json(row.data), row.version

    def _arm(self, known: Mapping[str, Known]) -> list[str]:
        now = self._clock.now()
        armed: dict[str, tuple[Group, Route, Instant]] = {}
        for alert in known.values():
            for group, route in alert.groups:
                wanted = first_due(now, alert.state.alert().start, route.group_wait)
                _, _, before = armed.get(group.id, (group, route, wanted))
                armed[group.id] = (group, route, min(before, wanted))
        if not armed:
            return []
        touches = [Touch(group_key(name), group.as_row(), wanted) for name, (group, _, wanted) in armed.items()]
        due: list[str] = []
        for row, (group, _, wanted) in zip(self._store.touch(touches), armed.values(), strict=True):
            at = self._earlier(row, wanted)
            if at is None:
                continue
            if at <= now:
                due.append(group.id)
            elif at - now <= HINT_HORIZON:
                self._queues.send(DUE, [Hint("group", group.id).message(at, now)])
        return due

    def _earlier(self, row: Row, wanted: Instant) -> Instant | None:
        """Say when a group that was never flushed is due; bring that forward where an alert's own wait is over."""
        for _ in range(CONFLICT_TRIES):
            if row.data.get("flushed"):
                return None  # group_interval is its only clock now
            if row.due_at is not None and wanted >= row.due_at:
                return row.due_at
            if self._store.write([Put(row.key, row.data, expect=row.version, due_at=wanted)])[0]:
                return wanted
            found = self._store.get([row.key]).get(row.key)
            if found is None:
                return None  # a flush was faster: nothing is lost, it read what was written before
            row = found
        return row.due_at

    # -- history -------------------------------------------------------------------------------------------------------

    def _record(self, reads: Sequence[Read], known: Mapping[str, Known]) -> None:
        now = self._clock.now()
        for read in reads:
            told = [known[name] for name in dict.fromkeys(fingerprint(seen.labels) for seen in read.observations)]
            for change, number in Counter(alert.change for alert in told).items():
                self._telemetry.count("alerts", number, source=read.incoming.source, change=change)
            changed = [alert for alert in told if alert.change != "refreshed"]
            if not changed and told:
                continue  # a refresh that changes nothing makes no record
            record: dict[str, Any] = {
                "source": read.incoming.source, "stamp": read.incoming.stamp, "problem": read.problem,
                "alerts": [_decision(alert) for alert in changed],
            }  # fmt: skip
            history.incoming(self._store, read.incoming.id, record, now)
            for alert in changed[:20]:
                self._telemetry.log("info", "routed", message=read.incoming.id, **_line(alert))


def _change(stored: AlertState | None, state: AlertState) -> str:
    """Name what an observation changed."""
    if stored is None:
        return "new" if state.fires else "resolved, never seen firing"
    if stored.fires != state.fires:
        return "fires again" if state.fires else "resolved"
    if stored.alert() != state.alert():
        return "updated"
    return "refreshed"


def _member(alert: Known, group: Group, row: Row | None, grain: Span) -> Put | None:
    """Make the write that brings a member up to date; None where there is nothing to write."""
    state = alert.state
    if row is None:
        if not state.fires:
            return None  # it resolved before anybody was to be told
        return Member(state.fingerprint, alert.rev, state.alert(), state.stamp, state.quarantined).put(group.id, ABSENT)
    stored = Member.read(row)
    fresh = stored.stamp + grain > state.stamp
    if stored.rev > alert.rev or (stored.alert == state.alert() and fresh):
        return None
    member = Member(state.fingerprint, alert.rev, state.alert(), state.stamp, state.quarantined)
    return member.put(group.id, row.version)


def _decision(alert: Known) -> dict[str, Any]:
    armed = {route.id: group.id for group, route in alert.groups}
    return {
        "fingerprint": alert.state.fingerprint,
        "alertname": alert.state.labels.get("alertname", ""),
        "change": alert.change,
        "fires": alert.state.fires,
        "routes": [
            {
                "id": route.id, "line": route.line, "receiver": route.receiver,
                "matchers": [str(matcher) for matcher in route.matchers], "group": armed.get(route.id, ""),
                "reason": "" if route.id in armed else str(Reason.NO_INTEGRATIONS),
            }
            for route in alert.routes
        ],
    }  # fmt: skip


def _line(alert: Known) -> dict[str, Any]:
    told = _decision(alert)
    where = "; ".join(
        f"{route['receiver']} by line {route['line']} {','.join(route['matchers']) or '{}'}"
        + (f" ({route['reason']})" if route["reason"] else "")
        for route in told["routes"]
    )
    return {
        "alertname": told["alertname"], "fingerprint": told["fingerprint"], "change": told["change"], "routes": where,
    }  # fmt: skip
