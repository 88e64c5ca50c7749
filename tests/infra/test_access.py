"""Who may do what: the table, what is rendered from it, and the answers that the cluster will give."""

import copy
import textwrap
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from infra.tools import access
from tests.infra import rbac, world

HERE = Path(__file__).parent
TABLE = access.read_table()
RESOURCES = yaml.safe_load((HERE / "api_resources.yaml").read_text(encoding="utf-8"))
RBAC = list(access.rbac(TABLE))
NAMESPACES = ["apps", "licensify", "cluster-services", "monitoring", "kube-system"]
YES, NO = True, False

# persona, verb, api group, resource, namespace ("" for cluster scope), answer, sentence
TRUTH = [
    ("platform-engineer", "delete", "", "nodes", "", YES, "platform engineers may do everything"),
    (
        "platform-engineer",
        "get",
        "",
        "secrets",
        "cluster-services",
        YES,
        "platform engineers see its secrets",
    ),
    (
        "full-admin",
        "escalate",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "",
        YES,
        "full admins may give rights",
    ),
    ("developer", "create", "apps", "deployments", "apps", YES, "developers deploy in apps"),
    ("developer", "get", "", "secrets", "apps", YES, "developers see the secrets of apps"),
    ("developer", "create", "", "pods/exec", "apps", YES, "developers enter their pods"),
    ("developer", "get", "", "pods/log", "apps", YES, "developers read their logs"),
    ("developer", "update", "apps", "deployments/scale", "apps", YES, "developers scale"),
    ("developer", "create", "argoproj.io", "workflows", "apps", YES, "developers run workflows"),
    ("developer", "create", "external-secrets.io", "externalsecrets", "apps", YES, "developers ask for secrets"),
    ("developer", "get", "", "pods", "licensify", YES, "developers look into licensify"),
    ("developer", "get", "", "pods/log", "licensify", YES, "and read its logs"),
    ("developer", "create", "", "pods/exec", "licensify", NO, "but do not enter its pods"),
    ("developer", "get", "", "secrets", "licensify", NO, "nor see its secrets"),
    ("developer", "delete", "", "pods", "licensify", NO, "nor stop it"),
    ("developer", "get", "", "pods", "cluster-services", NO, "the platform is not theirs"),
    ("developer", "get", "", "secrets", "monitoring", NO, "nor is monitoring"),
    ("developer", "list", "", "secrets", "", NO, "no list of all secrets"),
    (
        "developer",
        "create",
        "rbac.authorization.k8s.io",
        "rolebindings",
        "apps",
        NO,
        "rights come from the table alone",
    ),
    ("developer", "create", "", "serviceaccounts/token", "apps", NO, "no tokens in another's name"),
    ("developer", "update", "", "resourcequotas", "apps", NO, "no lifting of their own quota"),
    ("developer", "list", "", "nodes", "", YES, "developers see the nodes"),
    ("developer", "delete", "", "nodes", "", NO, "and leave them alone"),
    ("developer", "create", "", "namespaces", "", NO, "namespaces come from the table"),
    (
        "developer",
        "list",
        "external-secrets.io",
        "clustersecretstores",
        "",
        YES,
        "developers see the secrets' source",
    ),
    ("developer", "impersonate", "", "users", "", NO, "nobody acts as somebody else"),
    ("licensing-user", "create", "", "pods/exec", "licensify", YES, "licensing users enter their pods"),
    ("licensing-user", "get", "", "secrets", "licensify", YES, "and see their secrets"),
    ("licensing-user", "list", "", "namespaces", "", YES, "they see that there are others"),
    ("licensing-user", "list", "", "pods", "apps", NO, "but not what is in them"),
    ("licensing-user", "get", "", "pods", "cluster-services", NO, "nor in the platform"),
    ("licensing-user", "list", "", "nodes", "", NO, "nor what it runs on"),
    ("readonly", "get", "", "pods", "apps", YES, "readonly looks everywhere"),
    ("readonly", "get", "", "pods/log", "cluster-services", YES, "logs of the platform too"),
    ("readonly", "list", "", "pods", "", YES, "at once"),
    ("readonly", "get", "", "secrets", "apps", NO, "but at no secret"),
    ("readonly", "list", "", "secrets", "", NO, "a list shows their contents"),
    ("readonly", "create", "", "pods/exec", "apps", NO, "and enters nothing"),
    ("readonly", "get", "", "pods/exec", "apps", NO, "not by websocket either, which asks to get"),
    ("readonly", "delete", "", "pods", "apps", NO, "and stops nothing"),
    ("readonly", "patch", "apps", "deployments", "apps", NO, "and changes nothing"),
    ("readonly", "create", "argoproj.io", "workflows", "apps", NO, "and runs nothing"),
]


@pytest.mark.parametrize(("persona", "verb", "api_group", "resource", "namespace", "answer", "sentence"), TRUTH)
def test_truth(
    persona: str, verb: str, api_group: str, resource: str, namespace: str, answer: bool, sentence: str
) -> None:
    question = rbac.Question(access.group_of(persona), verb, resource, api_group, namespace)
    assert rbac.allows(RBAC, question) is answer, sentence


def served(place: str) -> list[tuple[str, str]]:
    """Return API group and name of all that is served in a namespace, or beside namespaces."""
    found = []
    for group, resources in RESOURCES.items():
        for plural, spec in resources.items():
            if spec["namespaced"] == bool(place):
                found += [(group, plural), *((group, f"{plural}/{sub}") for sub in spec.get("subresources", []))]
    return found


def test_the_whole_table(golden: Callable[[str, str], None]) -> None:
    """Every persona, namespace, verb and resource: a paragraph for each persona, place and set of verbs."""
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    text = ""
    for persona in TABLE["personas"]:
        for place in ["", *NAMESPACES]:
            allowed: dict[str, list[str]] = {}
            for group, name in served(place):
                asked = [rbac.Question(access.group_of(persona), verb, name, group, place) for verb in verbs]
                may = ",".join(question.verb for question in asked if rbac.allows(RBAC, question))
                allowed.setdefault(may, []).append(f"{group}/{name}" if group else name)
            allowed.pop("", None)
            for may, names in allowed.items():
                what = (
                    "everything"
                    if len(names) == len(served(place))
                    else "\n    ".join(textwrap.wrap(" ".join(names), 100))
                )
                text += f"{persona} in {place or 'the cluster'} may {may}\n    {what}\n"
    golden("rbac.txt", text)


def test_every_name_is_real() -> None:
    assert rbac.unreal(RBAC, RESOURCES) == []


def test_no_group_is_left_loose() -> None:
    assert rbac.loose_ends(RBAC, {access.group_of(persona) for persona in TABLE["personas"]}) == []


def test_the_table_of_names_agrees_with_kubernetes_schemas() -> None:
    schemas = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.36.0-local"
    for group, resources in RESOURCES.items():
        for spec in resources.values():
            short = group.split(".")[0]
            names = [f"{spec['kind'].lower()}{f'-{short}' if short else ''}-{version}.json" for version in ("v1", "v2")]
            assert spec.get("foreign") or any((schemas / name).exists() for name in names), (group, spec)


@pytest.mark.parametrize("kind", ["rbac", "namespaces", "aws_auth"])
def test_manifests_are_valid(kind: str) -> None:
    documents = {
        "rbac": RBAC,
        "namespaces": list(access.namespaces(TABLE)),
        "aws_auth": [access.aws_auth(TABLE, environment) for environment in world.ENVIRONMENTS],
    }[kind]
    for document in documents:
        kubernetes_validate.validate(document, "1.36", strict=True)


def seeded(change: Callable[[dict], None]) -> tuple[rbac.Objects, dict]:
    table = copy.deepcopy(TABLE)
    change(table)
    return list(access.rbac(table)), table


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t["cluster_roles"]["namespace-viewer"][1].update(resources=["pods/logs"]),
            "core serves no pods/logs",
        ),
        (lambda t: t["cluster_roles"]["namespace-viewer"][3].update(resources=["hpa"]), "autoscaling serves no hpa"),
        (lambda t: t["cluster_roles"]["namespace-lister"][0].update(groups=["v1"]), "v1 serves no namespaces"),
        (lambda t: t["cluster_roles"]["namespace-lister"][0].update(verbs=["*"]), "a wildcard"),
    ],
    ids=["upstream's pods/logs", "a short name", "a version for a group", "a wildcard"],
)
def test_an_unreal_name_is_noticed(change: Callable[[dict], None], sentence: str) -> None:
    objects, _ = seeded(change)
    assert any(sentence in told for told in rbac.unreal(objects, RESOURCES))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t["personas"]["readonly"].update(cluster=[]), "platform:readonly: bound to nothing"),
        (lambda t: t["personas"].pop("licensing-user"), "platform:licensing-user: nobody is in it"),
        (lambda t: t["cluster_roles"].update(spare=[]), "platform-spare: used by nobody"),
    ],
    ids=["a group without bindings", "a binding without people", "a role for nobody"],
)
def test_a_loose_end_is_noticed(change: Callable[[dict], None], sentence: str) -> None:
    objects, table = seeded(change)
    # The groups that entries name are the new table's, the bindings of the removed persona are the old one's.
    bindings = objects if "licensing-user" in table["personas"] else RBAC
    assert sentence in rbac.loose_ends(bindings, {access.group_of(persona) for persona in table["personas"]})


def test_a_right_too_many_is_noticed() -> None:
    objects, _ = seeded(lambda table: table["personas"]["readonly"]["cluster"].append("namespace-admin"))
    asked = rbac.Question("platform:readonly", "get", "secrets", "", "apps")
    assert rbac.allows(objects, asked)
    assert not rbac.allows(RBAC, asked)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t["personas"]["developer"].update(cluster=["cluster-redaer"]), "cluster-redaer"),
        (lambda t: t["personas"]["developer"]["namespaces"].update(app=["namespace-admin"]), "'app'"),
        (lambda t: t["personas"]["developer"]["people"].update(prod=["role/x"]), "'prod'"),
        (lambda t: t["personas"]["developer"].update(people={}), "name somebody"),
    ],
    ids=["a misspelt role", "an unknown namespace", "an unknown environment", "nobody"],
)
def test_a_table_that_contradicts_itself_is_refused(
    change: Callable[[dict], None], sentence: str, tmp_path: Path
) -> None:
    table = copy.deepcopy(TABLE)
    change(table)
    path = tmp_path / "personas.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    with pytest.raises(access.TableError, match=sentence):
        access.read_table(path)


def test_what_is_rendered_is_what_the_table_says() -> None:
    for name, text in access.render(TABLE).items():
        assert (access.ACCESS / name).read_text(encoding="utf-8") == text, f"{name}: run make render-platform"


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
def test_aws_auth_says_what_the_access_entries_say(environment: str) -> None:
    found = world.build(environment)
    account = TABLE["environments"][environment]["account"]
    entries = {}
    for path, entry in found.of_type("AWS::EKS::AccessEntry"):
        if path.startswith("services/"):
            continue  # the release function, which is no person; the layer's own tests look after it
        role = found.resources["access/" + entry["PrincipalArn"].strip("<>").removesuffix(".Arn")]["Properties"]
        arn = f"arn:aws:iam::{account}:role{role['Path']}{role['RoleName']}".replace(
            "<ControlPlane/Cluster>", f"platform-{environment}"
        )
        entries[access.without_path(arn)] = entry["Username"], entry["KubernetesGroups"]
    rows = yaml.safe_load(access.aws_auth(TABLE, environment)["data"]["mapRoles"])
    people = {row["rolearn"]: (row["username"], row["groups"]) for row in rows if "system:nodes" not in row["groups"]}
    assert people == entries
    assert len(people) == len(TABLE["personas"])
    assert all(arn.count("/") == 1 for arn in people), "an ARN with a path never matches"


@pytest.mark.parametrize("environment", world.ENVIRONMENTS)
def test_aws_auth_keeps_the_nodes_in_the_cluster(environment: str) -> None:
    rows = yaml.safe_load(access.aws_auth(TABLE, environment)["data"]["mapRoles"])
    nodes = [row for row in rows if row["groups"] == ["system:bootstrappers", "system:nodes"]]
    name = next(
        given["RoleName"]
        for path, given in world.build(environment).of_type("AWS::IAM::Role")
        if path.endswith("NodeRole")
    )
    assert [row["rolearn"].rsplit("/", 1)[1] for row in nodes] == [
        name.replace("<ControlPlane/Cluster>", f"platform-{environment}")
    ]


@pytest.mark.parametrize(
    ("arn", "stripped"),
    [
        ("arn:aws:iam::111111111111:role/platform/x-developer", "arn:aws:iam::111111111111:role/x-developer"),
        ("arn:aws:iam::111111111111:role/a/b/c", "arn:aws:iam::111111111111:role/c"),
        ("arn:aws:iam::111111111111:role/plain", "arn:aws:iam::111111111111:role/plain"),
    ],
)
def test_paths_are_stripped(arn: str, stripped: str) -> None:
    assert access.without_path(arn) == stripped


def test_a_persona_may_be_absent_from_an_environment() -> None:
    table = copy.deepcopy(TABLE)
    del table["personas"]["licensing-user"]["people"]["integration"]
    part = access.people_template(table)

    def swap(sources: world.Templates, _: world.Parameters) -> None:
        sources["people.yaml"] = part

    there = [path for path, _ in world.build("production", swap).of_type("AWS::EKS::AccessEntry")]
    here = [path for path, _ in world.build("integration", swap).of_type("AWS::EKS::AccessEntry")]
    assert set(there) - set(here) == {"access/People/LicensingUserEntry"}
    assert "licensing-user" not in access.aws_auth(table, "integration")["data"]["mapRoles"]


def test_pod_security_is_said_for_every_namespace() -> None:
    levels = {}
    for namespace in access.namespaces(TABLE):
        labels = namespace["metadata"]["labels"]
        assert {f"pod-security.kubernetes.io/{mode}" for mode in ("enforce", "audit", "warn")} <= set(labels)
        levels[namespace["metadata"]["name"]] = labels["pod-security.kubernetes.io/enforce"]
    assert levels == {
        "apps": "restricted",
        "licensify": "restricted",
        "cluster-services": "baseline",
        "monitoring": "privileged",
    }


def test_check_says_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(access, "ACCESS", tmp_path)
    assert access.main(["--check"]) == 1
    assert "rendered/rbac.yaml: differs" in capsys.readouterr().out
    assert access.main([]) == 0
    assert access.main(["--check"]) == 0
