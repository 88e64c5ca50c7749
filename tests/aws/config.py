"""A config whose vendors are on loopback: three sources, and a receiver that tells all four."""

from __future__ import annotations

from pathlib import Path

from tocsin.loopback import Vendors

BEARER, PATH = "the-bearer-token", "the-path-token"

ALERTMANAGER = """\
global:
  pagerduty_url: {pagerduty_url}
  slack_api_url: {slack_webhook_url}
route:
  receiver: everybody
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
receivers:
  - name: everybody
    pagerduty_configs:
      - routing_key: the-routing-key
    slack_configs:
      - channel: "#alerts"
        send_resolved: true
    webhook_configs:
      - url: {webhook_url}
"""

TOCSIN = """\
alertmanager_config: alertmanager.yml
sources:
  alertmanager:
    auth: {{bearer: {{token: the-bearer-token}}}}
  pingdom:
    auth: {{path: {{token: the-path-token}}}}
heartbeats:
  - name: watchdog
    matchers: ['alertname="Watchdog"']
    interval: 10m
    grace: 1m
receivers:
  - name: everybody
    email_configs:
      - to: team@tocsin.test
        from: catch-all@tocsin.test
        transport: ses
        ses_configuration_set: tocsin-integration
        send_resolved: true
    zendesk_configs:
      - url: {zendesk_url}
        email: tocsin@example.com
        api_token: zendesk-token
"""


def write(folder: Path, vendors: Vendors) -> Path:
    """Write both files; gives the one to push."""
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(**vendors.urls))
    (folder / "tocsin.yml").write_text(TOCSIN.format(**vendors.urls))
    return folder / "tocsin.yml"
