"""The template as CloudFormation sees it: `AWS::Include` inlined, SAM transformed, offline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.process import ROOT

__all__ = ["AnyTag", "references", "source", "transformed"]

PATH = ROOT / "template.yaml"
# Managed policies that SAM attaches by name; the real list is read from IAM at deployment.
_MANAGED = {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}


class AnyTag(yaml.SafeLoader):
    """Loads YAML with CloudFormation's short tags left as their bare values."""


AnyTag.add_multi_constructor(
    "!",
    lambda loader, _suffix, node: (
        loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping(node)
    ),
)


def _load(path: Path) -> Any:
    return yaml_parse(path.read_text())


def _include(node: Any) -> Any:
    """Replace every `Fn::Transform` of `AWS::Include` with the file that it names."""
    if isinstance(node, list):
        return [_include(item) for item in node]
    if not isinstance(node, dict):
        return node
    transform = node.get("Fn::Transform")
    if isinstance(transform, dict) and transform.get("Name") == "AWS::Include":
        return _include(_load(ROOT / transform["Parameters"]["Location"]))
    return {key: _include(value) for key, value in node.items()}


@cache
def source() -> dict[str, Any]:
    """Return the template as it is written, with short tags as `Fn::...`."""
    loaded: dict[str, Any] = _load(PATH)
    return loaded


@cache
def transformed(target: str = "aws") -> dict[str, Any]:
    """Return the template after the SAM transform, for a target."""
    template = _include(source())
    # The transform wants packaged code; where it lies does not matter here.
    for resource in template["Resources"].values():
        for key in ("CodeUri", "ContentUri", "DefinitionUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = "s3://bucket/key"
    session = boto3.Session(region_name="eu-west-1")
    translator = Translator(_MANAGED, Parser(), boto_session=session)
    parameters = {name: spec.get("Default", "") for name, spec in template["Parameters"].items()}
    made: dict[str, Any] = translator.translate(template, {**parameters, "Target": target})
    return made


def references(node: Any, names: set[str]) -> set[str]:
    """Return which of ``names`` a part of the template refers to by Ref, GetAtt, Sub or DependsOn."""
    found: set[str] = set()
    if isinstance(node, list):
        for item in node:
            found |= references(item, names)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and value in names:
                found.add(value)
            elif key == "Fn::GetAtt":
                found |= {(value.split(".") if isinstance(value, str) else value)[0]} & names
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                found |= {name for name in names if f"${{{name}}}" in text or f"${{{name}." in text}
                found |= references(value[1:] if isinstance(value, list) else [], names)
            elif key == "DependsOn":
                found |= set([value] if isinstance(value, str) else value) & names
            else:
                found |= references(value, names)
    return found
