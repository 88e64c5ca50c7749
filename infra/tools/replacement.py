"""Name the resources that a change of templates or parameters would replace or remove, without asking AWS.

CloudFormation replaces a resource when a property changes that its schema calls create-only; cfn-lint ships the
schemas. ``python -m infra.tools.replacement --against REF`` compares the working tree with a revision, for every layer
and environment, and ends with 1 when something is lost that cannot be made again.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infra.tools import changes, resolve, stacks, templates

# The example's address is refused by the template, and nothing that could be lost depends on it.
ANY_ADDRESS = {"CatchAllEmail": "anybody@tocsin.test"}
_ABSENT = object()
Resources = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Loss:
    """A resource that would be made anew (``properties`` says because of what) or removed (no properties)."""

    path: str
    resource_type: str
    properties: tuple[str, ...]

    @property
    def is_precious(self) -> bool:
        """Say whether no deployment brings back what is lost."""
        return self.resource_type in changes.PRECIOUS

    def __str__(self) -> str:
        """Tell it in one line."""
        what = f"replaced, because {', '.join(self.properties)} changes" if self.properties else "removed"
        return f"{'!! ' if self.is_precious else ''}{self.path} ({self.resource_type}) would be {what}"


def create_only(resource_type: str) -> list[list[str]]:
    """Return the create-only properties of a type as paths; nothing for custom types and SAM's own."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(stacks.REGION, resource_type).schema
    except ResourceNotFoundError:
        return []
    pointers = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return [pointer.removeprefix("/properties/").split("/") for pointer in pointers]


def _at(node: Any, path: list[str]) -> Any:
    for index, name in enumerate(path):
        if name == "*" and isinstance(node, list):
            return [_at(each, path[index + 1 :]) for each in node]
        if not isinstance(node, dict) or name not in node:
            return _ABSENT
        node = node[name]
    return node


def losses(before: Resources, after: Resources) -> Iterator[Loss]:
    """Yield what would be replaced or removed between two resolved versions of a stack."""
    for path, old in before.items():
        new = after.get(path)
        if new is None:
            yield Loss(path, old["Type"], ())
            continue
        if new["Type"] != old["Type"]:
            yield Loss(path, old["Type"], ("Type",))
            continue
        changed = [
            "/".join(pointer)
            for pointer in create_only(old["Type"])
            if _at(old["Properties"], pointer) != _at(new["Properties"], pointer)
        ]
        if changed:
            yield Loss(path, old["Type"], tuple(changed))


def _at_revision(revision: str, path: Path) -> str | None:
    name = path.resolve().relative_to(stacks.ROOT).as_posix()
    shown = subprocess.run(  # noqa: S603 - git, with a revision of our own
        ["git", "-C", str(stacks.ROOT), "show", f"{revision}:{name}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout if shown.returncode == 0 else None


def _in_the_working_tree(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def resolved(layer: str, environment: str, text: Callable[[Path], str | None]) -> Resources:
    """Return the resources of a layer as the texts have it; nothing when it is not among them."""
    by_file = stacks.INFRA / "parameters" / environment / f"{layer}.json"
    given = text(stacks.ROOT / "samconfig.toml" if layer == stacks.ROUTER else by_file)
    root = stacks.template_of(layer)
    if given is None or text(root) is None:
        return {}
    values: dict[str, str] = (
        stacks.overrides(stacks.deployment(given, environment)) | ANY_ADDRESS
        if layer == stacks.ROUTER
        else json.loads(given)
    )

    def read(path: Path) -> dict[str, Any]:
        return templates.parse(text(path) or "")

    return resolve.resolve(root, values, read=read).resources


def main(arguments: list[str] | None = None) -> int:
    """Compare the layers and the router in every environment; 1 when something precious would be lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default="origin/main", metavar="REF", help="the revision that is deployed")
    options = parser.parse_args(arguments)
    lost_for_good = False
    for environment in stacks.ENVIRONMENTS:
        for layer in (*stacks.LAYERS, stacks.ROUTER):
            before = resolved(layer, environment, lambda path: _at_revision(options.against, path))
            after = resolved(layer, environment, _in_the_working_tree)
            for loss in losses(before, after):
                print(f"{stacks.stack_name(layer, environment)}: {loss}")
                lost_for_good |= loss.is_precious
    return 1 if lost_for_good else 0


if __name__ == "__main__":
    sys.exit(main())
