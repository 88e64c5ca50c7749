"""In which order CloudFormation makes the resources of a template and of its nested parts.

A part is made when all in it is made, and nothing in it is begun before all that the part refers to is there. The
graph says so with a node for each part (``Nodes``) besides one for each resource (``Nodes/BlueNodes``). Conditions are
left out of account: an order must hold for every set of parameters.
"""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from infra.tools import resolve, templates

Graph = dict[str, set[str]]


def references(node: Any) -> Iterator[str]:
    """Yield the names that an expression refers to, parameters among them."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        for key, argument in node.items():
            if key == "Ref":
                yield argument
            elif key == "Fn::GetAtt":
                yield argument[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{([^!}.]+)", argument if isinstance(argument, str) else argument[0])
            yield from references(argument)


def graph(path: Path, read: resolve.Reader = templates.load) -> Graph:
    """Return, for every resource and part, what has to be made before it."""
    return _graph(path, read, "", set())


def _graph(path: Path, read: resolve.Reader, prefix: str, inherited: set[str]) -> Graph:
    found: Graph = {}
    resources = read(path).get("Resources", {})
    for name, resource in resources.items():
        named = resource.get("DependsOn", [])
        wanted = {named} if isinstance(named, str) else set(named)
        wanted |= set(references(resource.get("Properties", {}))) & set(resources)
        before = inherited | {prefix + each for each in wanted}
        found[prefix + name] = before
        if resource["Type"] in resolve.NESTED:
            location = path.parent / resource["Properties"][resolve.NESTED[resource["Type"]]]
            inner = _graph(location, read, f"{prefix}{name}/", before)
            found |= inner
            found[prefix + name] = before | set(inner)
    return found


def cycle(edges: Graph) -> list[str]:
    """Return a cycle as a list of names, or nothing when there is an order."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def comes_before(edges: Graph, earlier: str, later: str) -> bool:
    """Say whether the later is never begun before the earlier is made."""
    waiting, seen = [later], {later}
    while waiting:
        for name in edges.get(waiting.pop(), set()) - seen:
            if name == earlier:
                return True
            seen.add(name)
            waiting.append(name)
    return False
