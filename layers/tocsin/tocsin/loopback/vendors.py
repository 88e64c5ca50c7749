"""All vendors at once, each on a port of its own."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tocsin.loopback.pagerduty import PagerDutyVendor
from tocsin.loopback.ses import SesVendor
from tocsin.loopback.slack import SlackVendor
from tocsin.loopback.smtp import SmtpVendor
from tocsin.loopback.webhook import WebhookVendor
from tocsin.loopback.zendesk import ZendeskVendor


class Vendors:
    """PagerDuty, Slack, Zendesk, SES, a mail server and a webhook receiver on 127.0.0.1; a context manager."""

    def __init__(self) -> None:
        self.pagerduty = PagerDutyVendor()
        self.slack = SlackVendor()
        self.zendesk = ZendeskVendor()
        self.ses = SesVendor()
        self.smtp = SmtpVendor()
        self.webhook = WebhookVendor()
        self._running = ExitStack()

    @property
    def urls(self) -> dict[str, str]:
        """Where each is: what the setting of that name in ``global:`` or in a receiver should say."""
        return {
            "pagerduty_url": f"{self.pagerduty.url}/v2/enqueue",
            "slack_api_url": self.slack.api_url,
            "slack_webhook_url": self.slack.webhook_url,
            "zendesk_url": self.zendesk.url,
            "ses_endpoint_url": self.ses.url,
            "smtp_smarthost": self.smtp.smarthost,
            "webhook_url": f"{self.webhook.url}/hook",
        }

    def start(self) -> None:
        """Begin to serve."""
        for vendor in (self.pagerduty, self.slack, self.zendesk, self.ses, self.smtp, self.webhook):
            self._running.enter_context(vendor)

    def stop(self) -> None:
        """Stop serving; the records stay readable."""
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
