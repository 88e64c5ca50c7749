"""CloudFormation's intrinsic functions, as far as template.yaml uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\$\{([\w:.]+)\}")
NO_VALUE = object()


class Resolver:
    """Resolves values of one stack; ``physical`` is filled once the stack exists."""

    def __init__(
        self, template: Mapping[str, Any], parameters: Mapping[str, str], *, region: str, account: str, stack: str
    ) -> None:
        self._template = template
        self._region, self._account = region, account
        self._known: dict[str, Any] = {
            name: str(spec.get("Default", "")) for name, spec in template["Parameters"].items()
        }
        self._known |= parameters
        lists = [name for name, spec in template["Parameters"].items() if spec["Type"] == "CommaDelimitedList"]
        self._known |= {name: self._known[name].split(",") for name in lists}
        self._known |= {
            "AWS::Region": region, "AWS::AccountId": account, "AWS::Partition": "aws", "AWS::StackName": stack,
            "AWS::NoValue": NO_VALUE,
        }  # fmt: skip
        self.physical: dict[str, str] = {}

    def resolve(self, value: Any) -> Any:
        """Resolve a value with everything in it."""
        if isinstance(value, list):
            return [resolved for part in value if (resolved := self.resolve(part)) is not NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self.reference(argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        return {key: resolved for key, part in value.items() if (resolved := self.resolve(part)) is not NO_VALUE}

    def reference(self, name: str) -> Any:
        """Give what ``!Ref`` gives: a parameter's value or a resource's physical id."""
        return self._known[name] if name in self._known else self.physical[name]

    def holds(self, condition: Any) -> bool:
        """Judge a condition by name or written out."""
        if isinstance(condition, str):
            return self.holds(self._template["Conditions"][condition])
        ((name, argument),) = condition.items()
        if name == "Fn::Equals":
            return bool(self.resolve(argument[0]) == self.resolve(argument[1]))
        assert name == "Fn::Not", name
        return not self.holds(argument[0])

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Fn::GetAtt":
            return self._attribute(*argument)
        if name == "Fn::Join":
            return str(argument[0]).join(self.resolve(argument[1]))
        if name == "Fn::Sub":
            return _PLACEHOLDER.sub(lambda found: self._placeholder(found[1]), argument)
        assert name == "Fn::If", name
        return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])

    def _placeholder(self, name: str) -> str:
        return str(self._attribute(*name.split(".", 1)) if "." in name else self.reference(name))

    def _attribute(self, logical: str, attribute: str) -> str:
        kind = self._template["Resources"][logical]["Type"]
        name = self.reference(logical)
        if kind == "AWS::SQS::Queue":
            name = name.rpartition("/")[2]
            return name if attribute == "QueueName" else self._arn("sqs", name)
        if kind == "AWS::Events::EventBus" and attribute == "Name":
            return name
        assert attribute == "Arn", (logical, attribute)
        prefix = {
            "AWS::DynamoDB::Table": ("dynamodb", "table/"),
            "AWS::Events::EventBus": ("events", "event-bus/"),
            "AWS::Logs::LogGroup": ("logs", "log-group:"),
            "AWS::Lambda::Function": ("lambda", "function:"),
        }[kind]
        return self._arn(prefix[0], prefix[1] + name)

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self._region}:{self._account}:{resource}"
