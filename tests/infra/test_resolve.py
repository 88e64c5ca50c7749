"""The resolver, function by function."""

from pathlib import Path
from typing import Any

import pytest

from infra.tools import resolve, templates


def resolved(text: str, parts: dict[str, str] | None = None, **given: str) -> resolve.Resolved:
    texts = {"root.yaml": text} | (parts or {})
    return resolve.resolve(
        Path("root.yaml"), given, imports={"shared": "it"}, read=lambda path: templates.parse(texts[path.name])
    )


def value_of(expression: str) -> Any:
    text = f"""
Parameters:
  Text: {{ Type: String, Default: word }}
  List: {{ Type: CommaDelimitedList, Default: "a, b" }}
  Count: {{ Type: Number, Default: 3 }}
Mappings:
  Sizes: {{ small: {{ nodes: 1, zones: [x, y] }} }}
Conditions:
  IsWord: !Equals [!Ref Text, word]
  IsNotWord: !Not [!Condition IsWord]
Resources:
  Thing: {{ Type: "AWS::SQS::Queue" }}
Outputs:
  It: {{ Value: {expression} }}
"""
    return resolved(text).outputs["It"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Text", "word"),
        ("!Ref List", ["a", "b"]),
        ("!Ref Count", 3),
        ("!Ref Thing", "<Thing>"),
        ("!GetAtt Thing.Arn", "<Thing.Arn>"),
        ("!GetAtt [Thing, Arn]", "<Thing.Arn>"),
        ("!Ref AWS::Region", "eu-west-1"),
        ('!Sub "${Text}-${Count}-${Thing.Arn}-${!literal}"', "word-3-<Thing.Arn>-${literal}"),
        ('!Sub ["${Text}-${Other}", {Other: !Ref Text}]', "word-word"),
        ('!Join ["-", !Ref List]', "a-b"),
        ('!Join ["-", !GetAtt Thing.Names]', "<Thing.Names>"),
        ('!Split [",", "x,y"]', ["x", "y"]),
        ("!Select [1, !Ref List]", "b"),
        ("!FindInMap [Sizes, small, nodes]", 1),
        ("!FindInMap [Sizes, small, zones]", ["x", "y"]),
        ("!If [IsWord, yes-it-is, no]", "yes-it-is"),
        ("!If [IsNotWord, no, other]", "other"),
        ('{a: 1, b: !Ref "AWS::NoValue"}', {"a": 1}),
        ('[1, !If [IsNotWord, 2, !Ref "AWS::NoValue"], 3]', [1, 3]),
        ("!ImportValue shared", "it"),
        ("!Base64 x", "x"),
    ],
)
def test_functions(expression: str, value: Any) -> None:
    assert value_of(expression) == value


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("!Ref Nobody", "neither a parameter nor a resource"),
        ("!GetAtt Nobody.Arn", "is no resource"),
        ("!FindInMap [Sizes, large, nodes]", "has no large"),
        ("!Select [5, !Ref List]", "select 5"),
        ("!ImportValue unknown", "nobody exports unknown"),
        ("!If [Missing, 1, 2]", "condition Missing"),
        ("!Transform x", "does not know"),
    ],
)
def test_what_cannot_be_resolved_says_why(expression: str, sentence: str) -> None:
    with pytest.raises(resolve.ResolveError, match=sentence):
        value_of(expression)


PART = """
Parameters: { Name: { Type: String } }
Conditions: { IsBig: !Equals [!Ref Name, big] }
Resources:
  Queue: { Type: "AWS::SQS::Queue", Properties: { QueueName: !Ref Name } }
  Extra: { Type: "AWS::SQS::Queue", Condition: IsBig }
Outputs: { Arn: { Value: !GetAtt Queue.Arn } }
"""
ROOT = """
Resources:
  One: { Type: "AWS::Serverless::Application", Properties: { Location: part.yaml, Parameters: { Name: big } } }
  Two:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: part.yaml, Parameters: { Name: !GetAtt One.Outputs.Arn } }
"""


def test_parts_are_resolved_with_what_they_are_given() -> None:
    found = resolved(ROOT, {"part.yaml": PART}).resources
    assert sorted(found) == ["One/Extra", "One/Queue", "Two/Queue"]
    assert found["Two/Queue"]["Properties"] == {"QueueName": "<One/Queue.Arn>"}


def test_an_output_that_a_part_does_not_have() -> None:
    with pytest.raises(resolve.ResolveError, match="part One has no output Url"):
        resolved(ROOT.replace("Outputs.Arn", "Outputs.Url"), {"part.yaml": PART})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({}, "parameter Name has neither value nor default"), ({"Name": "x", "Other": "y"}, "no parameters Other")],
)
def test_parameters_must_be_the_declared_ones(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(resolve.ResolveError, match=sentence):
        resolved(PART, **given)


@pytest.mark.parametrize(("given", "broken"), [("big", ["say small"]), ("small", [])])
def test_rules_that_do_not_hold_are_told(given: str, broken: list[str]) -> None:
    text = """
Parameters: { Name: { Type: String } }
Rules:
  NotBig: { Assertions: [ { Assert: !Not [!Equals [!Ref Name, big]], AssertDescription: say small } ] }
"""
    assert resolved(text, Name=given).broken_rules == broken


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("!And [!Equals [a, a], !Equals [b, b]]", True),
        ("!And [!Equals [a, a], !Equals [b, c]]", False),
        ("!Or [!Equals [a, b], !Equals [b, b]]", True),
        ("!Not [!Or [!Equals [a, b], !Equals [b, c]]]", True),
        ("!Equals [1, '1']", True),
        ("!Equals [true, 'true']", True),
    ],
)
def test_conditions(condition: str, truth: bool) -> None:
    text = f"Conditions: {{ It: {condition} }}\nResources: {{ Thing: {{ Type: 'AWS::SQS::Queue', Condition: It }} }}"
    assert bool(resolved(text).resources) is truth
