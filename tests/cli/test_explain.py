"""``tocsin explain`` against a running ``tocsin serve``: why somebody was told, and why not."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator

import pytest
from tocsin.cli import explain, main
from tocsin.cli.explanation import moment, render
from tocsin.loopback import Vendors
from tocsin.model import SECOND, fingerprint

from tests.cli.serving import TOKEN, Serve, firing, place, resolved, until

QUIET = """
    - receiver: hook
      matchers: [alertname="Quiet"]
      mute_time_intervals: [always]
    - receiver: hook
      matchers: [alertname="Patient"]
      group_wait: 1h
time_intervals:
  - name: always
    time_intervals: [{times: [{start_time: "00:00", end_time: "24:00"}]}]
receivers:
"""


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors() as running:
        yield running


@pytest.fixture(scope="module")
def serve(vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A server at which all kinds of things have happened."""
    folder = tmp_path_factory.mktemp("explain")
    config = place(folder, vendors)
    file = folder / "alertmanager.yml"
    file.write_text(file.read_text().replace("\nreceivers:\n", QUIET, 1))
    config.write_text(
        config.read_text().replace("- name: four", "- name: four\n    fallback: hook\n    fallback_after: 1s")
    )
    with Serve(config, folder / "data") as running:
        running.alert(firing("Press", team="print"))
        until(lambda: vendors.pagerduty.incidents and vendors.zendesk.tickets, "Press is told")
        until(lambda: vendors.slack.messages and vendors.smtp.mails, "Press is told everywhere")
        running.alert(resolved("Press", team="print"))
        until(lambda: vendors.pagerduty.incidents[0].status == "resolved", "Press is over")
        vendors.pagerduty.faults.always(status=503, body="we are down")
        running.alert(firing("Watchdog"), firing("Quiet"), firing("Patient"), firing("Late"))
        running.client.post(
            "/webhooks/alertmanager", headers={"Authorization": f"Bearer {TOKEN}"}, content=b"gibberish"
        )
        running.alert(resolved("NeverSeen"))
        hooked = vendors.webhook.bodies
        until(
            lambda: any(b["groupLabels"].get("alertname") == "TocsinQuarantined" for b in hooked),
            "the catch-all is told",
        )
        until(lambda: any(b["groupLabels"].get("alertname") == "Late" for b in hooked), "the fallback is told")
        until(lambda: "it is resolved" in told(running, "Press"), "the history has it")
        yield running


def told(serve: Serve, name: str) -> str:
    query = {"fingerprint": name} if re.fullmatch("[0-9a-f]{16}", name) else {"alertname": name}
    return "\n".join(render(story) for story in serve.client.get("/-/explain", params=query).json())


STORIES = [
    ("Press", "Press is resolved since 20", "what it is and since when"),
    ("Press", '  labels       alertname="Press" team="print"', "its labels"),
    ("Press", "  summary      It burns.", "what it says"),
    ("Press", "alertmanager: it fires", "what came in first"),
    ("Press", "alertmanager: it is resolved", "what came in later"),
    ("Press", "line 8: matches everything, and no route below it does: goes to four", "the route and its line"),
    ("Press", 'Receiver "four" (route of line 8)', "whom it was for"),
    ("Press", 'told together as {}:{alertname="Press"}', "its group"),
    ("Press", "pagerduty/0, slack/0, email/0, zendesk/0: to be told, first notification", "why it was told"),
    ("Press", "to be told, all alerts resolved", "why it was told again"),
    ("Press", "zendesk/0: sent created, 1 there", "the attempt and what a person can look up"),
    ("Press", "now: four pagerduty/0 has been told: sent 202", "how it stands"),
    ("Watchdog", 'line 14: matches alertname="Watchdog": goes to null', "the null route"),
    (
        "Watchdog",
        'nobody was told: receiver "null" has no integrations; that is how it is configured',
        "a null receiver",
    ),
    ("Quiet", "the route keeps quiet, within its mute time interval always", "a mute time interval"),
    ("Patient", "nobody was told: not yet; the group is told at 20", "a group that waits"),
    ("Patient", "(group_wait)", "what it waits for"),
    ("NeverSeen", "nobody was told: it was resolved before anybody was to be told", "resolved before it fired"),
    ("Late", "pagerduty/0: failed: PagerDuty answered 503: we are down", "the attempt that failed"),
    ("Late", 'four could not be told, so "hook" is: could not be told for ', "the fallback and why"),
    ("Late", "hook webhook/0: sent 200", "that the fallback was told"),
    (
        "Late",
        "four pagerduty/0 HAS NOT BEEN TOLD YET: failed: PagerDuty answered 503: we are down; tried",
        "what is owed",
    ),
    ("TocsinQuarantined", "alertmanager: nobody understood it: the body is not JSON", "a quarantined body"),
    (
        "TocsinQuarantined",
        "to the catch-all, since no route can be asked about what nobody understood",
        "the catch-all",
    ),
]


@pytest.mark.parametrize(("name", "line", "sentence"), STORIES)
def test_the_story_says(serve, name, line, sentence):
    assert line in told(serve, name), sentence


def test_an_alert_is_found_by_its_fingerprint_too(serve):
    story = told(serve, fingerprint({"alertname": "Press", "team": "print"}))
    assert story.startswith("Press is resolved")


def asked(serve: Serve, *words: str, output: str = "simple") -> int:
    return explain.run(argparse.Namespace(query=list(words), url=serve.url, table="", output=output))


def test_every_label_that_is_given_has_to_hold(serve, capsys):
    assert asked(serve, "alertname=Press", 'team="print"') == 0
    assert capsys.readouterr().out.startswith("Press is resolved")
    assert asked(serve, "alertname=Press", "team=other") == 1
    assert "no alert matches alertname=Press team=other" in capsys.readouterr().err


def test_json_is_what_the_server_says_and_extended_names_what_refused(serve, capsys):
    assert asked(serve, "alertname=Press", output="json") == 0
    [story] = json.loads(capsys.readouterr().out)
    assert story["alert"]["fingerprint"] == fingerprint({"alertname": "Press", "team": "print"})
    assert asked(serve, "alertname=Press", output="extended") == 0
    shown = capsys.readouterr().out
    assert 'line 14: does not match: alertname="Watchdog" does not hold, alertname is "Press"' in shown
    assert "vendor believes it open: no" in shown
    assert f"(message {story['incoming'][0]['message']})" in shown


def test_no_secret_is_in_any_story(serve):
    everything = serve.client.get("/-/explain").text
    for secret in (TOKEN, "a-routing-key", "xoxb-loopback", "zendesk-token"):
        assert secret not in everything


WRONG = [
    (["explain", "Press"], "'Press' is neither a fingerprint (16 hex digits) nor name=value, e.g. alertname=Down"),
    (["explain", "alertname=Press", "--url", "http://127.0.0.1:1"], "is tocsin serve running there? (--url)"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_what_is_asked_wrongly_is_said_in_a_sentence(capsys, arguments, sentence):
    assert main(arguments) == 1
    assert sentence in capsys.readouterr().err


def test_who_is_no_tocsin_is_said_in_a_sentence(vendors, capsys):
    assert main(["explain", "alertname=Press", "--url", vendors.slack.url]) == 1
    assert "does not say what tocsin serve says" in capsys.readouterr().err


def test_moments_are_utc_to_the_millisecond():
    assert moment(1_790_000_000 * SECOND + 7_654_321) == "2026-09-21T14:13:20.007Z".replace("T", " ")


def test_what_alerts_say_cannot_play_with_the_terminal(serve):
    serve.alert({**firing("Watchdog", kind="rude"), "annotations": {"summary": "\x1b]0;owned\x07\nReceiver \u202e"}})
    text = until(lambda: [t for t in [told(serve, "Watchdog")] if "owned" in t], "the alert is known")[0]
    assert r"  summary      \x1b]0;owned\x07 Receiver \u202e" in text


def test_a_story_without_anything_in_the_history_still_reads():
    story = {
        "alert": {
            "fingerprint": "0" * 16, "labels": {"severity": "page"}, "annotations": {}, "status": "firing",
            "start": 0, "end": None, "source": "pingdom", "heard": 0,
        },
        "incoming": [], "tried": [],
        "groups": [
            {"group": "g", "receiver": "gone", "line": 3, "group_key": "", "in_group": None, "flushes": [],
             "attempts": [], "lanes": [], "integrations": ["slack/0"], "current": False, "muted": ""},
        ],
    }  # fmt: skip
    text = render(story)
    assert "an alert without alertname fires since 1970-01-01" in text
    assert "its messages are no longer in the history" in text
    assert 'Receiver "gone" (route of line 3), which no route leads to any more' in text
    assert "nobody was told: nothing of this group is in the history any more" in text


def test_what_the_group_was_told_before_is_no_news_of_this_alert():
    lane = {
        "receiver": "four", "integration": "slack/0", "waits": False, "receipt": "sent ok",
        "next": None, "fallback": "", "vendor_believes_open": True, "ref": {},
    }  # fmt: skip
    attempt = {
        "kind": "attempt", "at": 10 * SECOND, "receiver": "four", "integration": "slack/0", "outcome": "sent ok",
        "attempt": 1,
    }  # fmt: skip
    group = {
        "group": "g", "receiver": "four", "line": 3, "group_key": "", "in_group": True, "flushes": [], "muted": "",
        "attempts": [attempt], "lanes": [lane], "integrations": ["slack/0"], "current": True, "flushed": True,
        "next_flush": 300 * SECOND,
    }  # fmt: skip
    alert = {
        "fingerprint": "0" * 16, "labels": {"alertname": "Joined"}, "annotations": {}, "status": "firing",
        "start": 20 * SECOND, "end": None, "source": "alertmanager", "heard": 20 * SECOND,
    }  # fmt: skip
    early = render({"alert": alert, "incoming": [], "tried": [], "groups": [group]})
    assert "nobody was told: not yet; the group is told at 1970-01-01 00:05:00.000Z (group_interval)" in early
    assert "sent ok" not in early
    flush = {
        "at": 300 * SECOND, "group_key": "{}:{}", "firing": ["0" * 16], "resolved": [],
        "lanes": [{"receiver": "four", "integration": "slack/0", "version": 2, "reason": "new alerts added"}],
    }  # fmt: skip
    later = {**group, "flushes": [flush], "attempts": [attempt, {**attempt, "at": 301 * SECOND}]}
    text = render({"alert": alert, "incoming": [], "tried": [], "groups": [later]})
    assert "to be told, new alerts added" in text
    assert text.count("slack/0: sent ok") == 1
    assert "now: four slack/0 has been told: sent ok" in text
