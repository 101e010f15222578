"""The resolver, beside what CloudFormation's documentation says of each function."""

from __future__ import annotations

from typing import Any

import pytest
from samcli.lib.intrinsic_resolver.intrinsic_property_resolver import IntrinsicResolver
from samcli.lib.intrinsic_resolver.intrinsics_symbol_table import IntrinsicsSymbolTable

from ops.template import Place, TemplateError, resolve

PARAMETERS = {
    "Names": {"Type": "CommaDelimitedList", "Default": "a, b,c"},
    "Nobody": {"Type": "CommaDelimitedList", "Default": ""},
    "On": {"Type": "String", "Default": "true", "AllowedValues": ["true", "false"]},
    "Count": {"Type": "Number", "Default": "7", "MinValue": 1, "MaxValue": 9},
    "Short": {"Type": "String", "Default": "abc", "MinLength": 2, "MaxLength": 4},
}


def template(value: Any, **conditions: Any) -> dict[str, Any]:
    return {
        "Parameters": PARAMETERS,
        "Conditions": {
            "Yes": {"Fn::Equals": ["1", "1"]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
            **conditions,
        },
        "Mappings": {"Map": {"eu-west-1": {"Key": "value"}}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Off": {"Type": "AWS::SQS::Queue", "Condition": "No"},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}},
        },
    }


def value_of(value: Any, parameters: dict[str, str] | None = None, **conditions: Any) -> Any:
    stack = resolve(template(value, **conditions), parameters or {}, Place("suite"))
    return stack.resources["Topic"].properties.get("DisplayName", "(none)")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Names"}, ["a", "b", "c"]),
        ({"Ref": "Nobody"}, [""]),
        ({"Fn::Join": [",", {"Ref": "Nobody"}]}, ""),
        ({"Fn::Join": ["-", [1, True, "x"]]}, "1-true-x"),
        ({"Fn::Select": ["1", {"Ref": "Names"}]}, "b"),
        ({"Fn::Split": [".", "a.b."]}, ["a", "b", ""]),
        ({"Fn::Sub": "${AWS::StackName}-${!Literal}-${Count}"}, "suite-${Literal}-7"),
        ({"Fn::Sub": ["${A}${B}", {"A": True, "B": {"Ref": "AWS::Region"}}]}, "trueeu-west-1"),
        ({"Fn::If": ["No", "x", {"Ref": "AWS::NoValue"}]}, "(none)"),
        ([{"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, 2], [2]),
        ({"Fn::If": ["Yes", {"Fn::If": ["No", 1, 2]}, 3]}, 2),
        ({"Fn::FindInMap": ["Map", {"Ref": "AWS::Region"}, "Key"]}, "value"),
        ({"Fn::FindInMap": ["Map", "x", "Key", {"DefaultValue": "other"}]}, "other"),
        ({"Fn::Base64": "abc"}, "YWJj"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:aws:sqs:eu-west-1:123456789012:suite-Queue-"),
    ],
)  # fmt: skip
def test_functions_answer_as_documented(value: Any, expected: Any) -> None:
    found = value_of(value)
    assert (
        found.startswith(expected)
        if isinstance(expected, str) and expected[-1:] == "-"
        else found == expected
    )


@pytest.mark.parametrize("written", [True, "true"])
def test_an_unquoted_boolean_equals_its_text(written: Any) -> None:
    """A switch compared with `true` instead of `"true"` must not hide its application from the rules."""
    shown = {"Fn::If": ["Switched", "on", "off"]}
    assert value_of(shown, Switched={"Fn::Equals": [{"Ref": "On"}, written]}) == "on"


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Select": [3, {"Ref": "Names"}]},
        {"Fn::Select": [-1, {"Ref": "Names"}]},
        {"Fn::Join": [",", "abc"]},
        {"Fn::Join": [{"Ref": "On"}, ["a"]]},
        {"Fn::Split": [",", {"Ref": "Names"}]},
        {"Fn::Sub": "${Names}"},
        {"Fn::Sub": ["${A}", {"A": {"Ref": "Names"}}]},
        {"Fn::If": ["Maybe", 1, 2]},
        {"Fn::FindInMap": ["Map", "x", "Key"]},
        {"Fn::GetAtt": "Queue.Colour"},
        {"Ref": "Nothing"},
        {"Fn::Cidr": ["10.0.0.0/16"]},
    ],
)
def test_what_cloudformation_refuses_is_refused(value: Any) -> None:
    with pytest.raises(TemplateError):
        value_of(value)


@pytest.mark.parametrize(
    "condition",
    [
        {"Fn::And": [{"Condition": "Yes"}]},
        {"Fn::Or": [{"Condition": "Yes"}] * 11},
        {"Fn::Not": [{"Condition": "Yes"}] * 2},
        {"Condition": "Looks"},
    ],
)
def test_conditions_that_cloudformation_refuses_are_refused(condition: Any) -> None:
    with pytest.raises(TemplateError):
        value_of({"Fn::If": ["Looks", 1, 2]}, Looks=condition)


@pytest.mark.parametrize(
    "given",
    [{"Count": "1_0"}, {"Count": "10"}, {"Count": "inf"}, {"On": "True"}, {"Short": "a"}, {"New": "1"}],
)
def test_parameters_that_cloudformation_refuses_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(TemplateError):
        value_of("x", given)


def test_references_to_what_is_switched_off_are_named() -> None:
    assert resolve(template({"Ref": "Off"}), {}, Place()).dangling == (("Topic", "Off"),)


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Sub": "${AWS::StackName}/${AWS::Region}"},
        {"Fn::Join": ["/", ["a", {"Ref": "AWS::Region"}]]},
        {"Fn::Select": [1, {"Fn::Split": [":", "a:b"]}]},
        {"Fn::If": ["Yes", "1", "2"]},
        {"Fn::FindInMap": ["Map", {"Ref": "AWS::Region"}, "Key"]},
    ],
)
def test_the_sam_cli_resolves_alike(value: Any) -> None:
    """Another implementation; of the functions that it has in this form."""
    whole = template(value)
    known = {"AWS::StackName": "suite", "AWS::Region": "eu-west-1"}
    symbols = IntrinsicsSymbolTable(whole, logical_id_translator=known)
    theirs = IntrinsicResolver(whole, symbols).intrinsic_property_resolver(value, ignore_errors=False)
    assert value_of(value) == theirs
