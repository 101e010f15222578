"""Policies of a stack, taken apart, and AWS's list of actions.

The list is `policy_sentry`'s, made from https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from policy_sentry.querying.actions import get_action_data
from policy_sentry.shared.iam_data import get_service_prefix_data

from ops.template import Resource, Stack

__all__ = [
    "Policy",
    "Statement",
    "allows",
    "as_list",
    "covers",
    "formats",
    "keys_of",
    "policies",
    "resource_fits",
    "statements",
]

type Kind = Literal["identity", "trust", "resource"]


@dataclass(frozen=True)
class Policy:
    """One policy document: of a role, of who may assume it, or of a resource."""

    owner: Resource
    name: str
    kind: Kind
    document: Any


@dataclass(frozen=True)
class Statement:
    """One statement of a policy."""

    policy: Policy
    body: dict[str, Any]

    @property
    def where(self) -> str:
        """The owner's name and the statement's."""
        return f"{self.policy.owner.name} ({self.body.get('Sid', self.policy.name)})"

    @property
    def actions(self) -> list[str]:
        """The actions that it names."""
        return as_list(self.body.get("Action", self.body.get("NotAction", [])))

    @property
    def resources(self) -> list[str]:
        """The resources that it names."""
        return as_list(self.body.get("Resource", self.body.get("NotResource", [])))

    @property
    def conditions(self) -> list[tuple[str, str, list[Any]]]:
        """Operator, key and values of each condition."""
        return [
            (operator, key, as_list(values))
            for operator, keys in self.body.get("Condition", {}).items()
            for key, values in keys.items()
        ]

    @property
    def sources(self) -> list[str]:
        """The ARNs that its conditions on `aws:SourceArn` name."""
        return [value for _, key, values in self.conditions if key == "aws:SourceArn" for value in values]

    @property
    def services(self) -> list[str]:
        """The service principals that it names."""
        principal = self.body.get("Principal", {})
        return as_list(principal.get("Service", [])) if isinstance(principal, dict) else []


def as_list(value: Any) -> list[Any]:
    """A value that may be written alone or as a list."""
    return value if isinstance(value, list) else [value]


_DOCUMENTS: dict[str, str] = {
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::Logs::ResourcePolicy": "PolicyDocument",
    "AWS::OpenSearchService::Domain": "AccessPolicies",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
}


def policies(stack: Stack, *kinds: Kind) -> Iterator[Policy]:
    """Every policy of a stack, or those of some kinds."""
    for resource in stack.resources.values():
        for policy in _policies_of(resource):
            if not kinds or policy.kind in kinds:
                yield policy


def _policies_of(resource: Resource) -> Iterator[Policy]:
    properties = resource.properties
    if resource.kind == "AWS::IAM::Role":
        yield Policy(resource, "trust", "trust", properties["AssumeRolePolicyDocument"])
        for inline in properties.get("Policies", []):
            yield Policy(resource, inline["PolicyName"], "identity", inline["PolicyDocument"])
    elif resource.kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        yield Policy(resource, resource.name, "identity", properties["PolicyDocument"])
    elif _DOCUMENTS.get(resource.kind) in properties:
        document = properties[_DOCUMENTS[resource.kind]]
        yield Policy(
            resource,
            resource.name,
            "resource",
            json.loads(document) if isinstance(document, str) else document,
        )


def statements(stack: Stack, *kinds: Kind) -> Iterator[Statement]:
    """Every statement of a stack, or those of policies of some kinds."""
    for policy in policies(stack, *kinds):
        for body in as_list(policy.document.get("Statement", [])):
            yield Statement(policy, body)


@cache
def _action(name: str) -> tuple[dict[str, Any], ...]:
    service, _, action = name.partition(":")
    found = get_action_data(service, action)
    return tuple(found[service]) if found else ()


def formats(action: str) -> set[str]:
    """The forms of ARN that an action takes, `*` for none; empty for an action that does not exist."""
    found = {row["resource_arn_format"] for row in _action(action) if row["action"] == action}
    return found - {"*"} | _rest_resources() if action in REST_ACTIONS else found


REST_ACTIONS = {f"apigateway:{method}" for method in ("DELETE", "GET", "PATCH", "POST", "PUT")}


@cache
def _rest_resources() -> set[str]:
    """The forms of ARN of API Gateway, whose actions are HTTP's methods.

    The reference lists the resources of REST APIs, and leaves open which method each of them takes:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
    """
    resources = get_service_prefix_data("apigateway")["resources"].values()
    return {str(resource["arn"]) for resource in resources}


def keys_of(action: str) -> set[str]:
    """The condition keys that an action knows, with `${TagKey}` or `<key>` where they end in a name."""
    return {key for row in _action(action) for key in row["condition_keys"]}


@cache
def resource_fits(resource: str, form: str) -> bool:
    """Whether an ARN, which may have wildcards, can be of a documented form."""
    pieces = re.split(r"(\$\{[A-Za-z]+\})", form)
    no_slash = ("${BucketName}", "${TableName}", "${IndexName}")

    def pattern_of(piece: str) -> str:
        if piece in no_slash:
            return "[^/]+"
        return ".*" if piece.startswith("${") else re.escape(piece)

    pattern = "".join(map(pattern_of, pieces))
    if re.fullmatch(pattern, resource):
        return True
    # `log-group:name:*` is a group and its streams:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    return resource.endswith(":*") and re.fullmatch(pattern, f"{resource[:-1]}log-stream:*") is not None


def covers(pattern: str, arn: str) -> bool:
    """Whether a policy's resource, with `*` and `?` as wildcards, is or covers an ARN."""
    return fnmatch.fnmatchcase(arn, pattern.replace("[", "[[]"))


def allows(stack: Stack, role: str, action: str, resource: str) -> bool:
    """Whether a role's policies allow an action on a resource, conditions aside."""
    return any(
        statement.body.get("Effect") == "Allow"
        and action in statement.actions
        and any(covers(pattern, resource) for pattern in statement.resources)
        for statement in statements(stack, "identity")
        if role in (statement.policy.owner.arn, statement.policy.owner.identifier)
    )
