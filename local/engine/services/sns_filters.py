"""Amazon SNS: filter policies are validated as AWS does, and those of message bodies see arrays of objects.

https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html: "A filter policy can
have a maximum of five keys", "The total combination of values in a filter policy must not exceed 150", "The
maximum size of a filter policy is 256 KB". The values of a key at depth n count n times, the alternatives of
`$or` are added up.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

from ministack.services import sns as service
from ministack.services.cloudformation import provisioners

from local.engine.patching import pin, replaces

type _Answer = tuple[int, dict[str, str], bytes]

_MOST_KEYS, _MOST_COMBINATIONS, _LARGEST_POLICY = 5, 150, 256 * 1024
_SCOPES = ("MessageAttributes", "MessageBody")
_STRING_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard", "cidr")
_LOWER, _UPPER = (">", ">="), ("<", "<=")


class InvalidFilterPolicy(ValueError):
    """A filter policy that AWS refuses, with its reason."""


# ----------------------------------------------------------------------------------------------- validation


def validate(text: str, scope: str) -> None:
    """Check a filter policy; an empty one, which filters nothing, is fine.

    Args:
        text: The policy, as JSON.
        scope: ``MessageAttributes`` or ``MessageBody``.

    Raises:
        InvalidFilterPolicy: It is refused.
    """
    if scope not in _SCOPES:
        raise InvalidFilterPolicy(
            f"FilterPolicyScope: Invalid value [{scope}]. Please use either MessageBody or MessageAttributes"
        )
    if not text:
        return
    try:
        policy = json.loads(text)
    except ValueError as error:
        raise InvalidFilterPolicy("FilterPolicy: failed to parse JSON.") from error
    if not isinstance(policy, dict):
        raise InvalidFilterPolicy("FilterPolicy: failed to parse JSON. Filter is not an object")
    if len(text.encode()) > _LARGEST_POLICY:
        raise InvalidFilterPolicy("FilterPolicy: Filter policy is too large")
    if len(policy) > _MOST_KEYS:
        raise InvalidFilterPolicy(f"FilterPolicy: Filter policy can not have more than {_MOST_KEYS} keys")
    if _combinations(policy, nested=scope == "MessageBody") > _MOST_COMBINATIONS:
        raise InvalidFilterPolicy("FilterPolicy: Filter policy is too complex")


def _combinations(policy: dict[str, Any], *, nested: bool, depth: int = 1) -> int:
    """Check a policy's rules; return how many combinations of values it has."""
    total = 1
    for key, rules in policy.items():
        if key == "$or" and service._is_or_operator(rules):
            total *= sum(_combinations(each, nested=nested, depth=depth) for each in rules)
        elif isinstance(rules, dict):
            if not nested:
                raise InvalidFilterPolicy(
                    "Filter policy scope MessageAttributes does not support nested filter policy"
                )
            total *= _combinations(rules, nested=nested, depth=depth + 1)
        elif not isinstance(rules, list):
            raise InvalidFilterPolicy(f'FilterPolicy: "{key}" must be an object or an array')
        elif not rules:
            raise InvalidFilterPolicy("FilterPolicy: Empty arrays are not allowed")
        else:
            for rule in rules:
                _check_rule(rule)
            total *= len(rules) * depth
    return total


def _refuse(reason: str) -> None:
    raise InvalidFilterPolicy(f"FilterPolicy: {reason}")


def _check_rule(rule: Any) -> None:
    if isinstance(rule, list):
        _refuse("Match value must be String, number, true, false, or null")
    if not isinstance(rule, dict):
        return
    if len(rule) != 1:
        _refuse("Only one key allowed in match expression")
    [(operator, value)] = rule.items()
    check = _CHECKS.get(operator)
    if check is None:
        _refuse(f"Unrecognized match type {operator}")
    else:
        check(operator, value)


def _check_string(operator: str, value: Any) -> None:
    if not isinstance(value, str):
        _refuse(f"{operator} match pattern must be a string")


def _check_cidr(operator: str, value: Any) -> None:
    _check_string(operator, value)
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        _refuse(f"Malformed CIDR, one '/' required: {value}")


def _check_exists(_operator: str, value: Any) -> None:
    if not isinstance(value, bool):
        _refuse("exists match pattern must be either true or false.")


def _check_anything_but(_operator: str, value: Any) -> None:
    if isinstance(value, dict):
        if len(value) != 1 or not value.keys() <= set(_STRING_OPERATORS):
            _refuse(f"Unsupported anything-but pattern: {', '.join(value)}")
        _check_rule(value)
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, (str, int, float, dict)) or isinstance(each, bool):
            _refuse("anything-but match value must be a string or a number")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_numeric(_operator: str, value: Any) -> None:
    """Check a numeric rule: one comparison, or a lower and an upper bound."""
    if not isinstance(value, list):
        return _refuse("Value of numeric must be an array.")
    if not value or not isinstance(value[0], str):
        return _refuse(f"Invalid member in numeric match: {value[0] if value else ']'}")
    if value[0] not in ("=", *_LOWER, *_UPPER):
        return _refuse(f"Unrecognized numeric range operator: {value[0]}")
    if len(value) < 2 or not _is_number(value[1]):
        return _refuse(f"Value of {'equals' if value[0] == '=' else value[0]} must be numeric")
    return _check_range(value) if len(value) > 2 else None


def _check_range(value: list[Any]) -> None:
    if value[0] not in _LOWER:
        _refuse("Too many elements in numeric expression")
    if not isinstance(value[2], str):
        _refuse(f"Bad value in numeric range: {value[2]}")
    if value[2] not in _UPPER:
        _refuse(f"Bad numeric range operator: {value[2]}")
    if len(value) < 4 or not _is_number(value[3]):
        _refuse(f"Value of {value[2]} must be numeric")
    if value[3] <= value[1]:
        _refuse("Bottom must be less than top")
    if len(value) > 4:
        _refuse("Too many terms in numeric range expression")


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(_STRING_OPERATORS, _check_string),
    "cidr": _check_cidr,
    "exists": _check_exists,
    "anything-but": _check_anything_but,
    "numeric": _check_numeric,
}


# ----------------------------------------------------------------------------------------------- the actions


def _refusal(error: InvalidFilterPolicy, prefix: str = "") -> _Answer:
    answer: _Answer = service._error("InvalidParameter", f"Invalid parameter: {prefix}{error}", 400)
    return answer


@replaces(service, "_subscribe", digest="db260c543268")
def _subscribe(original: Callable[..., _Answer], params: dict[str, Any]) -> _Answer:
    """Filter policies that AWS refuses are refused at Subscribe"""
    given: dict[str, str] = {}
    while name := service._p(params, f"Attributes.entry.{len(given) + 1}.key"):
        given[name] = service._p(params, f"Attributes.entry.{len(given) + 1}.value")
    try:
        validate(given.get("FilterPolicy", ""), given.get("FilterPolicyScope", _SCOPES[0]))
    except InvalidFilterPolicy as error:
        return _refusal(error, "Attributes Reason: ")
    return original(params)


@replaces(service, "_set_subscription_attributes", digest="d98a75e05453")
def _set_attributes(original: Callable[..., _Answer], params: dict[str, Any]) -> _Answer:
    """Filter policies that AWS refuses are refused at SetSubscriptionAttributes"""
    arn, name = service._p(params, "SubscriptionArn"), service._p(params, "AttributeName")
    subscription = service._find_subscription(service._sub_arn_to_topic.get(arn) or "", arn)
    if subscription is not None and name in ("FilterPolicy", "FilterPolicyScope"):
        value, scope = (
            service._p(params, "AttributeValue"),
            subscription["attributes"].get("FilterPolicyScope"),
        )
        policy, scope = ("", value) if name == "FilterPolicyScope" else (value, scope)
        try:
            validate(policy, scope or _SCOPES[0])
        except InvalidFilterPolicy as error:
            return _refusal(error)
    return original(params)


@replaces(provisioners, "_sns_sub_attributes", digest="02f0abacb58e")
def _properties(original: Callable[..., dict[str, str]], properties: dict[str, Any]) -> dict[str, str]:
    """CloudFormation refuses subscriptions with a filter policy that SNS refuses"""
    attributes = original(properties)
    try:
        validate(attributes.get("FilterPolicy", ""), attributes.get("FilterPolicyScope") or _SCOPES[0])
    except InvalidFilterPolicy as error:
        raise ValueError(
            f"Invalid parameter: Attributes Reason: {error} "
            "(Service: Sns, Status Code: 400, Error Code: InvalidParameter)"
        ) from error
    # An update sets one after the other: what a policy may be depends on the scope.
    return dict(sorted(attributes.items(), key=lambda each: each[0] != "FilterPolicyScope"))


# ------------------------------------------------------------------------------------------------- matching


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return an object, or the objects in an array, in arrays of arrays too."""
    if isinstance(value, list):
        return [found for each in value for found in _objects(each)]
    return [value] if isinstance(value, dict) else []


def _leaves(value: Any) -> list[Any]:
    """Return a value, or the values in an array, in arrays of arrays too."""
    if isinstance(value, list):
        return [found for each in value for found in _leaves(each)]
    return [] if isinstance(value, dict) else [value]


def body_matches(policy: dict[str, Any], body: dict[str, Any]) -> bool:
    """Tell whether a policy matches a message body; rules about an array's objects have to agree on one."""
    for key, rules in policy.items():
        if key == "$or" and service._is_or_operator(rules):
            matches = any(body_matches(each, body) for each in rules)
        elif isinstance(rules, dict):
            matches = any(body_matches(rules, each) for each in _objects(body.get(key)) or [{}])
        else:
            values = _leaves(body[key]) if key in body else []
            matches = service._key_matches(rules, bool(values), values, True)
        if not matches:
            return False
    return True


@replaces(service, "_matches_filter_policy", digest="16fce5e70fec")
def _matches(
    original: Callable[..., bool], subscription: dict[str, Any], attributes: Any, message: str = ""
) -> bool:
    """Filter policies of message bodies look into arrays of objects"""
    settings = subscription["attributes"]
    if settings.get("FilterPolicyScope") != "MessageBody" or not settings.get("FilterPolicy"):
        return original(subscription, attributes, message)
    try:
        body = json.loads(message)
    except ValueError:
        return False
    return isinstance(body, dict) and body_matches(json.loads(settings["FilterPolicy"]), body)


pin(service, "_key_matches", "f3b9e814d162")
pin(service, "_is_or_operator", "b207fdf8e597")
