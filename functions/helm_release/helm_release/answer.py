"""Tell CloudFormation how it went: one PUT to the event's presigned address.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html: 4,096 bytes in all.
LARGEST = 4096
LONGEST_REASON = 1500  # characters; what a person reads in the stack's events
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between attempts: they must fit into the reserve that `deadline` keeps
CONNECT_TIMEOUT = 2.0
_REFUSED = range(400, 500)


@dataclass(frozen=True, slots=True)
class Answer:
    """What CloudFormation is told. ``attributes`` can be read by ``Fn::GetAtt``."""

    ok: bool
    physical_id: str
    reason: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def body(event: Mapping[str, Any], answer: Answer) -> bytes:
    """The answer's bytes, always below 4 kB: a reason is cut, in the middle, before anything else is."""
    reason = _shorten(answer.reason, LONGEST_REASON)
    while True:
        text = json.dumps(
            {
                "Status": "SUCCESS" if answer.ok else "FAILED",
                "Reason": reason,
                "PhysicalResourceId": answer.physical_id,
                "StackId": event["StackId"],
                "RequestId": event["RequestId"],
                "LogicalResourceId": event["LogicalResourceId"],
                "Data": dict(answer.attributes),
            }
        ).encode()
        if len(text) < LARGEST or not reason:
            return text
        reason = _shorten(reason, len(reason) // 2)


def send(event: Mapping[str, Any], answer: Answer, sleep: Callable[[float], None] = time.sleep) -> None:
    """PUT the answer, again after a failure that may pass.

    Raises:
        OSError: no attempt succeeded, or the address refused. Lambda then invokes once more, and a release that is
            already as wanted is answered at once.
    """
    text = body(event, answer)
    for pause in (*PAUSES, None):
        # The presigned address was signed without a content type: any other than an empty one is refused.
        request = urllib.request.Request(  # noqa: S310 - the address comes from CloudFormation
            event["ResponseURL"], data=text, method="PUT", headers={"Content-Type": ""}
        )
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in _REFUSED or pause is None:
                raise OSError(f"CloudFormation's answer address refused with {error.code}") from None
        except (OSError, http.client.HTTPException) as error:
            if pause is None:
                raise OSError(f"CloudFormation's answer address cannot be reached: {type(error).__name__}") from None
        sleep(pause)


def _shorten(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    half = max(0, length // 2 - 2)
    return f"{text[:half]} … {text[len(text) - half :]}" if half else ""
