"""A group of thousands of alerts in one body of 4 MB, the whole way on AWS."""

from __future__ import annotations

import json

import pytest

from tests.stories.test_breaks_incoming import noise
from tests.stories.test_crashes_aws import away
from tests.stories.world import MINUTE, START, firing, plan, receiver, resolved, route

MANY = 2_500


@pytest.mark.slow
def test_a_body_of_four_megabytes_is_told_and_resolved():
    with away() as aws:
        world = aws.world
        world.restart(plan(route("team", group_wait=0), receiver("team", "webhook", "pagerduty")))
        alerts = [firing(f"A{n:04}", START - MINUTE, text=noise(n, 1_500)) for n in range(MANY)]
        assert len(json.dumps({"alerts": alerts})) > 4_000_000 - 500_000
        world.alertmanager(*alerts)
        world.run(MINUTE, step=MINUTE)
        world.alertmanager(*(resolved(f"A{n:04}", START - MINUTE, START, text=noise(n, 1_500)) for n in range(MANY)))
        world.run(6 * MINUTE, step=MINUTE)
        hook = aws.vendors["webhook"].requests
        assert [(body["status"], len(body["alerts"])) for body in hook] == [("firing", MANY), ("resolved", MANY)]
        assert [incident["open"] for incident in aws.vendors["pagerduty"].incidents] == [False]
        assert aws.rows("members#") == []
        assert aws.rows("group#") == []
