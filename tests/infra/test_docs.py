"""What the platform's pages say about files, targets, parameters and prices is so."""

import re
from pathlib import Path

import pytest
import yaml

from infra.tools import cost, resolve, stacks, templates
from tests.infra import policy_identity, world

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/platform.md", ROOT / "infra/README.md", *sorted((ROOT / "docs/decisions").glob("01*.md"))]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_cost_table_is_what_the_parameters_cost() -> None:
    told = re.search(r"<!-- cost -->\n(.*)<!-- /cost -->", text_of(ROOT / "docs/platform.md"), re.DOTALL)[1]
    assert told == cost.table(), "python -m infra.tools.cost"


@pytest.mark.parametrize("environment", stacks.ENVIRONMENTS)
def test_every_line_of_the_bill_costs_something(environment: str) -> None:
    bill = cost.lines(environment)
    assert all(line.dollars > 0 for line in bill)
    nodes = next(line for line in bill if "nodes" in line.what)
    assert nodes.dollars / sum(line.dollars for line in bill) > 0.85, "the page says nine tenths"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_exist(path: Path) -> None:
    for name in re.findall(r"`((?:infra|tests|docs)/[\w./-]+\.\w+)`", text_of(path)):
        assert (ROOT / name).exists(), name
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text_of(path)):
        assert (path.parent / target).exists(), target
    for module in re.findall(r"`(?:python -m )?(infra\.tools\.\w+)`", text_of(path)):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_targets_that_are_named_exist(path: Path) -> None:
    targets = set()
    for makefile in [ROOT / "Makefile", *ROOT.glob("*.mk"), *(ROOT / "infra").glob("*.mk")]:
        targets |= set(re.findall(r"^([a-z-]+):", text_of(makefile), re.MULTILINE))
    for call in re.findall(r"`make ([^`]+)`", text_of(path)):
        assert {word for word in call.split() if re.fullmatch(r"[a-z-]+", word)} & targets, call


def test_parameters_that_are_named_exist() -> None:
    declared = set()
    for folder in world.FOLDERS:
        for path in templates.of_stack(world.INFRA / folder):
            found = templates.load(path)
            declared |= set(found.get("Parameters", {})) | set(found.get("Outputs", {}))
    declared |= set(templates.load(world.INFRA / "cluster-access/deploy-roles.yaml")["Parameters"])
    router = templates.load(stacks.template_of(stacks.ROUTER))
    declared |= set(router["Parameters"]) | set(router["Outputs"])
    named = re.findall(r"`([A-Z][a-z]+[A-Z]\w+)(?:: \"\w+\")?`", text_of(ROOT / "docs/platform.md"))
    properties = {"UpgradePolicy", "DeletionPolicy", "InstanceTypes", "AmiType", "DesiredSize"}
    assert sorted(set(named) - declared - properties) == []


def test_the_table_of_identities_is_the_policies() -> None:
    rows = re.findall(r"^\| ([\w-]+) / ([\w-]+) \|", text_of(ROOT / "infra/README.md"), re.MULTILINE)
    assert set(rows) == policy_identity.IDENTITIES


def test_the_exports_that_are_told_are_there() -> None:
    page = text_of(ROOT / "infra/README.md")
    root = world.INFRA / "cluster-infrastructure/template.yaml"
    exports = resolve.resolve(root, world.parameters_of("staging", "cluster-infrastructure")).exports
    section = page[page.index("Exports of") : page.index("## Service accounts")]
    told = set(re.findall(r"`(?:platform-<env>)?-([A-Z]\w+)`", section))
    assert {name.removeprefix("platform-staging-") for name in exports} == told - {"Groups"}


def test_service_accounts_in_values_are_those_with_an_identity() -> None:
    """A chart whose service account is named otherwise has no rights in AWS."""
    values = {path.stem: yaml.safe_load(text_of(path)) or {} for path in (world.INFRA / "values").glob("*.yaml")}
    named = {
        "external-secrets": values["external-secrets"]["serviceAccount"]["name"],
        "aws-load-balancer-controller": values["aws-load-balancer-controller"]["serviceAccount"]["name"],
        "cluster-autoscaler": values["cluster-autoscaler"]["rbac"]["serviceAccount"]["name"],
        "fluent-bit": values["fluent-bit-cloudwatch"]["serviceAccount"]["name"],
    }
    assert named == {name: name for name in named}
    assert set(named) <= {account for _, account in policy_identity.IDENTITIES}
    balancer = values["aws-load-balancer-controller"]
    assert (balancer["enableWaf"], balancer["enableShield"]) == (False, False)
    assert {"region", "vpcId"} <= set(balancer)
