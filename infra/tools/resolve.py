"""Resolve a template, its nested parts included, for one set of parameters: what CloudFormation would be asked to make.

Pure: templates come from the reader that the caller passes, and names that only AWS knows become tokens such as
``<Network/Vpc>`` or ``<Network/Vpc.Arn>``, which travel through parameters and outputs like the real ones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.tools import templates

Reader = Callable[[Path], dict[str, Any]]
NESTED = {"AWS::Serverless::Application": "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "<stack>",
    "AWS::StackId": "<stack id>",
}
_NOTHING = object()


class ResolveError(Exception):
    """A template cannot be resolved: the message names the template and the parameter, mapping or function."""


@dataclass(slots=True)
class Resolved:
    """A template with everything filled in.

    ``resources`` by path (``Network/Vpc``), parts' own entries left out; ``outputs`` and ``exports`` of the root;
    ``broken_rules`` are the descriptions of the assertions under Rules that do not hold.
    """

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)
    broken_rules: list[str] = field(default_factory=list)


def resolve(
    path: Path,
    parameters: Mapping[str, str],
    *,
    account: str = "111111111111",
    imports: Mapping[str, Any] | None = None,
    read: Reader = templates.load,
) -> Resolved:
    """Resolve a template.

    Arguments:
        path: the root template.
        parameters: values as in a parameter file; the rest are the template's defaults.
        account: what AWS::AccountId stands for.
        imports: what other stacks export; without it an import becomes a token.
        read: returns the template at a path in its long form.

    Raises:
        ResolveError: a parameter is missing or unknown or not allowed, or a function is unknown.
    """
    return _Scope(path, read, parameters, PSEUDO | {"AWS::AccountId": account}, imports, "").run()


class _Scope:
    """One template while it is being resolved."""

    def __init__(
        self, path: Path, read: Reader, given: Mapping[str, Any], pseudo: Mapping[str, str], imports: Any, prefix: str
    ) -> None:
        self.path, self.read, self.pseudo, self.imports, self.prefix = path, read, pseudo, imports, prefix
        self.template = read(path)
        self.parameters = self._parameters(given)
        self.parts: dict[str, Resolved] = {}
        self.conditions = self.template.get("Conditions", {})

    def run(self) -> Resolved:
        found = Resolved()
        for rule in self.template.get("Rules", {}).values():
            if self.truth(rule.get("RuleCondition", True)):
                found.broken_rules += [
                    a["AssertDescription"] for a in rule["Assertions"] if not self.truth(a["Assert"])
                ]
        for name, resource in self.template.get("Resources", {}).items():
            if not self.exists(name):
                continue
            if resource["Type"] in NESTED:
                part = self.part(name)
                found.resources |= part.resources
                found.broken_rules += part.broken_rules
            else:
                found.resources[self.prefix + name] = self.resource(resource)
        for name, output in self.template.get("Outputs", {}).items():
            if "Condition" in output and not self.condition(output["Condition"]):
                continue
            found.outputs[name] = self.value(output["Value"])
            if "Export" in output:
                found.exports[self.value(output["Export"]["Name"])] = found.outputs[name]
        return found

    def resource(self, resource: dict[str, Any]) -> dict[str, Any]:
        kept = {"Type": resource["Type"]}
        for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
            if attribute in resource:
                kept[attribute] = self.value(resource[attribute])
        return kept | {"Properties": self.value(resource.get("Properties", {}))}

    def part(self, name: str) -> Resolved:
        if name not in self.parts:
            resource = self.template["Resources"][name]
            properties = resource["Properties"]
            location = self.path.parent / properties[NESTED[resource["Type"]]]
            given = self.value(properties.get("Parameters", {}))
            scope = _Scope(location, self.read, given, self.pseudo, self.imports, f"{self.prefix}{name}/")
            self.parts[name] = scope.run()
        return self.parts[name]

    def exists(self, name: str) -> bool:
        resource = self.template["Resources"][name]
        return "Condition" not in resource or self.condition(resource["Condition"])

    def condition(self, name: str) -> bool:
        if name not in self.conditions:
            raise ResolveError(f"{self.path.name}: condition {name} is not defined")
        return self.truth(self.conditions[name])

    def truth(self, test: Any) -> bool:
        if isinstance(test, bool):
            return test
        ((function, argument),) = test.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Not":
            return not self.truth(argument[0])
        if function in ("Fn::And", "Fn::Or"):
            return (all if function == "Fn::And" else any)(self.truth(each) for each in argument)
        if function == "Fn::Equals":
            left, right = (_text(self.value(side)) for side in argument)
            return bool(left == right)
        raise ResolveError(f"{self.path.name}: {function} is no condition that this resolver knows")

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [each for each in map(self.value, node) if each is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return _FUNCTIONS.get(function, _unknown)(self, argument)
        kept = {key: self.value(each) for key, each in node.items()}
        return {key: each for key, each in kept.items() if each is not _NOTHING}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.template.get("Resources", {}):
            return f"<{self.prefix}{name}>"
        raise ResolveError(f"{self.path.name}: {name} is neither a parameter nor a resource")

    def attribute(self, name: str, attribute: str) -> Any:
        resource = self.template.get("Resources", {}).get(name)
        if resource is None:
            raise ResolveError(f"{self.path.name}: {name} is no resource")
        if resource["Type"] not in NESTED:
            return f"<{self.prefix}{name}.{attribute}>"
        outputs = self.part(name).outputs
        output = attribute.removeprefix("Outputs.")
        if output not in outputs:
            raise ResolveError(f"{self.path.name}: part {name} has no output {output}")
        return outputs[output]

    def _parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        declared = self.template.get("Parameters", {})
        if unknown := set(given) - set(declared):
            raise ResolveError(f"{self.path.name}: no parameters {', '.join(sorted(unknown))}")
        values: dict[str, Any] = {}
        for name, spec in declared.items():
            text = _text(given.get(name, spec.get("Default", _NOTHING)))
            if text is _NOTHING:
                raise ResolveError(f"{self.path.name}: parameter {name} has neither value nor default")
            _check(f"{self.path.name}: parameter {name}", spec, text)
            kind = spec["Type"]
            if kind == "CommaDelimitedList" or kind.startswith("List<"):
                values[name] = [each.strip() for each in text.split(",")]
            else:
                # What another stack exports is a token here, of a number too.
                values[name] = int(text) if kind == "Number" and not text.startswith("<") else text
        return values


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int | float) else value


def _check(where: str, spec: Mapping[str, Any], text: str) -> None:
    if "AllowedValues" in spec and text not in [_text(value) for value in spec["AllowedValues"]]:
        raise ResolveError(f"{where}: {text!r} is not among {spec['AllowedValues']}")
    if "AllowedPattern" in spec and not re.fullmatch(spec["AllowedPattern"], text):
        raise ResolveError(f"{where}: {text!r} does not match {spec['AllowedPattern']}")
    if "MinValue" in spec and float(text) < float(spec["MinValue"]):
        raise ResolveError(f"{where}: {text} is less than {spec['MinValue']}")


def _sub(scope: _Scope, argument: Any) -> str:
    template, given = (argument, {}) if isinstance(argument, str) else (argument[0], scope.value(argument[1]))

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("!"):
            return "${" + name[1:] + "}"
        if name in given:
            return str(given[name])
        known = name in scope.pseudo or name in scope.parameters or "." not in name
        return str(_text(scope.ref(name) if known else scope.attribute(*name.split(".", 1))))

    return re.sub(r"\$\{([^}]+)\}", fill, template)


def _find_in_map(scope: _Scope, argument: list[Any]) -> Any:
    names = scope.value(argument[:3])
    found: Any = scope.template.get("Mappings", {})
    for name in names:
        if name not in found:
            raise ResolveError(f"{scope.path.name}: mapping {'/'.join(names)} has no {name}")
        found = found[name]
    return found


def _select(scope: _Scope, argument: list[Any]) -> Any:
    index, values = int(scope.value(argument[0])), scope.value(argument[1])
    if index >= len(values):
        raise ResolveError(f"{scope.path.name}: select {index} of {values}")
    return values[index]


def _join(scope: _Scope, argument: list[Any]) -> str:
    values = scope.value(argument[1])
    # A list that only AWS knows, such as name servers, is a token already.
    return values if isinstance(values, str) else argument[0].join(_text(value) for value in values)


def _import(scope: _Scope, argument: Any) -> Any:
    name = scope.value(argument)
    if scope.imports is None:
        return f"<import {name}>"
    if name not in scope.imports:
        raise ResolveError(f"{scope.path.name}: nobody exports {name}")
    return scope.imports[name]


def _unknown(scope: _Scope, _: Any) -> Any:
    raise ResolveError(f"{scope.path.name}: a function that this resolver does not know")


_FUNCTIONS: dict[str, Callable[[_Scope, Any], Any]] = {
    "Ref": lambda scope, name: scope.ref(name),
    "Fn::GetAtt": lambda scope, argument: scope.attribute(argument[0], ".".join(argument[1:])),
    "Fn::If": lambda scope, argument: scope.value(argument[1] if scope.condition(argument[0]) else argument[2]),
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": lambda scope, argument: str(scope.value(argument[1])).split(argument[0]),
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import,
    "Fn::Base64": lambda scope, argument: scope.value(argument),
}
