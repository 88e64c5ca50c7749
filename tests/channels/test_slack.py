"""Slack's own rules: edits, errors, limits, who may call everybody, and looking an uncertain post up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tocsin.channels.slack.body import TOGETHER_LIMIT
from tocsin.model import SECOND
from tocsin.ports import Outcome, Permanent, Retry, Sent, Throttled

from tests.channels.rig import SECRET, Rig, alert, notification

MakeRig = Callable[..., Rig]
RESOLVED = "all alerts resolved"


def history(rig: Rig) -> list[str]:
    return [request.path.removeprefix("/api/") for request in rig.vendor.requests]


def refuse(rig: Rig, error: str, **fault: Any) -> None:
    rig.vendor.faults.next(status=200, body={"ok": False, "error": error}, **{"match": "chat.", **fault})


@pytest.mark.parametrize(
    ("sentence", "error", "kind", "maybe"),
    [
        ("throttled, by its old name", "rate_limited", Throttled, None),
        ("throttled", "ratelimited", Throttled, None),
        ("Slack stumbled and may have posted", "internal_error", Retry, True),
        ("Slack stumbled badly and may have posted", "fatal_error", Retry, True),
        ("Slack is away and may have posted", "service_unavailable", Retry, True),
        ("Slack took too long and may have posted", "request_timeout", Retry, True),
        ("the token is wrong", "invalid_auth", Permanent, None),
        ("no token", "not_authed", Permanent, None),
        ("the account is gone", "account_inactive", Permanent, None),
        ("the token was revoked", "token_revoked", Permanent, None),
        ("the token expired", "token_expired", Permanent, None),
        ("the app may not", "missing_scope", Permanent, None),
        ("no such channel", "channel_not_found", Permanent, None),
        ("the app is not in it", "not_in_channel", Permanent, None),
        ("the channel is archived", "is_archived", Permanent, None),
        ("a word nobody has heard of", "brand_new_error", Permanent, None),
    ],
)
def test_an_error_means_what_slack_says(
    make_rig: MakeRig, sentence: str, error: str, kind: type[Outcome], maybe: bool | None
) -> None:
    rig = make_rig("slack-bot")
    refuse(rig, error)
    outcome: Any = rig.send()
    assert isinstance(outcome, kind), sentence
    assert outcome.status == error
    assert error in outcome.reason
    if maybe is not None:
        assert outcome.maybe is maybe, sentence
    assert len(rig.vendor.requests) == 1


@pytest.mark.parametrize("error", ["invalid_blocks", "invalid_attachments", "msg_blocks_too_long", "msg_too_long"])
@pytest.mark.parametrize("name", ["slack-bot", "slack-webhook"])
def test_what_slack_cannot_render_goes_once_more_as_plain_text(make_rig: MakeRig, name: str, error: str) -> None:
    rig = make_rig(name)
    if name == "slack-bot":
        refuse(rig, error)
    else:
        rig.fault(status=400, body=error)
    outcome = rig.send(notification(note="<you> & I"))
    assert isinstance(outcome, Sent)
    (message,) = rig.vendor.messages
    assert not message["attachments"]
    assert message["text"].startswith("&lt;you&gt; &amp; I\n[FIRING:1] DiskFull")


def test_plain_text_is_tried_once_only(make_rig: MakeRig) -> None:
    rig = make_rig("slack-bot")
    refuse(rig, "invalid_blocks", times=3)
    assert isinstance(rig.send(), Permanent)
    assert len(rig.vendor.requests) == 2


@pytest.mark.parametrize(
    ("sentence", "update_message", "reason", "edits"),
    [
        ("unset, a resolution edits", None, RESOLVED, True),
        ("unset, a partial resolution edits", None, "some alerts resolved", True),
        ("unset, new alerts are posted, so that somebody notices", None, "new alerts added", False),
        ("unset, a repetition is posted, so that somebody notices", None, "repeat interval elapsed", False),
        ("true edits always, as Alertmanager does", True, "repeat interval elapsed", True),
        ("false edits never, as Alertmanager does", False, RESOLVED, False),
    ],
)
def test_when_a_message_is_edited(
    make_rig: MakeRig, sentence: str, update_message: bool | None, reason: str, edits: bool
) -> None:
    rig = make_rig("slack-bot", update_message=update_message)
    first = rig.send()
    assert isinstance(first, Sent)
    second = rig.send(notification(alert(), delivery_id="lane-2", reason=reason), ref=first.ref)
    assert isinstance(second, Sent)
    assert (len(rig.vendor.messages) == 1) is edits, sentence
    assert (second.ref["ts"] == first.ref["ts"]) is edits, sentence


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_out_of_reach_is_posted_anew(make_rig: MakeRig, error: str) -> None:
    rig = make_rig("slack-bot")
    first = rig.send()
    assert isinstance(first, Sent)
    refuse(rig, error, match="chat.update")
    second = rig.send(notification(alert(firing=False), delivery_id="lane-2"), ref=first.ref)
    assert isinstance(second, Sent)
    assert len(rig.vendor.messages) == 2
    assert second.ref["ts"] != first.ref["ts"]


def test_a_throttled_edit_waits_and_posts_nothing(make_rig: MakeRig) -> None:
    rig = make_rig("slack-bot")
    first = rig.send()
    assert isinstance(first, Sent)
    rig.vendor.faults.next(status=429, retry_after=3, match="chat.update")
    second = rig.send(notification(alert(firing=False), delivery_id="lane-2"), ref=first.ref)
    assert second == Throttled(3 * SECOND, "Slack answered 429", "429")
    assert len(rig.vendor.messages) == 1


def test_an_uncertain_post_is_looked_up_by_its_delivery(make_rig: MakeRig) -> None:
    rig = make_rig("slack-bot")
    rig.fault(reset="after")
    assert isinstance(rig.send(), Retry)
    outcome = rig.send(uncertain=True)
    assert isinstance(outcome, Sent)
    assert outcome.ref == {"channel": "C00000001", "ts": rig.vendor.messages[0]["ts"]}
    assert history(rig) == ["chat.postMessage", "conversations.list", "conversations.history"]


def test_another_deliverys_post_is_not_taken_for_ours(make_rig: MakeRig) -> None:
    rig = make_rig("slack-bot")
    rig.send(notification(delivery_id="lane-1"))
    assert isinstance(rig.send(notification(delivery_id="lane-2"), uncertain=True), Sent)
    assert len(rig.vendor.messages) == 2


def test_a_channels_id_is_known_without_the_list_of_channels(make_rig: MakeRig) -> None:
    rig = make_rig("slack-bot", channel="C00000001")
    rig.send()
    assert isinstance(rig.send(uncertain=True), Sent)
    assert history(rig) == ["chat.postMessage", "conversations.history"]


@pytest.mark.parametrize("method", ["conversations.list", "conversations.history"])
def test_where_we_may_not_look_the_post_goes_again(make_rig: MakeRig, method: str) -> None:
    rig = make_rig("slack-bot")
    rig.send()
    refuse(rig, "missing_scope", match=method)
    assert isinstance(rig.send(uncertain=True), Sent)
    assert len(rig.vendor.messages) == 2, "at least once beats lost"


@pytest.mark.parametrize("method", ["conversations.list", "conversations.history"])
def test_a_look_up_that_fails_is_tried_again_before_anything_is_posted(make_rig: MakeRig, method: str) -> None:
    rig = make_rig("slack-bot")
    rig.send()
    rig.vendor.faults.next(status=503, match=method)
    assert isinstance(rig.send(uncertain=True), Retry)
    rig.vendor.faults.next(status=429, retry_after=9, match=method)
    assert isinstance(rig.send(uncertain=True), Throttled)
    assert len(rig.vendor.messages) == 1


@pytest.mark.parametrize(
    ("sentence", "template", "kept"),
    [
        ("a label may not call everybody", "{{ .CommonAnnotations.summary }}", False),
        ("a template may", "<!channel> {{ .CommonLabels.alertname }}", True),
    ],
)
def test_who_may_call_everybody(make_rig: MakeRig, sentence: str, template: str, kept: bool) -> None:
    rig = make_rig("slack-webhook", text=template)
    rig.send(notification(alert(summary="<!channel> look <!here>")))
    assert ("<!channel>" in rig.vendor.messages[0]["attachments"][0]["text"]) is kept, sentence


def test_with_link_names_a_label_cannot_name_everybody_either(make_rig: MakeRig) -> None:
    rig = make_rig("slack-webhook", link_names=True, text="{{ .CommonAnnotations.summary }}")
    rig.send(notification(alert(summary="@channel @someone")))
    text = rig.vendor.messages[0]["attachments"][0]["text"]
    assert "@channel" not in text
    assert "@someone" in text


def test_links_that_annotations_carry_stay_links(make_rig: MakeRig) -> None:
    rig = make_rig("slack-webhook", text="{{ .CommonAnnotations.summary }}")
    rig.send(notification(alert(summary="<https://wiki/disk|runbook>")))
    assert rig.vendor.messages[0]["attachments"][0]["text"] == "<https://wiki/disk|runbook>"


def test_a_message_is_cut_to_what_slack_takes_together(make_rig: MakeRig) -> None:
    fields = [{"title": f"t{number}", "value": "v" * 3000, "short": None} for number in range(20)]
    rig = make_rig("slack-webhook", text="x" * 50_000, pretext="p" * 50_000, fields=fields)
    attachment = json.loads(rig.render())["message"]["attachments"][0]
    assert len(json.dumps(attachment)) < TOGETHER_LIMIT + 1000
    assert isinstance(rig.send(), Sent)


def test_settings_are_rendered_into_the_attachment(make_rig: MakeRig) -> None:
    rig = make_rig(
        "slack-bot",
        title_link="https://tocsin/{{ .Status }}",
        message_text="heads up",
        short_fields=True,
        fields=[{"title": "{{ .Status }}", "value": "v", "short": None}, {"title": "b", "value": "w", "short": False}],
        actions=[{"type": "button", "text": "Silence", "url": "https://x/{{ .Status }}", "style": "", "name": "",
                  "value": "", "confirm": None}],
        mrkdwn_in=["text"],
    )  # fmt: skip
    rig.send(notification(note="a note"))
    (message,) = rig.vendor.messages
    (attachment,) = message["attachments"]
    assert message["text"] == "a note\nheads up"
    assert attachment["title_link"] == "https://tocsin/firing"
    assert attachment["fields"] == [
        {"title": "firing", "value": "v", "short": True}, {"title": "b", "value": "w", "short": False},
    ]  # fmt: skip
    assert attachment["actions"] == [{"type": "button", "text": "Silence", "url": "https://x/firing"}]
    assert attachment["mrkdwn_in"] == ["text"]
    assert attachment["fallback"]


def test_a_bots_token_may_stand_in_http_config(make_rig: MakeRig) -> None:
    rig = make_rig("slack-webhook")
    token = {"authorization": {"type": "Bearer", "credentials": SECRET}}
    outcome = rig.send(settings={**rig.settings, "api_url": rig.vendor.api_url, "http_config": token})
    assert isinstance(outcome, Sent)
    assert outcome.ref["ts"]


def test_a_bots_url_without_a_token_says_what_is_missing(make_rig: MakeRig) -> None:
    rig = make_rig("slack-webhook")
    outcome = rig.send(settings={**rig.settings, "api_url": rig.vendor.api_url})
    assert isinstance(outcome, Permanent)
    assert "app_token" in outcome.reason
    assert not rig.vendor.requests


@pytest.mark.parametrize(
    ("sentence", "status", "body", "kind"),
    [
        ("a webhook that was removed", 404, "no_service", Permanent),
        ("forbidden", 403, "action_prohibited", Permanent),
        ("an archived channel", 410, "channel_is_archived", Permanent),
        ("a server error", 500, "rollup_error", Retry),
        ("what answers like the Web API and took it", 200, {"ok": True}, Sent),
        ("what answers like the Web API and did not", 200, {"ok": False, "error": "invalid_auth"}, Permanent),
        ("a page that is not Slack's", 200, "<html>", Retry),
    ],
)
def test_a_webhooks_answer_means_what_slack_says(
    make_rig: MakeRig, sentence: str, status: int, body: object, kind: type[Outcome]
) -> None:
    rig = make_rig("slack-webhook")
    rig.fault(status=status, body=body)
    assert isinstance(rig.send(), kind), sentence
