"""The shape of a policy: a sentence that holds everywhere, how to see that it does not, and seeds that prove it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.infra.world import Mutation, Templates, World


@dataclass(frozen=True)
class Seed:
    """A change of templates or parameters that breaks the policy; ``sentence`` says what somebody did."""

    sentence: str
    mutate: Mutation


@dataclass(frozen=True)
class Policy:
    """``check`` yields one sentence for each thing that breaks the policy."""

    sentence: str
    check: Callable[[World], Iterable[str]]
    seeds: tuple[Seed, ...]


def properties(templates: Templates, part: str, resource: str) -> dict[str, Any]:
    """Return the properties of a resource in a part, to be changed in place."""
    return templates[part]["Resources"][resource]["Properties"]


def steps(path: str) -> list[str]:
    """Split a path at its slashes; a slash within a name is written ~1, as in a JSON pointer."""
    return [step.replace("~1", "/") for step in path.split("/")]


def put(part: str, resource: str, path: str, value: Any) -> Mutation:
    """Return a mutation that sets a property; its path is slash separated, numbers index lists."""

    def mutate(templates: Templates, _: Any) -> None:
        *above, last = steps(path)
        node: Any = properties(templates, part, resource)
        for step in above:
            node = node[int(step)] if isinstance(node, list) else node[step]
        node[int(last) if isinstance(node, list) else last] = value

    return mutate


def drop(part: str, resource: str, path: str) -> Mutation:
    """Return a mutation that removes a property."""

    def mutate(templates: Templates, _: Any) -> None:
        *above, last = steps(path)
        node: Any = properties(templates, part, resource)
        for step in above:
            node = node[int(step)] if isinstance(node, list) else node[step]
        del node[int(last) if isinstance(node, list) else last]

    return mutate


def remove(part: str, resource: str) -> Mutation:
    """Return a mutation that removes a resource."""

    def mutate(templates: Templates, _: Any) -> None:
        del templates[part]["Resources"][resource]

    return mutate


def add(part: str, name: str, resource_type: str, **given: Any) -> Mutation:
    """Return a mutation that adds a resource."""

    def mutate(templates: Templates, _: Any) -> None:
        templates[part]["Resources"][name] = {"Type": resource_type, "Properties": given}

    return mutate


def parameter(name: str, value: str, stack: str = "cluster-infrastructure") -> Mutation:
    """Return a mutation that sets a parameter and lifts what would refuse it, so that the policy alone is asked."""

    def mutate(templates: Templates, parameters: dict[str, dict[str, str]]) -> None:
        parameters[stack][name] = value
        declared = templates[stack]["Parameters"][name]
        for guard in ("AllowedPattern", "AllowedValues"):
            declared.pop(guard, None)

    return mutate


def statements(world: World, *, resource_policies: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and statement of every policy of a role; with resource_policies of those on keys and buckets."""
    if resource_policies:
        for path, given in world.of_type("AWS::KMS::Key", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
            for statement in given.get("KeyPolicy", given.get("PolicyDocument"))["Statement"]:
                yield path, statement
        return
    for path, given in world.of_type("AWS::IAM::Role"):
        for policy in given.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield f"{path} {policy['PolicyName']}", statement
    for path, given in world.of_type("AWS::IAM::ManagedPolicy"):
        for statement in given["PolicyDocument"]["Statement"]:
            yield path, statement


def listed(value: Any) -> list[Any]:
    """Return a value that IAM allows to be one or many as a list."""
    return value if isinstance(value, list) else [value]
