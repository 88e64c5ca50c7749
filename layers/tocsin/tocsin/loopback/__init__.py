"""Vendors on loopback: stand-ins that behave as PagerDuty, Slack, Zendesk, SES and a mail server do.

They serve ``tocsin demo`` and the tests. Each keeps a public record of what it was told and plays a script of faults;
nothing here imports the rest of the package, so that a vendor can never agree with our own mistakes.
"""

from __future__ import annotations

from tocsin.loopback.vendors import Vendors

__all__ = ["Vendors"]
