"""Zendesk's own rules: idempotent creation, lost tickets, closed ones, conflicts, and people's own changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tocsin.channels.zendesk.body import COMMENT_LIMIT, PRIORITIES, priority
from tocsin.ports import Permanent, Retry, Sent

from tests.channels.rig import Rig, alert, notification

MakeRig = Callable[..., Rig]


@pytest.fixture
def desk(make_rig: MakeRig) -> Rig:
    return make_rig("zendesk")


def created(desk: Rig, **more: Any) -> dict[str, Any]:
    outcome = desk.send(**more)
    assert isinstance(outcome, Sent)
    return dict(outcome.ref)


def resolution(number: int = 2) -> Any:
    return notification(alert(firing=False), delivery_id=f"lane-{number}")


def news(number: int = 2) -> Any:
    return notification(
        alert(), alert(labels={"instance": "b"}), delivery_id=f"lane-{number}", reason="new alerts added"
    )


def writes(desk: Rig) -> list[str]:
    return [request.method for request in desk.vendor.requests if request.method != "GET"]


def test_a_ticket_says_what_an_agent_needs(make_rig: MakeRig) -> None:
    desk = make_rig(
        "zendesk",
        tags=["Tocsin", "team {{ .CommonLabels.team }}"],
        group_id=7,
        assignee_email="agent@example.com",
        requester_email="alerts@example.com",
        custom_fields={"360001": "{{ .CommonLabels.alertname }}"},
        type="problem",
    )
    created(desk, told=notification(alert(labels={"team": "storage"})))
    (ticket,) = desk.told()
    assert ticket["subject"].startswith("[FIRING:1] DiskFull")
    assert {name: ticket[name] for name in ("type", "priority", "status", "group_id")} == {
        "type": "problem", "priority": "urgent", "status": "new", "group_id": 7,
    }  # fmt: skip
    assert ticket["tags"] == ["team_storage", "tocsin"]
    assert desk.vendor.users["alerts@example.com"] == ticket["requester_id"]
    assert desk.vendor.users["agent@example.com"] == ticket["assignee_id"]
    assert ticket["custom_fields"] == [{"id": 360001, "value": "DiskFull"}]
    (comment,) = desk.vendor.comments[1]
    assert not comment["public"]
    assert "/var is full" in comment["body"]


def test_the_same_delivery_makes_one_ticket(desk: Rig) -> None:
    created(desk)
    created(desk)
    assert len(desk.told()) == 1
    assert [request.headers["idempotency-key"] for request in desk.vendor.requests] == ["lane-1", "lane-1"]


def test_a_ticket_is_found_after_the_idempotency_key_has_expired(desk: Rig) -> None:
    desk.fault(reset="after")
    desk.send()
    desk.vendor.expire_idempotency_keys()
    outcome = desk.send(uncertain=True)
    assert isinstance(outcome, Sent)
    assert outcome.status == "found"
    assert len(desk.told()) == 1
    assert len(desk.vendor.comments[1]) == 1


def test_other_bytes_under_the_same_key_are_in_doubt(desk: Rig) -> None:
    created(desk)
    outcome = desk.send(news(1))
    assert isinstance(outcome, Retry)
    assert outcome.maybe
    assert len(desk.told()) == 1


def test_what_follows_is_a_private_comment(desk: Rig) -> None:
    ref = created(desk)
    assert isinstance(desk.send(news(), ref=ref), Sent)
    assert len(desk.told()) == 1
    assert [comment["public"] for comment in desk.vendor.comments[1]] == [False, False]
    assert desk.told()[0]["status"] == "new"


@pytest.mark.parametrize(
    ("sentence", "status", "firing", "becomes"),
    [
        ("new is solved by a resolution", "new", False, "solved"),
        ("open is solved by a resolution", "open", False, "solved"),
        ("what somebody has acknowledged is solved by a resolution", "pending", False, "solved"),
        ("what is solved stays solved", "solved", False, "solved"),
        ("what somebody has acknowledged stays so while it burns", "pending", True, "pending"),
        ("what is on hold stays so while it burns", "hold", True, "hold"),
        ("what was solved too early is opened again", "solved", True, "open"),
    ],
)
def test_what_becomes_of_a_status(desk: Rig, sentence: str, status: str, firing: bool, becomes: str) -> None:
    ref = created(desk)
    desk.vendor.tickets[1]["status"] = status
    assert isinstance(desk.send(news() if firing else resolution(), ref=ref), Sent)
    assert desk.told()[0]["status"] == becomes, sentence


def test_a_team_may_want_resolved_tickets_pending(make_rig: MakeRig) -> None:
    desk = make_rig("zendesk", status_when_resolved="pending")
    desk.send(resolution(), ref=created(desk))
    assert desk.told()[0]["status"] == "pending"


def test_nothing_changes_a_closed_ticket_so_a_follow_up_is_made(desk: Rig) -> None:
    ref = created(desk)
    desk.vendor.tickets[1]["status"] = "closed"
    outcome = desk.send(news(), ref=ref)
    assert isinstance(outcome, Sent)
    assert outcome.ref == {"ticket": 2}
    assert desk.told()[1]["via_followup_source_id"] == 1
    assert desk.send(news(), ref=ref, uncertain=True) == Sent({"ticket": 2}, "found", "2")
    assert len(desk.told()) == 2


def test_a_closed_ticket_needs_no_resolution(desk: Rig) -> None:
    ref = created(desk)
    desk.vendor.tickets[1]["status"] = "closed"
    assert isinstance(desk.send(resolution(), ref=ref), Sent)
    assert writes(desk) == ["POST"]


def test_a_ticket_that_was_closed_while_we_looked_gets_a_follow_up(desk: Rig) -> None:
    ref = created(desk)
    answer = desk.vendor.answer

    def closing(request: Any) -> Any:
        if request.method == "PUT":
            desk.vendor.tickets[1]["status"] = "closed"
        return answer(request)

    desk.vendor.answer = closing
    outcome = desk.send(news(), ref=ref)
    assert isinstance(outcome, Sent)
    assert outcome.status == "follow-up"


def test_a_deleted_ticket_is_made_anew_while_it_burns(desk: Rig) -> None:
    ref = created(desk)
    desk.vendor.tickets.clear()
    outcome = desk.send(news(), ref=ref)
    assert isinstance(outcome, Sent)
    assert outcome.status == "created"


def test_a_deleted_ticket_needs_no_resolution(desk: Rig) -> None:
    ref = created(desk)
    desk.vendor.tickets.clear()
    assert isinstance(desk.send(resolution(), ref=ref), Sent)
    assert not desk.told()


def test_a_conflict_is_read_again_and_written_once_more(desk: Rig) -> None:
    ref = created(desk)
    answer = desk.vendor.answer
    conflicts = [True]

    def conflicting(request: Any) -> Any:
        if request.method == "PUT" and conflicts:
            conflicts.pop()
            desk.vendor.tickets[1]["updated_at"] = "2026-06-01T00:00:00Z"  # an agent was faster
        return answer(request)

    desk.vendor.answer = conflicting
    assert isinstance(desk.send(news(), ref=ref), Sent)
    assert [request.method for request in desk.vendor.requests] == ["POST", "GET", "PUT", "GET", "PUT"]
    assert len(desk.vendor.comments[1]) == 2


def test_a_ticket_that_never_stands_still_is_tried_later(desk: Rig) -> None:
    ref = created(desk)
    answer = desk.vendor.answer

    def conflicting(request: Any) -> Any:
        if request.method == "PUT":
            desk.vendor.tickets[1]["updated_at"] += "x"
        return answer(request)

    desk.vendor.answer = conflicting
    outcome = desk.send(news(), ref=ref)
    assert isinstance(outcome, Retry)
    assert not outcome.maybe
    assert len(desk.vendor.comments[1]) == 1


def test_an_uncertain_comment_is_not_made_twice(desk: Rig) -> None:
    ref = created(desk)
    desk.vendor.faults.next(delay=0.0, match="/tickets/1")  # the look before the change
    desk.vendor.faults.next(reset="after", match="/tickets/1")
    outcome = desk.send(news(), ref=ref)
    assert isinstance(outcome, Retry)
    assert len(desk.vendor.comments[1]) == 2
    assert isinstance(desk.send(news(), ref=ref, uncertain=True), Sent)
    assert len(desk.vendor.comments[1]) == 2


def test_a_refused_change_of_an_open_ticket_is_final(desk: Rig) -> None:
    ref = created(desk)
    desk.vendor.faults.next(delay=0.0, match="/tickets/1")
    desk.vendor.faults.next(
        status=422, match="/tickets/1", body={"error": "RecordInvalid", "description": "a field is missing"}
    )
    outcome = desk.send(resolution(), ref=ref)
    assert isinstance(outcome, Permanent)
    assert "a field is missing" in outcome.reason


def test_lanes_of_the_same_group_have_tickets_of_their_own(desk: Rig) -> None:
    mine = json.loads(desk.render(notification()))["ticket"]["external_id"]
    other = notification()
    object.__setattr__(other, "receiver", "team-network")
    assert json.loads(desk.render(other))["ticket"]["external_id"] != mine


@pytest.mark.parametrize(
    ("said", "means"),
    [(word, name) for name, words in PRIORITIES.items() for word in words.split()]
    + [("", "normal"), ("Purple", "normal")],
)
def test_every_word_for_a_severity_is_one_of_the_four_priorities(said: str, means: str) -> None:
    assert priority(said) == means


def test_a_long_description_is_cut_and_keeps_its_mark(desk: Rig) -> None:
    wire = json.loads(desk.render(notification(alert(summary="x" * 100_000))))
    assert len(wire["comment"]) <= COMMENT_LIMIT + 100
    assert wire["comment"].endswith(wire["marker"])


def test_an_empty_token_is_final_without_a_request(make_rig: MakeRig) -> None:
    desk = make_rig("zendesk", api_token=" ")
    assert isinstance(desk.send(), Permanent)
    assert not desk.vendor.requests


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 500}, {"reset": "before"}])
def test_a_change_that_fails_is_not_repeated_below_us(desk: Rig, fault: dict[str, Any]) -> None:
    ref = created(desk)
    desk.vendor.faults.next(delay=0.0, match="/tickets/1")  # the look before the change
    desk.vendor.faults.next(match="/tickets/1", **fault)
    assert isinstance(desk.send(news(), ref=ref), Retry)
    assert writes(desk) == ["POST", "PUT"]
