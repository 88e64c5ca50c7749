"""Read CloudFormation templates: short tags become the long form, so that a template is plain data."""

from pathlib import Path
from typing import Any

import yaml

_LOCAL_KEYS = {"AWS::Serverless::Application": "Location", "AWS::CloudFormation::Stack": "TemplateURL"}


class _Loader(yaml.SafeLoader):
    """SafeLoader that knows CloudFormation's tags."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)
# A version such as 2010-09-09 is text here, not a date.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> dict[str, Any]:
    """Return the template that the text is, its intrinsic functions in their long form."""
    template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with tags added
    return template


def load(path: Path) -> dict[str, Any]:
    """Return the template at the path, its intrinsic functions in their long form."""
    return parse(path.read_text(encoding="utf-8"))


def nested(path: Path) -> dict[str, Path]:
    """Return the parts that a template nests: logical id, and the path of the part."""
    found = {}
    for name, resource in load(path).get("Resources", {}).items():
        location = resource.get("Properties", {}).get(_LOCAL_KEYS.get(resource["Type"], ""))
        if isinstance(location, str):
            found[name] = (path.parent / location).resolve()
    return found


def of_stack(folder: Path) -> list[Path]:
    """Return a stack's template and all parts beneath it, each once; empty when the stack does not exist."""
    root = folder / "template.yaml"
    waiting, seen = ([root.resolve()] if root.exists() else []), []
    while waiting:
        path = waiting.pop(0)
        if path not in seen:
            seen.append(path)
            waiting += nested(path).values()
    return seen
