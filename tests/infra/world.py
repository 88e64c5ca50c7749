"""What the templates ask AWS for in one environment, all layers together, and how to ask with a template changed."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from infra.tools import resolve, templates

INFRA = Path(__file__).parents[2] / "infra"
ENVIRONMENTS = ("integration", "staging", "production")
# What is resolved together, lower ones first; their resources stand under the name's last word.
ROOTS = {
    "infrastructure": "cluster-infrastructure/template.yaml",
    "access": "cluster-access/template.yaml",
    "services": "cluster-services/template.yaml",
    "deploy-roles": "cluster-access/deploy-roles.yaml",
    "router-deploy-roles": "cluster-access/deploy-roles.yaml",
}
ACCOUNTS = {"integration": "111111111111", "staging": "222222222222", "production": "333333333333"}
FOLDERS = ("cluster-infrastructure", "cluster-access", "cluster-services")
STACKS = (*FOLDERS, "deploy-roles", "router-deploy-roles")
Templates = dict[str, dict[str, Any]]
Parameters = dict[str, dict[str, str]]
Mutation = Callable[[Templates, Parameters], None]


@dataclass
class World:
    """The resolved resources of an environment by path (``infrastructure/Network/Vpc``), and their parameters."""

    environment: str
    parameters: Parameters
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken_rules: list[str] = field(default_factory=list)

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield path and properties of the resources of the types."""
        for path, resource in self.resources.items():
            if resource["Type"] in types:
                yield path, resource["Properties"]

    def token(self, value: Any) -> str:
        """Return the path that a token such as ``<Network/Vpc.Arn>`` of the infrastructure layer points to."""
        return "infrastructure/" + str(value).strip("<>").split(".")[0]

    def at(self, value: Any) -> dict[str, Any]:
        """Return the properties of the resource that a token points to, or nothing."""
        return self.resources.get(self.token(value), {"Properties": {}})["Properties"]


@cache
def _sources() -> Templates:
    paths = [path for folder in FOLDERS for path in (INFRA / folder).glob("*.yaml")]
    return {path.name if path.name != "template.yaml" else path.parent.name: templates.load(path) for path in paths}


def parameters_of(environment: str, stack: str) -> dict[str, str]:
    """Return a stack's parameter set."""
    return json.loads((INFRA / "parameters" / environment / f"{stack}.json").read_text(encoding="utf-8"))


def build(environment: str, mutate: Mutation | None = None) -> World:
    """Resolve an environment; ``mutate`` may change the templates (by file name) and the parameters first."""
    return _built(environment, mutate) if mutate else _as_it_is(environment)


@cache
def _as_it_is(environment: str) -> World:
    return _built(environment, None)


def _built(environment: str, mutate: Mutation | None) -> World:
    sources = copy.deepcopy(_sources())
    parameters = {stack: parameters_of(environment, stack) for stack in STACKS}
    if mutate:
        mutate(sources, parameters)

    def read(path: Path) -> dict[str, Any]:
        return sources[path.name if path.name != "template.yaml" else path.parent.name]

    world = World(environment, parameters)
    exports: dict[str, Any] = {}
    for (layer, root), stack in zip(ROOTS.items(), STACKS, strict=True):
        account = ACCOUNTS[environment]
        found = resolve.resolve(INFRA / root, parameters[stack], account=account, imports=exports, read=read)
        exports |= found.exports
        world.broken_rules += found.broken_rules
        world.resources |= {f"{layer}/{path}": resource for path, resource in found.resources.items()}
    return world
