"""The template as CloudFormation sees it: includes inlined, SAM transformed, intrinsics evaluated; offline.

    >>> stack = deployed({"EnableAuth": "false"}, Place("suite-prod", region="eu-central-1"))
    >>> stack.resources["ImagesBucket"].properties["BucketName"]

Names and ARNs that CloudFormation makes up at deployment are plausible ones in the documented form
(ops/return_values.py), so that policies can be matched against the resources that they mean.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from ops.paths import ROOT
from ops.return_values import RETURN_VALUES, ReturnValues

__all__ = [
    "PATH",
    "Place",
    "Resource",
    "Stack",
    "TemplateError",
    "deployed",
    "included",
    "resolve",
    "source",
    "transformed",
]

PATH = ROOT / "template.yaml"

type Template = dict[str, Any]

logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it tells of switches and metrics of its own

_ABSENT = object()  # what `AWS::NoValue` leaves
_PACKAGED = ("CodeUri", "ContentUri", "DefinitionUri")


class TemplateError(ValueError):
    """CloudFormation would refuse the template, or this module does not know a resource's attribute."""


@dataclass(frozen=True)
class Place:
    """Where a stack is.

    Attributes:
        stack: Its name.
        region: An AWS region, of any partition.
        account: Twelve digits.
    """

    stack: str = "suite-dev"
    region: str = "eu-west-1"
    account: str = "123456789012"

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(re.split(r"-[^-]+-\d", self.region)[0], "aws")

    @property
    def suffix(self) -> str:
        """What the region's host names end in."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"


@dataclass(frozen=True)
class Resource:
    """A resource with concrete properties.

    Attributes:
        name: Logical id.
        kind: Resource type, such as `AWS::S3::Bucket`.
        properties: As the service gets them.
        attributes: `DeletionPolicy`, `UpdateReplacePolicy` and the like.
        identifier: What `Ref` returns.
        arn: What `!GetAtt Arn` returns; empty where there is none.
        references: Logical ids of the resources that have to be there before.
        named: The physical name that the template gives; empty where CloudFormation makes one.
    """

    name: str
    kind: str
    properties: dict[str, Any]
    attributes: dict[str, Any]
    identifier: str
    arn: str
    references: frozenset[str]
    named: str


@dataclass(frozen=True)
class Stack:
    """A template for one set of parameters in one place."""

    place: Place
    parameters: dict[str, str]
    resources: dict[str, Resource]
    outputs: dict[str, str]
    dangling: tuple[tuple[str, str], ...] = ()  # references to what is not deployed
    declared: int = 0  # resources, switched off or not: CloudFormation counts them all
    size: int = 0  # bytes of the whole template as JSON
    exports: tuple[str, ...] = ()  # names of outputs that other stacks of the region see

    def of(self, *kinds: str) -> list[Resource]:
        """The resources of some types."""
        return [resource for resource in self.resources.values() if resource.kind in kinds]

    def at(self, value: Any, *kinds: str) -> Resource | None:
        """The resource whose `Ref` or ARN a property has, if it is in this stack (and of these types)."""
        return next(
            (
                resource
                for resource in self.resources.values()
                if value in (resource.identifier, resource.arn)
                and value
                and (not kinds or resource.kind in kinds)
            ),
            None,
        )


def _include(node: Any) -> Any:
    """Replace every `Fn::Transform` of `AWS::Include` with the file that it names."""
    if isinstance(node, list):
        return [_include(item) for item in node]
    if not isinstance(node, dict):
        return node
    transform = node.get("Fn::Transform")
    if isinstance(transform, dict) and transform.get("Name") == "AWS::Include":
        return _include(yaml_parse((ROOT / transform["Parameters"]["Location"]).read_text()))
    return {key: _include(value) for key, value in node.items()}


@cache
def source() -> Template:
    """Return the template as it is written, with short tags as `Fn::...`."""
    loaded: Template = yaml_parse(PATH.read_text())
    return loaded


@cache
def included() -> Template:
    """Return the template with the files that it includes."""
    whole: Template = _include(source())
    return whole


def transformed(
    parameters: Mapping[str, str] | None = None, region: str = "eu-west-1", template: Template | None = None
) -> Template:
    """Return the template after its transforms.

    Args:
        parameters: What differs from the defaults.
        region: SAM leaves resources out where a region lacks them.
        template: Another one than `template.yaml`, in the form of `included()`.
    """
    written = copy.deepcopy(template or included())
    # The transform wants packaged code; where it is does not matter here.
    for resource in written["Resources"].values():
        resource.setdefault("Properties", {}).update(
            {key: "s3://bucket/key" for key in _PACKAGED if key in resource.get("Properties", {})}
        )
    managed = {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaKinesisExecutionRole",
    }
    managed |= {"AWSLambdaDynamoDBExecutionRole", "AWSXRayDaemonWriteAccess"}
    policies = {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in managed}
    translator = Translator(policies, Parser(), boto_session=boto3.Session(region_name=region))
    given = {name: str(spec.get("Default", "")) for name, spec in written["Parameters"].items()}
    made: Template = translator.translate(written, given | dict(parameters or {}))
    return made


def deployed(
    parameters: Mapping[str, str] | None = None, place: Place | None = None, template: Template | None = None
) -> Stack:
    """Return the stack that a deployment with these parameters would be.

    Raises:
        TemplateError: CloudFormation would refuse it.
    """
    place = place or Place()
    return resolve(transformed(parameters, place.region, template), parameters or {}, place)


def resolve(template: Template, parameters: Mapping[str, str], place: Place) -> Stack:
    """Evaluate a transformed template.

    Raises:
        TemplateError: CloudFormation would refuse it.
    """
    return _Resolver(template, parameters, place).stack()


class _Resolver:
    """Evaluates one template, each resource's name when it is first asked for."""

    def __init__(self, template: Template, parameters: Mapping[str, str], place: Place) -> None:
        self._template = template
        self._place = place
        self._parameters = _checked(template["Parameters"], parameters)
        self._conditions: dict[str, bool] = {}
        self._evaluating: set[str] = set()
        self._referring: list[set[str]] = [set()]
        self._dangling: list[tuple[str, str]] = []
        self._owner = ""
        self._pseudo: dict[str, Any] = {
            "AWS::StackName": place.stack,
            "AWS::AccountId": place.account,
            "AWS::Region": place.region,
            "AWS::Partition": place.partition,
            "AWS::URLSuffix": place.suffix,
            "AWS::StackId": self._stack_id(),
            "AWS::NoValue": _ABSENT,
        }
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::And": lambda value: all(self._value(item) for item in _two_to_ten(value)),
            "Fn::Base64": lambda value: base64.b64encode(self._value(value).encode()).decode(),
            "Fn::Contains": lambda value: self._value(value[1]) in self._value(value[0]),
            "Fn::EachMemberIn": lambda value: set(self._value(value[0])) <= set(self._value(value[1])),
            "Fn::Equals": lambda value: _text(self._value(value[0])) == _text(self._value(value[1])),
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::If": lambda value: self._value(value[1] if self._condition(value[0]) else value[2]),
            "Fn::Join": lambda value: value[0].join(_text(item) for item in _listed(self._value(value[1]))),
            "Fn::Not": self._not,
            "Fn::Or": lambda value: any(self._value(item) for item in _two_to_ten(value)),
            "Fn::Select": self._select,
            "Fn::Split": lambda value: self._value(value[1]).split(value[0]),
            "Fn::Sub": self._sub,
        }

    def _stack_id(self) -> str:
        place = self._place
        return f"arn:{place.partition}:cloudformation:{place.region}:{place.account}:stack/{place.stack}/0"

    def stack(self) -> Stack:
        """Evaluate everything."""
        self._assert_rules()
        resources = {
            name: self._resource(name, written)
            for name, written in self._template["Resources"].items()
            if self._is_there(written)
        }
        outputs = {}
        for name, written in self._template.get("Outputs", {}).items():
            if self._is_there(written):
                self._owner = f"output {name}"
                outputs[name] = str(self._value(written["Value"]))
        exports = [each["Export"] for each in self._template.get("Outputs", {}).values() if "Export" in each]
        return Stack(
            self._place,
            self._parameters,
            resources,
            outputs,
            tuple(self._dangling),
            declared=len(self._template["Resources"]),
            size=len(json.dumps(self._template).encode()),
            exports=tuple(str(self._value(each["Name"])) for each in exports),
        )

    def _assert_rules(self) -> None:
        """Refuse what the template's own rules refuse."""
        for name, rule in self._template.get("Rules", {}).items():
            self._owner = f"rule {name}"
            if self._value(rule.get("RuleCondition", True)):
                for assertion in rule["Assertions"]:
                    if not self._value(assertion["Assert"]):
                        raise TemplateError(f"{name}: {assertion['AssertDescription']}")

    def _is_there(self, written: Mapping[str, Any]) -> bool:
        return "Condition" not in written or self._condition(written["Condition"])

    def _resource(self, name: str, written: Mapping[str, Any]) -> Resource:
        self._owner = name
        self._referring.append(set())
        properties = self._value(written.get("Properties", {}))
        depends = written.get("DependsOn", [])
        depends = [depends] if isinstance(depends, str) else depends
        found = self._referring.pop() | {each for each in depends if each in self._template["Resources"]}
        for each in depends:
            if each not in self._template["Resources"]:
                self._dangling.append((name, each))
        # A DependsOn of what is switched off is ignored, as CloudFormation does.
        there = {each for each in found if self._is_there(self._template["Resources"][each])}
        returned = RETURN_VALUES.get(written["Type"], ReturnValues())
        attributes = {
            key: self._value(value)
            for key, value in written.items()
            if key not in ("Type", "Properties", "Condition", "DependsOn")
        }
        return Resource(
            name, written["Type"], properties, attributes,
            self._format(name, returned.ref), self._format(name, returned.arn), frozenset(there - {name}),
            named=str(self._given_name(name)),
        )  # fmt: skip

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._value, node) if value is not _ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(key, argument)] = node.items()
            # A statement's own `Condition` is a mapping; the intrinsic names one of the template's.
            if key in self._functions and not (key == "Condition" and not isinstance(argument, str)):
                return self._call(key, argument)
            if key.startswith("Fn::"):
                raise TemplateError(f"{self._owner}: {key} is not known here; add it to ops/template.py")
        return {
            key: value
            for key, value in ((key, self._value(item)) for key, item in node.items())
            if value is not _ABSENT
        }

    def _call(self, function: str, argument: Any) -> Any:
        try:
            return self._functions[function](argument)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise TemplateError(f"{self._owner}: {function} of {argument!r}: {error}") from error

    def _not(self, value: list[Any]) -> bool:
        [only] = value if len(value) == 1 else [None]
        if only is None:
            raise TemplateError(f"{self._owner}: Fn::Not takes one condition")
        return not self._value(only)

    def _select(self, value: list[Any]) -> Any:
        place, items = int(self._value(value[0])), _listed(self._value(value[1]))
        if not 0 <= place < len(items):
            raise TemplateError(f"{self._owner}: Fn::Select takes item {place} of {len(items)}")
        return items[place]

    def _condition(self, name: str) -> bool:
        if name not in self._conditions:
            if name not in self._template.get("Conditions", {}):
                raise TemplateError(f"{self._owner}: there is no condition {name}")
            if name in self._evaluating:
                raise TemplateError(f"condition {name} depends on itself")
            self._evaluating.add(name)
            self._conditions[name] = bool(self._value(self._template["Conditions"][name]))
            self._evaluating.discard(name)
        return self._conditions[name]

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            text = self._parameters[name]
            is_list = self._template["Parameters"][name]["Type"] in ("CommaDelimitedList", "List<Number>")
            return [item.strip() for item in text.split(",")] if is_list else text
        return self._format(self._refer(name), self._returned(name).ref)

    def _get_att(self, value: Any) -> str:
        name, attribute = value.split(".", 1) if isinstance(value, str) else (value[0], ".".join(value[1:]))
        returned = self._returned(self._refer(name))
        form = returned.arn if attribute == "Arn" else returned.other.get(attribute, "")
        if not form:
            kind = self._template["Resources"][name]["Type"]
            raise TemplateError(f"{self._owner}: {kind} has no {attribute}; add it to ops/return_values.py")
        return self._format(name, form)

    def _sub(self, value: Any) -> str:
        text, given = (value, {}) if isinstance(value, str) else (value[0], self._value(value[1]))

        def replace(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in given:
                found = given[name]
            elif "." in name:
                found = self._get_att(name)
            else:
                found = self._ref(name)
            if isinstance(found, list | dict):
                raise TemplateError(f"{self._owner}: Fn::Sub takes no list ({name})")
            return _text(found)

        return re.sub(r"\$\{([^}]+)\}", replace, text)

    def _find_in_map(self, value: list[Any]) -> Any:
        table, first, second = (self._value(item) for item in value[:3])
        try:
            return self._template["Mappings"][table][first][second]
        except KeyError:
            if len(value) > 3:
                return self._value(value[3]["DefaultValue"])
            raise TemplateError(f"{self._owner}: mapping {table} has no {first}, {second}") from None

    def _refer(self, name: str) -> str:
        """Note that the resource under evaluation needs another."""
        if name not in self._template["Resources"]:
            raise TemplateError(f"{self._owner}: there is no resource {name}")
        self._referring[-1].add(name)
        if not self._is_there(self._template["Resources"][name]):
            self._dangling.append((self._owner, name))
        return name

    def _returned(self, name: str) -> ReturnValues:
        return RETURN_VALUES.get(self._template["Resources"][name]["Type"], ReturnValues())

    def _given_name(self, name: str) -> Any:
        """The physical name that the template gives, or something empty."""
        named_by = self._returned(name).name
        if not named_by:
            return ""
        node: Any = self._template["Resources"][name].get("Properties", {})
        for part in named_by.split("."):
            node = node.get(part, {}) if isinstance(node, dict) else {}
        self._referring.append(set())  # what the name is made of is no need of whoever asks for it
        value = self._value(node)
        self._referring.pop()
        return "" if value in ({}, _ABSENT) else value

    def _format(self, name: str, form: str) -> str:
        digest = hashlib.sha256(f"{self._place}{name}".encode()).hexdigest()
        physical = self._given_name(name) if form else ""
        if not physical:
            made = f"{self._place.stack}-{name}-{digest[:12].upper()}"
            is_bucket = self._template["Resources"][name]["Type"] == "AWS::S3::Bucket"
            physical = made.lower() if is_bucket else made
        uuid = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
        place = self._place
        return form.format(
            name=physical, id=digest, ID=digest.upper(), uuid=uuid, region=place.region,
            account=place.account, partition=place.partition, suffix=place.suffix,
        )  # fmt: skip


def _text(value: Any) -> str:
    """A value as CloudFormation writes it into text; booleans are `true` and `false`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"takes a list, not {value!r}")
    return value


def _two_to_ten(value: list[Any]) -> list[Any]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html"""
    if not 2 <= len(value) <= 10:
        raise TypeError(f"takes two to ten conditions, not {len(value)}")
    return value


def _checked(specifications: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The parameters' values, as CloudFormation takes or refuses them."""
    if unknown := set(given) - set(specifications):
        raise TemplateError(f"there is no parameter {', '.join(sorted(unknown))}")
    values = {}
    for name, spec in specifications.items():
        if name not in given and "Default" not in spec:
            raise TemplateError(f"parameter {name} has no value")
        text = str(given.get(name, spec.get("Default")))
        for problem in _problems(spec, text):
            raise TemplateError(f"parameter {name}={text!r}: {problem}")
        values[name] = text
    return values


def _problems(spec: Mapping[str, Any], text: str) -> Iterator[str]:
    if "AllowedValues" in spec and text not in [str(value) for value in spec["AllowedValues"]]:
        yield f"is none of {', '.join(str(value) for value in spec['AllowedValues'])}"
    items = text.split(",") if spec["Type"] == "CommaDelimitedList" else [text]
    if "AllowedPattern" in spec and not all(re.fullmatch(spec["AllowedPattern"], item) for item in items):
        yield f"does not match {spec['AllowedPattern']}"
    if not int(spec.get("MinLength", 0)) <= len(text) <= int(spec.get("MaxLength", len(text))):
        yield "is too short or too long"
    if spec["Type"] == "Number":
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
            yield "is not a number"
            return
        number = float(text)
        if not float(spec.get("MinValue", number)) <= number <= float(spec.get("MaxValue", number)):
            yield f"is not between {spec.get('MinValue', 'any')} and {spec.get('MaxValue', 'any')}"
