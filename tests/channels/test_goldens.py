"""What each channel says, as files that a person can read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tocsin.channels.email.body import message
from tocsin.loopback.mail import Mail

from tests.channels.rig import RIGS, Rig, alert, notification

NOTE = "team-a (slack/0) refused: Slack answered: is_archived. You are told instead."
STORIES = {
    "firing": notification(),
    "grouped": notification(
        alert(labels={"instance": "db-1"}),
        alert(labels={"instance": "db-2"}, summary="/srv is <full> & hot", runbook="https://wiki/disk?a=1&b=2"),
        alert(firing=False, labels={"instance": "db-3"}),
        reason="some alerts resolved",
    ),
    "fallback": notification(note=NOTE),
    "resolved": notification(alert(firing=False), delivery_id="lane-2"),
}


@pytest.mark.parametrize("story", list(STORIES))
@pytest.mark.parametrize("name", ["pagerduty", "pagerduty-v1", "slack-bot", "zendesk", "webhook"])
def test_the_wire_body_reads_so(
    make_rig: Callable[..., Rig], golden: Callable[[str, str], None], name: str, story: str
) -> None:
    wire = json.loads(make_rig(name).render(STORIES[story]))
    golden(f"channels/{name}/{story}.json", json.dumps(wire, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


@pytest.mark.parametrize("story", list(STORIES))
def test_the_mail_reads_so(make_rig: Callable[..., Rig], golden: Callable[[str, str], None], story: str) -> None:
    told = STORIES[story]
    html = "<html><body>\n{{ range .Alerts }}<p>{{ .Status }}: {{ .Annotations.summary }}</p>\n{{ end }}</body></html>"
    wire = json.loads(make_rig("email-smtp", html=html).render(told))
    _, raw = message(wire, told.delivery_id, "oncall@example.org", "")
    mail = Mail("", (), raw)
    headers = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in mail.message.items())
    golden(f"channels/email/{story}.txt", f"{headers}\n{mail.body()}\n{mail.body('html')}".replace("\r\n", "\n"))


def test_every_way_to_tell_somebody_has_a_golden_or_shares_one() -> None:
    shared = {"slack-webhook": "slack-bot", "email-smtp": "email", "email-ses": "email"}
    assert {shared.get(name, name) for name in RIGS} == {
        "pagerduty", "pagerduty-v1", "slack-bot", "zendesk", "webhook", "email",
    }  # fmt: skip
