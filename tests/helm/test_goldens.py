"""The third layer resolved with each parameter set, and what Argo CD makes of it, in files that a reviewer can read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml

from tests.helm import platform


def text(thing: object) -> str:
    return yaml.safe_dump(thing, sort_keys=True, width=140, default_flow_style=None)


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_cluster_services(environment: str, golden: Callable[[str, str], None]) -> None:
    resources = json.loads(json.dumps(platform.services(environment).resources))
    assert platform.services(environment).broken_rules == []
    for resource in resources.values():
        if resource["Type"] == "Custom::HelmRelease":
            resource["Properties"]["Values"] = json.loads(resource["Properties"]["Values"])
    golden(f"platform/{environment}/cluster-services.yaml", text(resources))


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_applications(environment: str, golden: Callable[[str, str], None]) -> None:
    golden(f"platform/{environment}/applications.yaml", text(platform.applications(environment)))


def test_a_parameter_set_that_contradicts_itself_is_refused() -> None:
    broken = platform.services("staging", LogOutput="opensearch").broken_rules
    assert broken == ["With LogOutput opensearch, name OpenSearchHost."]
    assert platform.services("staging", LogOutput="opensearch", OpenSearchHost="logs.example.org").broken_rules == []
