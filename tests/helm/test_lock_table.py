"""The lock table: what it refuses, and that a release is one row and one file."""

from __future__ import annotations

import json
import shutil
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_release import charts, request
from helm_release.deadline import Deadline

from infra.tools import chart_digest, releases, templates
from tests.helm import platform

ROW = {
    "carrier": "cloudformation",
    "chart": "greeter",
    "repository": "https://charts.example.com",
    "version": "1.2.3",
    "digest": "ab" * 32,
    "namespace": "apps",
    "values": "greeter.yaml",
    "needs": [],
    "timeout": 60,
}


def table(tmp_path: Path, **rows: dict[str, Any]) -> Path:
    file = tmp_path / "charts.lock.yaml"
    file.write_text(yaml.safe_dump({"releases": rows}))
    return file


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"timeout": 1200}, "1200 s do not fit one invocation (600 s); give it to argocd"),
        ({"version": "^1.2.0"}, "version '^1.2.0' is not exact"),
        ({"needs": ["dex"]}, "greeter needs dex, which CloudFormation does not carry"),
        ({"digest": None}, "needs its digest"),
        ({"wave": 3}, "wave is no field of a cloudformation release"),
        ({"carrier": "somebody", "needs": None, "timeout": None, "wave": 1}, "is neither cloudformation nor argocd"),
        ({"namespace": None}, "greeter: namespace is missing"),
    ],
)
def test_a_row_that_cannot_work_is_refused(tmp_path: Path, changed: dict[str, Any], sentence: str) -> None:
    row = {name: value for name, value in {**ROW, **changed}.items() if value is not None}
    with pytest.raises(releases.TableError) as told:
        releases.read_table(table(tmp_path, greeter=row))
    assert sentence in str(told.value)


def test_a_value_that_names_no_fact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "greeter.yaml").write_text("host: x.${ZonName}\n")
    rows = releases.read_table(table(tmp_path, greeter=ROW))
    with pytest.raises(releases.TableError, match=r"name \$\{ZonName\}, which is no fact; known are AccountId"):
        releases.render(rows, values=tmp_path)


def test_a_row_without_its_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(releases.TableError, match=r"its values greeter\.yaml are not in"):
        releases.render(releases.read_table(table(tmp_path, greeter=ROW)), values=tmp_path)


def test_a_release_that_cloudformation_carries_is_one_row_and_one_file(tmp_path: Path) -> None:
    rows = yaml.safe_load(releases.TABLE.read_text())["releases"]
    values = tmp_path / "values"
    shutil.copytree(releases.VALUES, values)
    (values / "greeter.yaml").write_text('replicas: "${HighAvailabilityReplicas}"\nhost: greeter.${ZoneName}\n')
    added = releases.read_table(table(tmp_path, **rows, greeter=ROW | {"needs": ["dex"]}))
    before = releases.render(releases.read_table())
    after = releases.render(added, values=values)
    resource = after["Resources"].pop("Greeter")
    assert after == before, "nothing else changes"
    assert resource["DependsOn"] == ["Dex"]
    text = resource["Properties"]["Values"]["Fn::Sub"]
    assert text == '{"host": "greeter.${ZoneName}", "replicas": ${HighAvailabilityReplicas}}'


@pytest.mark.helm
def test_a_release_that_argo_carries_is_one_row_and_one_file(tmp_path: Path) -> None:
    infra = tmp_path / "infra"
    for part in ("argocd", "values"):
        shutil.copytree(platform.INFRA / part, infra / part, symlinks=True)
    rows = yaml.safe_load(releases.TABLE.read_text())["releases"]
    row = {name: ROW[name] for name in ("chart", "repository", "version", "namespace", "values")}
    rows["greeter"] = row | {"carrier": "argocd", "wave": 2}
    (infra / "charts.lock.yaml").write_text(yaml.safe_dump({"releases": rows}))
    (infra / "values" / "greeter.yaml").write_text("host: greeter.${ZoneName}\nreplicas: ${HighAvailabilityReplicas}\n")
    facts = platform.releases("staging")["bootstrap"]["Values"]["facts"]
    made = platform.template("argocd", infra / "argocd", {"facts": facts}, "cluster-services")
    (application,) = [each for each in made if each["metadata"]["name"] == "greeter"]
    assert application["spec"]["source"] == {
        "repoURL": "https://charts.example.com",
        "chart": "greeter",
        "targetRevision": "1.2.3",
        "helm": {
            "releaseName": "greeter",
            "valuesObject": {"host": "greeter.eks.staging.example.org", "replicas": 2},
        },
    }


def test_the_template_is_what_the_table_renders_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["releases", "--check"])
    assert releases.main() == 0, "make render-services"
    stale = tmp_path / "releases.yaml"
    stale.write_text(releases.TEMPLATE.read_text().replace("Timeout: 300", "Timeout: 301"))
    monkeypatch.setattr(releases, "TEMPLATE", stale)
    monkeypatch.setattr(releases, "INFRA", tmp_path / "infra")
    assert releases.main() == 1


def test_the_load_balancer_controller_goes_last_and_the_applications_first() -> None:
    """What it made outside the cluster is removed by it alone; deletion runs against the order of creation."""
    resources = templates.load(releases.TEMPLATE)["Resources"]
    needs = {name: set(resource.get("DependsOn", [])) for name, resource in resources.items()}
    order = list(TopologicalSorter(needs).static_order())
    assert order[:2] == ["Rbac", "AwsLoadBalancerController"], "namespaces, then the controller, then everything else"
    assert order[-1] == "Bootstrap"
    for name in set(needs) - {"Rbac", "AwsLoadBalancerController"}:
        assert "AwsLoadBalancerController" in reached(needs, name)
    assert {"ExternalSecrets", "SecretStore", "Dex", "ArgoCd"} < reached(needs, "Bootstrap")
    assert "ExternalSecrets" in needs["SecretStore"], "custom resources after their definitions"


def reached(needs: dict[str, set[str]], name: str) -> set[str]:
    return needs[name].union(*(reached(needs, each) for each in needs[name]))


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_every_release_is_one_that_the_function_takes(environment: str) -> None:
    """The same checks as in Lambda, on what CloudFormation would send, in a whole invocation."""
    found = platform.releases(environment)
    assert len(found) == 8
    for name, properties in found.items():
        sent = {key: value if key == "Values" else str(value) for key, value in properties.items()}
        wanted = request.wanted(sent | {"Values": json.dumps(properties["Values"])})
        assert wanted.place.release == name
        Deadline(lambda: 895_000).grant(wanted.timeout, name)
        assert wanted.timeout + 240 <= Deadline(lambda: 895_000).longest() + 90, "and time to roll back"


@pytest.mark.parametrize(("environment", "replicas"), [("integration", 1), ("staging", 2), ("production", 3)])
def test_replicas_follow_the_environment_as_numbers(environment: str, replicas: int) -> None:
    found = platform.releases(environment)
    told = {
        found["dex"]["Values"]["replicaCount"],
        found["argo-cd"]["Values"]["server"]["replicas"],
        found["external-secrets"]["Values"]["webhook"]["replicaCount"],
        found["bootstrap"]["Values"]["facts"]["HighAvailabilityReplicas"],
    }
    assert told == {replicas}
    assert all(type(each) is int for each in told), "a chart that wants a number gets one"


def test_the_parent_gives_the_rendered_template_exactly_its_parameters() -> None:
    parent = templates.load(platform.INFRA / "cluster-services" / "template.yaml")
    given = set(parent["Resources"]["Releases"]["Properties"]["Parameters"])
    assert given == set(templates.load(releases.TEMPLATE)["Parameters"])


def test_our_own_charts_have_one_digest_wherever_it_is_computed() -> None:
    for chart in sorted(path.parent for path in releases.CHARTS.glob("*/Chart.yaml")):
        assert chart_digest.digest_of(chart) == charts.digest_of(chart)
        assert yaml.safe_load((chart / "Chart.yaml").read_text())["name"] == chart.name


def test_a_chart_of_another_build_than_the_templates_is_refused(tmp_path: Path) -> None:
    row = releases.read_table()["rbac"]
    wanted = request.Wanted(request.Place("c", "n", "r"), "rbac", "first-party", row["version"], 60, "00" * 32)
    with pytest.raises(charts.ChartError, match="run make render-services, then build and deploy again"):
        charts.fetch(wanted, releases.CHARTS, helm=None, scratch=tmp_path)


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
@pytest.mark.helm
def test_service_accounts_are_those_that_have_an_aws_identity(environment: str) -> None:
    """A release that names its account otherwise would have no rights in AWS."""
    associations = {
        (resource["Properties"]["Namespace"], resource["Properties"]["ServiceAccount"])
        for resource in _identities()
        if resource["Type"] == "AWS::EKS::PodIdentityAssociation"
    }
    rows = releases.read_table()
    named = {
        (rows["external-secrets"]["namespace"], _at(environment, "external-secrets", "serviceAccount.name")),
        (
            rows["aws-load-balancer-controller"]["namespace"],
            _at(environment, "aws-load-balancer-controller", "serviceAccount.name"),
        ),
        (
            rows["cluster-autoscaler"]["namespace"],
            _at(environment, "cluster-autoscaler", "rbac.serviceAccount.name"),
        ),
        (
            rows["kube-prometheus-stack"]["namespace"],
            _at(environment, "kube-prometheus-stack", "grafana.serviceAccount.name"),
        ),
        (rows["fluent-bit"]["namespace"], _at(environment, "fluent-bit", "serviceAccount.name")),
    }
    assert named <= associations


def _at(environment: str, release: str, path: str) -> Any:
    found = platform.values(environment, release)
    for key in path.split("."):
        found = found[key]
    return found


def _identities() -> list[dict[str, Any]]:
    folder = platform.INFRA / "cluster-infrastructure"
    return [resource for path in folder.glob("*.yaml") for resource in templates.load(path)["Resources"].values()]
