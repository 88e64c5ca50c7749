"""The answer: small, redacted, delivered."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest
from helm_release import answer, handling
from helm_release.deadline import Deadline, Reserves
from helm_release.errors import TooLongError
from helm_release.redaction import MARK, SHORTEST, Redactor, leaves
from hypothesis import given
from hypothesis import strategies as st

from tests.helm.aws_loopback import AwsLoopback
from tests.helm.conftest import Function, countdown

EVENT = {"StackId": "arn:stack", "RequestId": "r", "LogicalResourceId": "Dex", "ResponseURL": ""}


@given(st.text(max_size=20_000), st.text(max_size=200))
def test_an_answer_is_always_small_and_always_json(reason: str, physical_id: str) -> None:
    body = answer.body(EVENT, answer.Answer(ok=False, physical_id=physical_id, reason=reason))
    assert len(body) < answer.LARGEST
    told = json.loads(body)
    assert told["PhysicalResourceId"] == physical_id
    assert told["Reason"] == reason or len(told["Reason"]) < len(reason)


def test_a_long_reason_keeps_its_beginning_and_its_end() -> None:
    """Helm says what it did first and why last."""
    told = json.loads(answer.body(EVENT, answer.Answer(ok=False, physical_id="p", reason="begin" + "x" * 9999 + "end")))
    assert told["Reason"].startswith("begin")
    assert told["Reason"].endswith("end")


def test_a_passing_failure_is_tried_again_and_the_content_type_is_empty(aws: AwsLoopback) -> None:
    pauses: list[float] = []
    aws.refusals = [503, 500]
    event = {**EVENT, "ResponseURL": f"{aws.address}/answer"}
    answer.send(event, answer.Answer(ok=True, physical_id="p"), pauses.append)
    assert aws.answer["Status"] == "SUCCESS"
    assert pauses == list(answer.PAUSES[:2])
    assert aws.content_types == [""], "the presigned address is refused with any other"


@pytest.mark.parametrize(
    ("refusals", "pauses", "sentence"),
    [
        ([403], 0, "refused with 403"),
        ([503] * 5, len(answer.PAUSES), "refused with 503"),
    ],
    ids=["an expired address is not tried again", "five failures are enough"],
)
def test_an_answer_that_cannot_be_delivered_is_an_error(
    aws: AwsLoopback, refusals: list[int], pauses: int, sentence: str
) -> None:
    """So that Lambda invokes once more."""
    aws.refusals = list(refusals)
    slept: list[float] = []
    event = {**EVENT, "ResponseURL": f"{aws.address}/answer?X-Amz-Signature=hidden"}
    with pytest.raises(OSError, match=sentence) as told:
        answer.send(event, answer.Answer(ok=True, physical_id="p"), slept.append)
    assert len(slept) == pauses
    assert "hidden" not in str(told.value)


def test_an_unreachable_answer_address_is_an_error_without_the_address() -> None:
    event = {**EVENT, "ResponseURL": "http://127.0.0.1:1/answer?X-Amz-Signature=hidden"}
    with pytest.raises(OSError, match="cannot be reached") as told:
        answer.send(event, answer.Answer(ok=True, physical_id="p"), lambda _: None)
    assert "hidden" not in str(told.value)


def test_the_pauses_fit_into_the_time_that_is_kept_for_the_answer() -> None:
    longest = sum(answer.PAUSES) + (len(answer.PAUSES) + 1) * answer.CONNECT_TIMEOUT
    assert longest <= Reserves().kill


def test_a_fault_of_our_own_is_answered_too(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    broken = handling.Tools(clusters=None, helm="", kubectl="", first_party=function.tools.first_party, scratch=None)
    event: dict[str, Any] = function.event("Create", {"password": "hunter22"}, stack="arn:stack/s/1")
    report = handling.serve(event, countdown(200), broken)
    assert function.aws.answer["Status"] == "FAILED"
    assert "AttributeError in the release function" in function.aws.answer["Reason"]
    assert not report["ok"]
    assert "Traceback" in caplog.text
    assert "hunter22" not in caplog.text


@given(st.text(min_size=SHORTEST, max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_no_value_survives_redaction_plain_quoted_or_in_base64(secret: str, before: str, after: str) -> None:
    redact = Redactor(leaves({"deep": [{"password": secret}]}))
    encoded = base64.b64encode(secret.encode()).decode()
    quoted = json.dumps(secret)
    told = redact(f"{before} {secret} | {encoded} | {quoted} {after}")
    assert encoded not in told
    if secret not in f"{before} | {MARK} | {after}{MARK}":
        assert secret not in told


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("release cluster-services/dex is pending", "release cluster-services/dex is pending"),
        ("password 12345678 refused", f"password {MARK} refused"),
        ("true is no bool", "true is no bool"),
        ("second line of a key", f"{MARK} of a key"),
        ("Bearer k8s-aws-v1.aHR0cHM6Ly9", f"Bearer {MARK}"),
        ("PUT https://s3/answer?X-Amz-Signature=abc&x=1", f"PUT https://s3/answer?{MARK}&x=1"),
    ],
)
def test_a_sentence_stays_readable_after_redaction(text: str, shown: str) -> None:
    values = {"pin": 12345678, "flag": True, "namespace": "cluster-services", "key": "first line\nsecond line"}
    assert Redactor(leaves(values), {"cluster-services"})(text) == shown


@pytest.mark.parametrize(
    ("seconds", "longest"),
    [(900, 810), (100, 10), (90, 0), (10, 0)],
    ids=["a fresh invocation", "a late one", "none left", "past it"],
)
def test_helm_gets_what_is_left_less_ninety_seconds(seconds: float, longest: int) -> None:
    deadline = Deadline(lambda: seconds * 1000)
    assert deadline.longest() == longest
    with pytest.raises(TooLongError, match="let Argo CD carry"):
        deadline.grant(longest + 1, "release a/b/c")
    if longest:
        assert deadline.grant(longest, "release a/b/c") == longest


def test_sigterm_comes_after_helms_own_timeout_and_sigkill_after_that() -> None:
    deadline = Deadline(lambda: 900_000)
    assert deadline.longest() < deadline.until_terminate() < deadline.until_kill() < deadline.seconds()
