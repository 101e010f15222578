"""What IAM has to look at for a request: the permissions that it needs, and what conditions ask of resources.

A service's module says both with decorators::

    @permissions("dms:StartReplicationTask")
    def _start(request: Request) -> list[Check]:
        return [Check("dms:StartReplicationTask", request.document()["ReplicationTaskArn"])]

    @tags("dms")
    def _tags(arn: str) -> Mapping[str, str]:
        return TASKS[arn].tags

    @conditions("kms")
    def _aliases(arn: str) -> Mapping[str, Any]:
        return {"kms:resourcealiases": ["alias/orders"]}

Without ``permissions`` a request needs the one that the emulator derives from it. All checks must allow it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_actions

from local.engine.patching import pin, replaces

__all__ = [
    "Check",
    "Request",
    "checks_of",
    "conditions",
    "note_refusal",
    "permissions",
    "resource_context",
    "tags",
]

_CHECKS = "engine:checks"


@dataclass(frozen=True)
class Request:
    """A request to a service.

    Attributes:
        method: Of HTTP.
        path: Of HTTP, decoded.
        body: As it came.
        parameters: Of the query, and of a form in the body.
        region: Where the request goes.
        account: Whose request it is.
    """

    method: str
    path: str
    body: bytes
    parameters: Mapping[str, Any]
    region: str
    account: str

    def document(self) -> dict[str, Any]:
        """Return the JSON object in the body; empty if there is none."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def parameter(self, name: str) -> str:
        """Return a parameter of a query or of a JSON object; empty if it is absent."""
        found = self.parameters.get(name) or self.document().get(name) or ""
        return str(found[0] if isinstance(found, list) else found)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of the caller's account and region; ARNs stay what they are."""
        if resource.startswith("arn:"):
            return resource
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Check:
    """A permission that a request needs.

    Attributes:
        action: Such as ``iam:PassRole``.
        resource: ARN.
        context: Condition keys of this check alone.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, Any] = field(default_factory=dict)


_permissions: dict[str, Callable[[Request], list[Check]]] = {}
_tags: dict[str, Callable[[str], Mapping[str, str]]] = {}
_conditions: dict[str, Callable[[str], Mapping[str, Any]]] = {}
_request_keys: dict[str, Callable[[Request], Mapping[str, Any]]] = {}
_request: ContextVar[Request] = ContextVar("request")
_refused: ContextVar[Check | None] = ContextVar("refused", default=None)


def permissions[F: Callable[[Request], list[Check]]](*actions: str) -> Callable[[F], F]:
    """Register a function that says which permissions requests of these actions need."""

    def register(function: F) -> F:
        _permissions.update(dict.fromkeys(actions, function))
        return function

    return register


def tags[F: Callable[[str], Mapping[str, str]]](*services: str) -> Callable[[F], F]:
    """Register a function that gives the tags of a resource, by ARN; services are named as in ARNs."""

    def register(function: F) -> F:
        _tags.update(dict.fromkeys(services, function))
        return function

    return register


def conditions[F: Callable[[str], Mapping[str, Any]]](service: str) -> Callable[[F], F]:
    """Register a function that gives the condition keys of a resource, by ARN, in lower case."""

    def register(function: F) -> F:
        _conditions[service] = function
        return function

    return register


def request_keys[F: Callable[[Request], Mapping[str, Any]]](service: str) -> Callable[[F], F]:
    """Register a function that gives the condition keys of a request, in lower case."""

    def register(function: F) -> F:
        _request_keys[service] = function
        return function

    return register


def checks_of(action: str, resource: str, context: dict[str, Any]) -> list[Check]:
    """Return what a request needs; takes the engine's own entry out of its context."""
    found: list[Check] = context.pop(_CHECKS, None) or [Check(action, resource)]
    return found


def resource_context(action: str, resource: str) -> dict[str, Any]:
    """Return the condition keys of a resource: of its tags, global ones and the service's, and others."""
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html and the
    # condition keys of Amazon EC2, ECS, EC2 Auto Scaling and Systems Manager (`ssm:resourceTag/...`).
    service = resource.split(":")[2] if resource.count(":") >= 5 else ""
    found = _tags[service](resource) if service in _tags else {}
    prefixes = ("aws", action.partition(":")[0])
    tagged = {f"{prefix}:resourcetag/{key}": value for key, value in found.items() for prefix in prefixes}
    return tagged | dict(_conditions[service](resource) if service in _conditions else {})


def note_refusal(check: Check) -> None:
    """Remember which permission is missing: the answer names it."""
    _refused.set(check)


@replaces(iam_actions, "extract_resource_arn", digest="82f51700695c")
def _resource_arn(
    original: Callable[..., str], service: str, method: str, path: str, headers: dict[str, str], body: bytes,
    parameters: dict[str, Any], region: str, account: str,
) -> str:  # fmt: skip
    """IAM sees each resource that a request is about, not the first alone"""
    _request.set(Request(method, path, body, parameters, region, account))
    return original(service, method, path, headers, body, parameters, region, account)


@replaces(iam_actions, "request_tag_context", digest="d46adb816e02")
def _context(original: Callable[..., Any], service: str, action: str, body: bytes, parameters: Any) -> Any:
    """IAM asks for all permissions that a request needs, such as that to pass a role"""
    context = dict(original(service, action, body, parameters))
    if service in _request_keys:
        context |= _request_keys[service](_request.get())
    needed = _permissions.get(action)
    if needed is not None:
        context[_CHECKS] = needed(_request.get())
    return context


@replaces(iam_actions, "access_denied_response", digest="3cc2e315f91f")
def _denied(
    original: Callable[..., Any], service: str, action: str, principal: str, request_id: str, **named: Any
) -> Any:
    """A refusal names the permission that is missing, and on which resource"""
    check = _refused.get()
    if check is not None and not named.get("error_code"):
        _refused.set(None)
        if action in _permissions:
            named["message"] = iam_actions.identity_denial_message(
                check.action, principal, check.resource, bool(named.get("explicit_deny"))
            )
        action, named["resource_arn"] = check.action, check.resource
    return original(service, action, principal, request_id, **named)


pin(iam_actions, "identity_denial_message", "82f77b7767c6")
