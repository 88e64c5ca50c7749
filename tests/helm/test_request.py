"""The event's properties: what is taken, and the sentence for what is not."""

from __future__ import annotations

from typing import Any

import pytest
from helm_release import request
from helm_release.errors import RequestError

GOOD: dict[str, Any] = {
    "ServiceToken": "arn",
    "ServiceTimeout": "1000",
    "Cluster": "tocsin-production",
    "Namespace": "cluster-services",
    "Release": "external-secrets",
    "Chart": "external-secrets",
    "Repository": "https://charts.external-secrets.io",
    "Version": "2.9.0",
    "Digest": "sha256:" + "ab" * 32,
    "Timeout": "300",
    "Values": '{"replicas": 2, "enabled": true}',
}


def test_values_keep_their_types() -> None:
    wanted = request.wanted(GOOD)
    assert wanted.values == {"replicas": 2, "enabled": True}
    assert (wanted.timeout, wanted.digest, str(wanted.place)) == (
        300,
        "ab" * 32,
        "tocsin-production/cluster-services/external-secrets",
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"Cluster": ""}, "Cluster is missing"),
        ({"Release": "Upper"}, "Release is 'Upper', which does not match"),
        ({"Release": "x" * 54}, "which does not match"),
        ({"Namespace": "a/b"}, "Namespace is 'a/b'"),
        ({"Namespace": ["apps"]}, "Namespace is missing"),
        ({"Chart": "../../etc"}, "Chart is '../../etc'"),
        ({"Chart": "--post-renderer"}, "Chart is '--post-renderer'"),
        ({"Version": "^2.0.0"}, "Version is '^2.0.0'"),
        ({"Version": "latest"}, "Version is 'latest'"),
        ({"Repository": "http://charts.example.com"}, "Repository must be an https:// or oci:// address"),
        ({"Repository": "https://user:password@charts.example.com"}, "without credentials"),
        ({"Repository": "file:///etc"}, "Repository must be"),
        ({"Digest": "abc"}, "64 hex digits"),
        ({"Timeout": "5m"}, "Timeout must be a number of seconds above 0, not '5m'"),
        ({"Timeout": "0"}, "Timeout must be"),
        ({"Values": {"replicas": "2"}}, "Values must be one JSON text"),
        ({"Values": "[1]"}, "Values must be a JSON object"),
        ({"Values": '{"password": "secret-here", }'}, "Values is not JSON: "),
        ({"Replicas": "2"}, "unknown property Replicas; known are Chart, "),
    ],
)
def test_a_wrong_property_is_named(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as told:
        request.wanted({**GOOD, **changed})
    assert sentence in str(told.value)
    assert "secret-here" not in str(told.value)


@pytest.mark.parametrize(
    ("physical_id", "place"),
    [
        ("c/apps/greeter", request.Place("c", "apps", "greeter")),
        ("refused-1234", None),
        ("c/apps", None),
        ("c/apps/greeter/more", None),
        ("2026/11/23/[$LATEST]abcdef", None),
        ("", None),
    ],
)
def test_only_our_own_physical_ids_name_a_release(physical_id: str, place: request.Place | None) -> None:
    assert request.Place.parse(physical_id) == place


def test_the_values_are_not_in_the_texts_that_python_makes_of_a_request() -> None:
    assert "hunter22" not in repr(request.wanted({**GOOD, "Values": '{"password": "hunter22"}'}))
