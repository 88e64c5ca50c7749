"""The template as CloudFormation gets to see it: packaged (code in S3) and transformed by SAM's own translator."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
CODE_BUCKET = "packaged-code"
MAPPING = "AWS::Lambda::EventSourceMapping"


def read() -> dict[str, Any]:
    """Read template.yaml as it was written."""
    template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    return template


def transformed(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Do what ``sam deploy`` and CloudFormation do: local code becomes an object in S3, SAM becomes CloudFormation."""
    template = copy.deepcopy(read())
    for resource in template["Resources"].values():
        for key in ("CodeUri", "ContentUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = f"s3://{CODE_BUCKET}/{resource['Properties'][key].strip('/')}"
    values = {name: str(spec.get("Default", "")) for name, spec in template["Parameters"].items()} | dict(parameters)
    # the managed policies are only asked for by resources without a role of their own; ours all have one
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name=REGION))
    translated: dict[str, Any] = translator.translate(template, parameter_values=values, feature_toggle=_no_toggles())
    return translated


def _no_toggles() -> Mock:
    return Mock(**{"is_enabled.return_value": False})


def of_type(template: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the resources of one type by logical name."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource


def scheduled(resource: Mapping[str, Any]) -> bool:
    """Whether it is a rule that fires by the clock."""
    return resource["Type"] == "AWS::Events::Rule" and "ScheduleExpression" in resource["Properties"]
