"""Amazon SES v2 as boto3 speaks to it: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html ."""

from __future__ import annotations

import base64
import binascii

from tocsin.loopback.http import HttpVendor, Request, Response
from tocsin.loopback.mail import Mail

PATH = "/v2/email/outbound-emails"


class SesVendor(HttpVendor):
    """Takes raw messages. Faults name their error by the header that ``error_headers`` makes."""

    def __init__(self, port: int = 0, verified: tuple[str, ...] | None = None) -> None:
        """Send from everybody, or only from these verified addresses."""
        super().__init__(port)
        self.mails: list[Mail] = []
        self.verified = verified

    @staticmethod
    def error_headers(name: str) -> dict[str, str]:
        """Name an error as SES does, e.g. ``TooManyRequestsException``."""
        return {"x-amzn-ErrorType": name, "Content-Type": "application/json"}

    def answer(self, request: Request) -> Response:
        """Take a mail."""
        if request.method != "POST" or request.path != PATH:
            return self._refuse(404, "NotFoundException", "no such operation")
        try:
            call = request.json()
            raw = base64.b64decode(call["Content"]["Raw"]["Data"], validate=True)
            recipients = tuple(call.get("Destination", {}).get("ToAddresses") or ())
        except (ValueError, KeyError, TypeError, binascii.Error):
            return self._refuse(400, "BadRequestException", "Content.Raw.Data is missing or not base64")
        sender = str(call.get("FromEmailAddress") or "")
        if not recipients or not sender:
            return self._refuse(400, "BadRequestException", "sender or recipient is missing")
        if self.verified is not None and sender not in self.verified:
            return self._refuse(400, "MessageRejected", f"Email address is not verified: {sender}")
        number = f"010001{len(self.mails) + 1:010x}"
        self.mails.append(Mail(sender, recipients, raw, number))
        return Response(200, {"MessageId": number})

    def _refuse(self, status: int, name: str, message: str) -> Response:
        return Response(status, {"message": message}, self.error_headers(name))
