"""Our own charts in three environments: valid Kubernetes, keys that exist, pods that may run anywhere, no secret."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from infra.tools import chart_keys, releases
from tests.helm import platform, pod_security

pytestmark = pytest.mark.helm

CHARTS = sorted(name for name, row in releases.read_table().items() if row["repository"] == "first-party")
# group/version → the suffix of its tables of keys.
CUSTOM = {
    "argoproj.io/v1alpha1": "argoproj.io",
    "external-secrets.io/v1": "external-secrets.io",
    "monitoring.coreos.com/v1": "monitoring.coreos.com",
}
EXAMPLE = {"host": "shop.example.org", "secret": "shop", "env": {"LOG_LEVEL": "info"}}


def made(environment: str, release: str) -> list[dict[str, Any]]:
    row = releases.read_table()[release]
    chart = platform.INFRA / "charts" / row["chart"]
    return platform.template(release, chart, platform.values(environment, release), row["namespace"])


def findings(resource: dict[str, Any]) -> list[str]:
    """What is wrong with an object: by Kubernetes' own schemas, or by the keys that its definition has."""
    group = CUSTOM.get(resource["apiVersion"])
    if group is None:
        try:
            kubernetes_validate.validate(resource, platform.KUBERNETES.rpartition(".")[0], strict=True)
        except kubernetes_validate.ValidationError as error:
            return [error.message]
        return []
    plural = f"{resource['kind'].lower()}s.{group}.keys"
    known = frozenset((chart_keys.UPSTREAM / plural).read_text().splitlines())
    body = {key: value for key, value in resource.items() if key not in {"apiVersion", "kind", "metadata"}}
    return sorted(set(unknown_in(body, known)))


def unknown_in(body: Any, known: frozenset[str], above: str = "") -> list[str]:
    """Paths that a definition's schema does not have; lists stand for their members."""
    if isinstance(body, list):
        return [path for each in body for path in unknown_in(each, known, above)]
    if not isinstance(body, dict) or f"{above}{{}}" in known:
        exists = above in known or f"{above}{{}}" in known or any(line.startswith(above + ".") for line in known)
        return [] if exists else [above]
    return [
        path for key, inner in body.items() for path in unknown_in(inner, known, chart_keys.joined(above, str(key)))
    ]


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
@pytest.mark.parametrize("release", CHARTS)
def test_every_object_is_valid(environment: str, release: str) -> None:
    objects = made(environment, release)
    assert objects, "a chart that makes nothing"
    for resource in objects:
        assert findings(resource) == [], f"{resource['kind']} {resource['metadata']['name']}"


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_every_application_is_valid(environment: str) -> None:
    facts = platform.releases(environment)["bootstrap"]["Values"]["facts"]
    for resource in platform.template("argocd", platform.INFRA / "argocd", {"facts": facts}, "cluster-services"):
        assert findings(resource) == []
        assert resource["metadata"]["namespace"] == "cluster-services"


def test_the_example_application_is_valid_and_may_run_under_restricted() -> None:
    root = platform.ROOT / "examples" / "app"
    objects = platform.template("shop", root, EXAMPLE, "apps")
    bare = platform.template("shop", root, {}, "apps")
    assert {each["kind"] for each in objects} - {each["kind"] for each in bare} == {"Ingress", "ExternalSecret"}
    for resource in [*objects, *bare, yaml.safe_load((root / "application.yaml").read_text())]:
        assert findings(resource) == [], resource["kind"]
        pod = pod_security.pod_of(resource)
        assert pod is None or list(pod_security.violations(pod)) == []


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
@pytest.mark.parametrize("release", CHARTS)
def test_every_pod_may_run_under_restricted_and_no_chart_makes_a_secret(environment: str, release: str) -> None:
    for resource in made(environment, release):
        assert resource["kind"] != "Secret", "secrets come by ExternalSecret"
        pod = pod_security.pod_of(resource)
        assert pod is None or list(pod_security.violations(pod)) == []


def test_the_checks_see_what_is_wrong() -> None:
    """Each finding seeded once."""
    root = platform.ROOT / "examples" / "app"
    objects = {each["kind"]: each for each in platform.template("shop", root, EXAMPLE, "apps")}
    misspelt = copy.deepcopy(objects["Deployment"])
    misspelt["spec"]["template"]["spec"]["serviceAcountName"] = "shop"
    assert "serviceAcountName" in str(findings(misspelt))
    external = copy.deepcopy(objects["ExternalSecret"])
    external["spec"]["secretStoreReference"] = external["spec"].pop("secretStoreRef")
    assert findings(external) == ["spec.secretStoreReference.kind", "spec.secretStoreReference.name"]
    monitor = copy.deepcopy(objects["ServiceMonitor"])
    monitor["spec"]["endpoints"][0]["intervall"] = "1m"
    assert findings(monitor) == ["spec.endpoints.intervall"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hostNetwork": True}, "hostNetwork is on"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volume v is a hostPath"),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, "sysctl kernel.msgmax"),
        ({"securityContext": {}}, "container app: may run as root"),
        ({"securityContext": {}}, "container app: has no seccomp profile"),
        ({"own": {"privileged": True}}, "container app: privileged"),
        ({"own": {"allowPrivilegeEscalation": True}}, "container app: allowPrivilegeEscalation is not off"),
        ({"own": {"capabilities": {}}}, "container app: capabilities are not dropped"),
        ({"own": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}}, "container app: capabilities are added"),
        ({"own": {"runAsUser": 0}}, "container app: runs as root"),
        ({"own": {"procMount": "Unmasked"}}, "container app: sees all of /proc"),
        ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "container app: host port 80"),
    ],
)
def test_restricted_is_checked_word_by_word(change: dict[str, Any], sentence: str) -> None:
    container = {
        "name": "app",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        | change.pop("own", {}),
        "ports": change.pop("ports", []),
    }
    whole = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert sentence in list(pod_security.violations({"containers": [container], "securityContext": whole} | change))
    assert list(pod_security.violations({"containers": [], "securityContext": whole})) == []


def test_namespaces_outlive_their_release() -> None:
    namespaces = [each for each in made("production", "rbac") if each["kind"] == "Namespace"]
    assert {each["metadata"]["name"] for each in namespaces} >= {"apps", "cluster-services", "monitoring"}
    for each in namespaces:
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]


def test_the_rbac_chart_holds_what_cluster_access_renders() -> None:
    rendered = platform.INFRA / "cluster-access" / "rendered"
    wanted = [each for each in yaml.safe_load_all((rendered / "rbac.yaml").read_text()) if each]
    found = [each for each in made("staging", "rbac") if each["kind"] != "Namespace"]
    order = sorted(wanted, key=repr)
    assert sorted(found, key=repr) == order


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_applications_cannot_read_the_platforms_secrets(environment: str) -> None:
    """Who may write an ExternalSecret reads all that the namespace's stores can."""
    stores = {
        e["metadata"]["name"]: e["spec"] for e in made(environment, "secret-store") if e["kind"] == "ClusterSecretStore"
    }
    for name, store in stores.items():
        assert "auth" not in store["provider"]["aws"], "Pod Identity: the controller's own"
        reads = {namespace for condition in store["conditions"] for namespace in condition["namespaces"]}
        if reads & {"apps", "licensify"}:
            assert store["provider"]["aws"]["prefix"].endswith("/apps/"), name


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_every_external_secret_is_generated_or_put_there_by_a_person(environment: str) -> None:
    """And the list of the latter is in the docs."""
    generated = {
        resource["Properties"]["Name"]
        for resource in platform.services(environment).resources.values()
        if resource["Type"] == "AWS::SecretsManager::Secret"
    }
    objects = made(environment, "secret-store")
    prefixes = {
        e["metadata"]["name"]: e["spec"]["provider"]["aws"]["prefix"]
        for e in objects
        if e["kind"] == "ClusterSecretStore"
    }
    wanted = {
        prefixes[each["spec"]["secretStoreRef"]["name"]] + source["extract"]["key"]
        for each in objects
        if each["kind"] == "ExternalSecret"
        for source in each["spec"]["dataFrom"]
    }
    prefix = platform.parameters(environment, "cluster-infrastructure")["SecretsPrefix"]
    by_hand = {f"{prefix}/dex/github", f"{prefix}/tocsin/webhook"}
    assert wanted - generated == by_hand
    readme = (platform.INFRA / "cluster-services" / "README.md").read_text()
    for name in ("dex/github", "tocsin/webhook", "tocsin/api", "logs/opensearch"):
        assert f"`<prefix>/{name}`" in readme
    assert generated <= wanted, "a secret that nobody reads"


def test_the_repository_holds_no_secret_in_values() -> None:
    """Keys that look like one must name where it is, not what it is."""
    for path in sorted(Path(releases.VALUES).glob("*.yaml")):
        for key, value in leaves(yaml.safe_load(path.read_text())):
            if any(word in key.lower() for word in ("password", "token", "clientsecret", "secretkey")):
                named = str(value).startswith(("https://", "/etc/alertmanager/secrets/", "$"))
                assert named or value in {False, "password", "token", "clientSecret"}, f"{path.name}: {key}"


def leaves(values: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(values, dict):
        return [leaf for name, inner in values.items() for leaf in leaves(inner, str(name))]
    if isinstance(values, list):
        return [leaf for inner in values for leaf in leaves(inner, key)]
    return [(key, values)]
