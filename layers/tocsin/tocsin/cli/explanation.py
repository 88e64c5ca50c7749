"""The story of one alert, in words: what somebody wants to read at three in the morning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tocsin.durations import format_duration
from tocsin.model import SECOND, Instant

Story = Mapping[str, Any]
_SHOWN = ("summary", "description", "runbook_url")  # the annotations a person looks for first
_CHANGES = {
    "new": "it fires",
    "fires again": "it fires again",
    "updated": "it says something else",
    "resolved": "it is resolved",
}


def render(story: Story, *, extended: bool = False) -> str:
    """Write a story (``pipeline.explain``) for a person; ``extended`` adds what only we need."""
    lines = [*_alert(story["alert"]), "", "What came in", *_incoming(story, extended=extended)]
    lines += ["", "Where it goes", *_routes(story, extended=extended)]
    for group in story["groups"]:
        lines += ["", *_group(group, story["alert"], extended=extended)]
    return "\n".join(_printable(line) for line in lines) + "\n"


def _printable(line: str) -> str:
    """Keep what alerts and vendors say on its line, and a terminal's control characters out of it."""
    spaced = "".join(" " if character.isspace() else character for character in line)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in spaced)


def _alert(alert: Story) -> list[str]:
    name = alert["labels"].get("alertname", "an alert without alertname")
    labels = " ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in sorted(alert["labels"].items()))
    lines = [f"{name} {_state(alert)}", f"  fingerprint  {alert['fingerprint']}", f"  labels       {labels}"]
    lines += [f"  {key:<11}  {alert['annotations'][key]}" for key in _SHOWN if alert["annotations"].get(key)]
    return [*lines, f"  last heard   {moment(alert['heard'])}, from {alert['source']}"]


def _state(alert: Story) -> str:
    if alert["status"] == "firing":
        return f"fires since {moment(alert['start'])}"
    span = format_duration(max(0, alert["end"] - alert["start"]) // SECOND * SECOND)
    return f"is resolved since {moment(alert['end'])}, it fired for {span}"


def _incoming(story: Story, *, extended: bool) -> list[str]:
    name = story["alert"]["fingerprint"]
    lines = []
    for record in story["incoming"]:
        said = [_CHANGES.get(d["change"], d["change"]) for d in record["alerts"] if d["fingerprint"] == name]
        problem = f"nobody understood it: {record['problem']}" if record.get("problem") else ""
        message = f"  (message {record['message']})" if extended else ""
        lines.append(f"  {moment(record['stamp'])}  {record['source']}: {problem or ', '.join(said)}{message}")
    return lines or ["  its messages are no longer in the history"]


def _routes(story: Story, *, extended: bool) -> list[str]:
    if story["alert"].get("quarantined"):
        return ["  to the catch-all, since no route can be asked about what nobody understood"]
    asked = [node for node in story["tried"] if extended or node["verdict"] != "refused"]
    return [f"  {'  ' * node['depth']}line {node['line']}: {node['reason']}" for node in asked]


# ---- one group -------------------------------------------------------------------------------------------------------


def _group(whole: Story, alert: Story, *, extended: bool) -> list[str]:
    group = _of_this_alert(whole)
    line = f" (route of line {group['line']})" if group["line"] else ""
    before = "" if group.get("current", True) else ", which no route leads to any more"
    lines = [f'Receiver "{group["receiver"]}"{line}{before}']
    if group["group_key"]:
        lines.append(f"  told together as {group['group_key']}")
    told = _events(group)
    lines += told or [f"  nobody was told: {_why_not(group, alert)}"]
    for lane in sorted(group["lanes"], key=lambda lane: (lane["receiver"], lane["integration"])):
        lines.append(f"  now: {lane['receiver']} {lane['integration']} {_lane(lane)}")
        if extended:
            lines.append(f"       vendor believes it open: {lane['vendor_believes_open']}; {json.dumps(lane['ref'])}")
    return [*lines, *_next(group, alert)] if told else lines


def _of_this_alert(group: Story) -> Story:
    """Leave out what was told of the group's other alerts, before this one was to be told for the first time."""
    if not group["flushes"]:
        return {**group, "attempts": [], "lanes": []}
    first = min(record["at"] for record in group["flushes"])
    return {**group, "attempts": [record for record in group["attempts"] if record["at"] >= first]}


def _why_not(group: Story, alert: Story) -> str:
    if not group.get("integrations", [""]):
        return f'receiver "{group["receiver"]}" has no integrations; that is how it is configured'
    if group.get("muted"):
        return f"the route keeps quiet, {group['muted']}"
    if group["in_group"] is None and alert["status"] == "resolved":
        return "it was resolved before anybody was to be told"
    if group.get("next_flush"):
        clock = "group_interval" if group.get("flushed") else "group_wait"
        return f"not yet; the group is told at {moment(group['next_flush'])} ({clock})"
    return "nothing of this group is in the history any more"


def _next(group: Story, alert: Story) -> list[str]:
    if group.get("muted"):
        return [f"  next: nothing, the route keeps quiet, {group['muted']}"]
    if group.get("next_flush") and alert["status"] == "firing":
        return [f"  next: looked at again at {moment(group['next_flush'])}; told if something changed, or to repeat"]
    return []


def _events(group: Story) -> list[str]:
    """Write flushes and attempts in the order of time; lanes that a flush treats alike share a line."""
    events: list[tuple[Instant, int, str]] = []
    for record in group["flushes"]:
        alike: dict[str, list[str]] = {}
        for lane in record["lanes"]:
            alike.setdefault(_verdict(lane), []).append(_who(lane, group))
        events += [(record["at"], 0, f"{', '.join(who)}: {verdict}") for verdict, who in alike.items()]
    events += [(record["at"], 1, _attempt(record, group)) for record in group["attempts"]]
    return [f"  {moment(at)}  {line}" for at, _, line in sorted(events)]


def _who(lane: Story, group: Story) -> str:
    return lane["integration"] if lane["receiver"] == group["receiver"] else f"{lane['receiver']} {lane['integration']}"


def _verdict(lane: Story) -> str:
    if not lane["version"]:
        return f"not to be told, {lane['reason']}"
    if lane.get("silent"):
        return f"not to be told, {lane['reason']} and send_resolved is false"
    earlier = "; what was not yet told before goes with it" if lane.get("supersedes") else ""
    return f"to be told, {lane['reason']}{earlier}"


def _attempt(record: Story, group: Story) -> str:
    if record["kind"] == "failover":
        return f'{record["receiver"]} could not be told, so "{record["to"]}" is: {record["why"]}'
    if record["kind"] == "receipt":
        return f"{record['receiver']}: {record['receipt']}"
    vendor = f", {record['vendor_id']} there" if record.get("vendor_id") else ""
    again = f" (attempt {record['attempt']})" if record["attempt"] > 1 else ""
    return f"{_who(record, group)}: {record['outcome']}{vendor}{again}"


def _lane(lane: Story) -> str:
    if not lane["waits"]:
        if lane["receipt"] == "sent dry-run":
            return "would have been told: dry run"
        sent = lane["receipt"].startswith("sent")
        return f"has been told: {lane['receipt']}" if sent else lane["receipt"] or "owes nothing"
    after = f"; tried again by {moment(lane['next'])}" if lane.get("next") else ""
    instead = f'; "{lane["fallback"]}" is told instead' if lane.get("fallback") else ""
    return f"HAS NOT BEEN TOLD YET: {lane['receipt'] or 'no attempt was made so far'}{after}{instead}"


def moment(at: Instant) -> str:
    """Print an instant to the millisecond, in UTC."""
    whole, rest = divmod(at, SECOND)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03}Z"


__all__: Sequence[str] = ("moment", "render")
