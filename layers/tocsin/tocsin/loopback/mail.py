"""What a mail vendor took."""

from __future__ import annotations

import email
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail: its envelope, and the message as it was sent."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message_id: str = ""  # what the vendor calls it (SES overwrites the header)

    @property
    def message(self) -> EmailMessage:
        """Read the message."""
        return email.message_from_bytes(self.raw, _class=EmailMessage, policy=default)

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.message["Subject"] or "")

    def body(self, kind: str = "plain") -> str:
        """Give the ``plain`` or the ``html`` part, or nothing."""
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part else ""
