"""Template data from JSON: what ``tocsin template render`` is given."""

from __future__ import annotations

import json

import pytest
from tocsin.errors import TemplateError
from tocsin.templates import TemplateSet, load_data


def test_what_is_missing_is_empty() -> None:
    data = load_data("{}")
    assert TemplateSet().text("{{ .Status }}|{{ .CommonLabels }}|{{ len .Alerts }}", data, 0) == "||0"
    alert = load_data('{"alerts":[{}]}').alerts[0]
    assert TemplateSet().text("{{ .StartsAt.IsZero }}", alert, 0) == "true"


def test_keys_in_other_letters_are_the_same_keys() -> None:
    data = load_data('{"Status":"firing","Alerts":[{"Labels":{"A":"b"}}],"externalurl":"x"}')
    assert (
        TemplateSet().text("{{ .Status }} {{ (index .Alerts 0).Labels }} {{ .ExternalURL }}", data, 0) == "firing A=b x"
    )


def test_a_webhooks_body_can_be_read_back(body: str) -> None:
    data = load_data(body)
    assert [alert.labels["instance"] for alert in data.alerts] == ["a:1", "b:1", "c:1"]
    assert data.alerts[1].starts_at.location.offset == 7200


WRONG = {
    "nonsense": "the template data is no JSON: ",
    "[]": "the whole must be an object",
    '{"status": 1}': "status must be a text",
    '{"alerts": {}}': "alerts must be a list",
    '{"alerts": [1]}': "alerts[0] must be an object",
    '{"alerts": [{"labels": {"a": 1}}]}': "alerts[0].labels must be an object of texts",
    '{"alerts": [{}, {"startsAt": "yesterday"}]}': "alerts[1].startsAt: 'yesterday' is not a time",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_by_its_key(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        load_data(text)
    assert WRONG[text] in str(caught.value)


def test_null_is_empty(body: str) -> None:
    emptied = json.loads(body) | {"commonLabels": None, "alerts": None}
    assert len(load_data(json.dumps(emptied)).alerts) == 0
