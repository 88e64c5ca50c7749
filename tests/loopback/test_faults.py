"""The script of faults, and the server that plays it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tocsin.loopback import Vendors
from tocsin.loopback.faults import LONGEST_DELAY, Faults
from tocsin.loopback.webhook import WebhookVendor


def post(url: str, body: bytes = b"{}") -> int:
    return httpx.post(url, content=body, headers={"Content-Type": "application/json"}, trust_env=False).status_code


def test_faults_are_played_in_order_and_once() -> None:
    faults = Faults()
    faults.next(status=500)
    faults.next(status=503, times=2)
    assert [fault.status for _ in range(3) if (fault := faults.take("/"))] == [500, 503, 503]
    assert faults.take("/") is None


def test_a_fault_waits_for_the_request_that_it_matches() -> None:
    faults = Faults()
    faults.next(status=500, match="update")
    assert faults.take("/api/chat.post") is None
    assert faults.left == 1
    taken = faults.take("/api/chat.update")
    assert taken is not None
    assert taken.status == 500


def test_an_outage_lasts_until_it_is_cleared_and_the_script_goes_first() -> None:
    faults = Faults()
    faults.always(status=503)
    faults.next(status=429, retry_after=7)
    first = faults.take("/")
    assert first is not None
    assert (first.status, first.headers) == (429, {"Retry-After": "7"})
    assert [fault.status for _ in range(3) if (fault := faults.take("/"))] == [503] * 3
    faults.clear()
    assert faults.take("/") is None


def test_a_fault_is_bounded_and_a_misspelt_one_is_refused() -> None:
    faults = Faults()
    faults.next(delay=1e9)
    slow = faults.take("/")
    assert slow is not None
    assert slow.delay == LONGEST_DELAY
    with pytest.raises(ValueError, match="reset is 'before' or 'after'"):
        faults.next(reset="during")
    with pytest.raises(TypeError):
        faults.next(statsu=500)


@pytest.mark.parametrize(
    ("sentence", "fault", "status", "acted"),
    [
        ("a status does not act", {"status": 500}, 500, 0),
        ("a status may act first", {"status": 500, "acts": True}, 500, 1),
        ("garbage acts first", {"malformed": True}, 200, 1),
    ],
)
def test_what_the_server_does_with_a_fault(sentence: str, fault: dict[str, Any], status: int, acted: int) -> None:
    with WebhookVendor() as vendor:
        vendor.faults.next(**fault)
        assert post(vendor.url) == status, sentence
        assert len(vendor.bodies) == acted, sentence
        assert len(vendor.requests) == 1, "the record holds every request"


@pytest.mark.parametrize(("reset", "acted"), [("before", 0), ("after", 1)])
def test_a_reset_drops_the_connection(reset: str, acted: int) -> None:
    with WebhookVendor() as vendor:
        vendor.faults.next(reset=reset)
        with pytest.raises(httpx.TransportError):
            post(vendor.url)
        assert len(vendor.bodies) == acted


def test_stopping_lets_slow_answers_go() -> None:
    vendor = WebhookVendor()
    vendor.start()
    vendor.faults.next(delay=20.0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, vendor.url)
        while vendor.faults.left:
            pass
        vendor.stop()
        assert waiting.result(timeout=10) == 200


def test_all_vendors_at_once_say_where_they_are() -> None:
    with Vendors() as vendors:
        assert len(set(vendors.urls.values())) == 7
        assert post(vendors.urls["webhook_url"], b'{"a": 1}') == 200
        assert post(vendors.urls["slack_webhook_url"], b'{"text": "hi"}') == 200
        assert post(vendors.urls["zendesk_url"] + "/api/v2/tickets") == 401
        assert post(vendors.urls["pagerduty_url"]) == 400
        assert post(vendors.urls["ses_endpoint_url"]) == 404
        assert vendors.urls["smtp_smarthost"].startswith("127.0.0.1:")
    assert vendors.webhook.bodies == [{"a": 1}], "the record stays when they stop"


def test_fifty_triggers_side_by_side_open_one_incident() -> None:
    event = {
        "routing_key": "r", "event_action": "trigger", "dedup_key": "k",
        "payload": {"summary": "s", "source": "x", "severity": "error"},
    }  # fmt: skip
    with Vendors() as vendors, ThreadPoolExecutor(10) as pool:
        url, body = vendors.urls["pagerduty_url"], json.dumps(event).encode()
        assert set(pool.map(lambda _: post(url, body), range(50))) == {202}
        assert len(vendors.pagerduty.incidents) == 1
        assert len(vendors.pagerduty.requests) == len(vendors.pagerduty.events) == 50
