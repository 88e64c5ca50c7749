"""Numbers and truths in a webhook's payload and in PagerDuty's details stay what YAML says they are."""

from __future__ import annotations

from tocsin.bootstrap.configs import load_config

CONFIG = """
route: {receiver: team}
receivers:
  - name: team
    webhook_configs:
      - url: http://127.0.0.1/hook
        payload: {count: 3, page: true, text: '{{ .Status }}', nested: [1.5, x]}
    pagerduty_configs:
      - routing_key: key
        details: {runbook: '{{ .Status }}', weight: 7}
"""


def test_scalars_of_free_form_settings_keep_their_types(tmp_path):
    (tmp_path / "alertmanager.yml").write_text(CONFIG)
    hook, pager = (
        each.settings for each in load_config(tmp_path / "alertmanager.yml").plan.receivers["team"].integrations
    )
    by_key = {**hook, **pager}
    assert by_key["payload"] == {"count": 3, "page": True, "text": "{{ .Status }}", "nested": [1.5, "x"]}
    assert by_key["details"]["weight"] == 7
