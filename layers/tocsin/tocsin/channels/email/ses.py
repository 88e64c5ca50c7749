"""Amazon SES v2 (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tocsin.channels.failures import network_failure
from tocsin.channels.wire import spoken
from tocsin.model import MINUTE, SECOND
from tocsin.ports import Outcome, Permanent, Retry, Sent, Throttled

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
WAITS = {
    "TooManyRequestsException": 5 * SECOND,  # the rate a second
    "Throttling": 5 * SECOND,
    "ThrottlingException": 5 * SECOND,
    "LimitExceededException": 15 * MINUTE,  # the quota a day
}
# Whoever is to be told must hear of it another way, at once: no waiting helps an account that SES has stopped.
STOPPED = {
    "AccountSuspendedException": "SES has suspended the account",
    "SendingPausedException": "SES has paused the account's sending",
}
TRANSIENT = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeout"))
SERVER_ERROR = 500
# SES writes its own Message-ID: https://docs.aws.amazon.com/ses/latest/dg/header-fields.html
FIRST_REGION = "us-east-1"


class SesTransport:
    """A client for the length of one delivery; the credentials are the process's."""

    stops: ClassVar[frozenset[str]] = frozenset((*STOPPED, "AccessDeniedException", "UnrecognizedClientException"))

    def __init__(self, settings: Mapping[str, Any], timeout: float) -> None:
        self._settings, self._timeout = settings, timeout
        self._client: Any = None

    def open(self) -> Outcome | None:
        """Make the client; an outcome is why that failed."""
        config = Config(
            connect_timeout=self._timeout, read_timeout=self._timeout, retries={"total_max_attempts": 1}
        )  # fmt: skip
        try:
            self._client = boto3.client(
                "sesv2",
                region_name=self._settings.get("ses_region") or None,
                endpoint_url=self._settings.get("ses_endpoint_url") or None,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            return Permanent(f"email: SES cannot be used: {type(error).__name__}")
        return None

    def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            self._client.close()

    def deliver(self, sender: str, recipient: str, identity: str, message: bytes) -> Outcome:  # noqa: ARG002 (SES names it)
        """Send one message to one recipient."""
        call: dict[str, Any] = {
            "FromEmailAddress": sender,
            "Destination": {"ToAddresses": [recipient]},
            "Content": {"Raw": {"Data": message}},
        }
        if self._settings.get("ses_configuration_set"):
            call["ConfigurationSetName"] = self._settings["ses_configuration_set"]
        try:
            number = str(self._client.send_email(**call)["MessageId"])
        except ClientError as error:
            return _judge(error)
        except (BotoCoreError, OSError, KeyError) as error:
            return network_failure("email", error)
        region = self._client.meta.region_name
        domain = "email.amazonses.com" if region == FIRST_REGION else f"{region}.amazonses.com"
        return Sent({}, "accepted", f"<{number}@{domain}>")


def _judge(error: ClientError) -> Outcome:
    said = error.response.get("Error", {})
    code = str(said.get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    reason = spoken(f"email: SES answered {code}: {STOPPED.get(code) or said.get('Message', '')}", ())
    if code in WAITS:
        return Throttled(WAITS[code], reason, code)
    if code in TRANSIENT or status >= SERVER_ERROR:
        return Retry(reason, code, maybe=status >= SERVER_ERROR)
    return Permanent(reason, code)
