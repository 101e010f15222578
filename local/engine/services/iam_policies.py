"""AWS IAM, Amazon S3, SQS and SNS: what AWS refuses in a policy is refused, by API and in CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam, s3, sns, sqs
from ministack.services.cloudformation import provisioners

from local.engine.patching import PATCHES, Patch, pin, replaces
from local.engine.services.policy_grammar import (
    MANAGED_POLICY_SIZE,
    TRUST_POLICY_SIZE,
    identity_policy_fault,
    resource_policy_fault,
    size,
    trust_policy_fault,
)

type _Properties = dict[str, Any]
type _Answer = tuple[int, dict[str, str], bytes]
type _Check = Callable[[_Properties], None]

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: "You can add as many inline
# policies as you want to an IAM user, role, or group. But the total aggregate policy size (the sum size of
# all inline policies) per entity cannot exceed the following limits".
_INLINE_SIZE = {"user": 2048, "role": 10_240, "group": 5120}


class _LimitExceeded(ValueError):
    """A policy is larger than IAM takes."""


# ------------------------------------------------------------------------------------------------ documents


@replaces(iam_evaluator, "validate_policy_document", digest="1b9ec79ea08b")
def _validate(_original: Callable[..., str | None], document: str | _Properties) -> str | None:
    """Policies of identities are refused where they are not of the grammar of AWS's policy language"""
    return identity_policy_fault(document)


@replaces(iam, "_trust_policy_not_principal_error", digest="a8f0de38b24d")
def _validate_trust(original: Callable[..., str | None], document: str | _Properties) -> str | None:
    """Trust policies are refused without statement, principal or action, or with a resource"""
    return original(document) or trust_policy_fault(document)


# ---------------------------------------------------------------------------------------------------- sizes


def _check_inline(kind: str, name: str, documents: list[str]) -> None:
    limit = _INLINE_SIZE[kind]
    if sum(map(size, documents)) > limit:
        raise _LimitExceeded(f"Maximum policy size of {limit} bytes exceeded for {kind} {name}")


def _check_size(document: str, limit: int, quota: str) -> None:
    if size(document) > limit:
        raise _LimitExceeded(f"Cannot exceed quota for {quota}: {limit}")


def _inline_policies(kind: str, name: str) -> dict[str, str] | None:
    """Return the inline policies of a role, user or group by name; None if it does not exist."""
    if kind == "role":
        role = iam._roles.get(name)
        return None if role is None else role["InlinePolicies"]
    store, policies = {
        "user": (iam._users, iam._user_inline_policies),
        "group": (iam._groups, iam._group_inline_policies),
    }[kind]
    return (policies.get(name) or {}) if name in store else None


def _check_put(kind: str) -> _Check:
    def check(params: _Properties) -> None:
        name = iam._p(params, f"{kind.title()}Name")
        policies = _inline_policies(kind, name)
        if policies is not None:
            new = {iam._p(params, "PolicyName"): iam._p(params, "PolicyDocument")}
            _check_inline(kind, name, list((policies | new).values()))

    return check


def _check_managed(params: _Properties) -> None:
    document = iam._p(params, "PolicyDocument")
    fault = identity_policy_fault(document, managed=True)
    if fault:
        raise ValueError(fault)
    _check_size(document, MANAGED_POLICY_SIZE, "PolicySize")


def _check_trust(params: _Properties) -> None:
    document = iam._p(params, "AssumeRolePolicyDocument") or iam._p(params, "PolicyDocument")
    _check_size(document, TRUST_POLICY_SIZE, "ACLSizePerRole")


def _checked(action: str, name: str, digest: str, check: _Check, restores: str) -> None:
    """Have a function look at the parameters of an action of IAM before the emulator does."""

    def checked(original: Callable[[_Properties], _Answer], params: _Properties) -> _Answer:
        try:
            check(params)
        except _LimitExceeded as error:
            return _refusal(409, "LimitExceeded", str(error))
        except ValueError as error:
            return _refusal(400, "MalformedPolicyDocument", str(error))
        return original(params)

    checked.__doc__ = restores
    replaces(iam, name, digest=digest)(checked)
    iam._IAM_HANDLERS[action] = getattr(iam, name)


def _refusal(status: int, code: str, message: str) -> _Answer:
    answer: _Answer = iam._error(status, code, message, ns="iam")
    return answer


for _kind, _digest in (("role", "30236733ad37"), ("user", "8e7b519ea324"), ("group", "ebddb60cfef4")):
    _checked(
        f"Put{_kind.title()}Policy", f"_put_{_kind}_policy", _digest, _check_put(_kind),
        f"A {_kind}'s inline policies have at most {_INLINE_SIZE[_kind]:,} characters in all",
    )  # fmt: skip
for _action, _name, _digest in (
    ("CreatePolicy", "_create_policy", "23fe9fe11f7b"),
    ("CreatePolicyVersion", "_create_policy_version", "660a76c3b114"),
):
    _checked(
        _action, _name, _digest, _check_managed,
        f"Managed policies have at most {MANAGED_POLICY_SIZE:,} characters",
    )  # fmt: skip
for _action, _name, _digest in (
    ("CreateRole", "_create_role", "fef5dffbcd31"),
    ("UpdateAssumeRolePolicy", "_update_assume_role_policy", "2d3f98f08393"),
):
    _checked(
        _action, _name, _digest, _check_trust, f"Trust policies have at most {TRUST_POLICY_SIZE:,} characters"
    )


# ----------------------------------------------------------------------------------------- resource policies


@replaces(s3, "_put_bucket_policy", digest="0496f198bf50")
def _put_bucket_policy(original: Callable[..., _Answer], name: str, body: bytes) -> _Answer:
    """Bucket policies without statement, principal, action or resource are refused"""
    fault = resource_policy_fault(body.decode("utf-8", errors="replace"))
    if fault and name in s3._buckets:
        refusal: _Answer = s3._error("MalformedPolicy", fault, 400)
        return refusal
    return original(name, body)


@replaces(sqs, "_validate_numeric_attrs", digest="4b4bfb5145ad")
def _queue_attributes(original: Callable[..., None], attributes: _Properties) -> None:
    """Queue policies without statement, principal, action or resource are refused"""
    original(attributes)
    policy = attributes.get("Policy")
    if policy and resource_policy_fault(policy):  # an empty one removes the policy
        raise sqs._Err("InvalidAttributeValue", "Invalid value for the parameter Policy.", 400)


@replaces(sns, "_set_topic_attributes", digest="9565723b04fa")
def _set_topic_attributes(original: Callable[..., _Answer], params: _Properties) -> _Answer:
    """Topic policies without statement, principal, action or resource are refused"""
    if sns._p(params, "AttributeName") == "Policy":
        fault = resource_policy_fault(sns._p(params, "AttributeValue"))
        if fault:
            refusal: _Answer = sns._error(
                "InvalidParameter", f"Invalid parameter: Policy Error: {fault}", 400
            )
            return refusal
    return original(params)


# ------------------------------------------------------------------------------------------- CloudFormation


def _before(type_name: str, service: str, code: str, restores: str) -> Callable[[_Check], _Check]:
    """Have a function look at the properties of a type before each creation and update."""

    def install(check: _Check) -> _Check:
        handler = provisioners._RESOURCE_HANDLERS[type_name]
        create, update = handler["create"], handler["update"]

        def checked(properties: _Properties) -> None:
            try:
                check(properties)
            except _LimitExceeded as error:
                raise ValueError(
                    f"{error} (Service: {service}; Status Code: 409; Error Code: LimitExceeded)"
                ) from error
            except ValueError as error:
                raise ValueError(
                    f"{error} (Service: {service}; Status Code: 400; Error Code: {code})"
                ) from error

        def created(logical_id: str, properties: _Properties, stack: str) -> Any:
            checked(properties)
            return create(logical_id, properties, stack)

        def updated(physical_id: str, old: _Properties, new: _Properties, *rest: Any, **named: Any) -> Any:
            checked(new)
            return update(physical_id, old, new, *rest, **named)

        handler["create"], handler["update"] = created, updated
        PATCHES.append(Patch(f"CloudFormation {type_name}", restores))
        return check

    return install


_IAM = ("AmazonIdentityManagement", "MalformedPolicyDocument")


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _raise(fault: str | None) -> None:
    if fault:
        raise ValueError(fault)


@_before("AWS::IAM::Role", *_IAM, "Refused with inline or trust policies that IAM refuses")
def _role(properties: _Properties) -> None:
    trust = _text(properties.get("AssumeRolePolicyDocument") or {})
    _raise(iam._trust_policy_not_principal_error(trust))
    _check_size(trust, TRUST_POLICY_SIZE, "ACLSizePerRole")
    documents = [_text(policy.get("PolicyDocument")) for policy in properties.get("Policies") or []]
    for document in documents:
        _raise(identity_policy_fault(document))
    _check_inline("role", properties.get("RoleName", ""), documents)


@_before("AWS::IAM::ManagedPolicy", *_IAM, "Refused with a policy that IAM refuses")
def _managed_policy(properties: _Properties) -> None:
    _check_managed({"PolicyDocument": _text(properties.get("PolicyDocument"))})


@_before("AWS::IAM::Policy", *_IAM, "Refused with a policy that IAM refuses, before anything changes")
def _policy(properties: _Properties) -> None:
    document = _text(properties.get("PolicyDocument"))
    _raise(identity_policy_fault(document))
    for kind in _INLINE_SIZE:
        for name in properties.get(f"{kind.title()}s") or []:
            others = dict(_inline_policies(kind, name) or {})
            others.pop(properties.get("PolicyName", ""), None)
            _check_inline(kind, name, [*others.values(), document])


@_before("AWS::S3::BucketPolicy", "Amazon S3", "MalformedPolicy", "Refused with a policy that S3 refuses")
@_before(
    "AWS::SQS::QueuePolicy", "AmazonSQS", "InvalidAttributeValue", "Refused with a policy that SQS refuses"
)
@_before("AWS::SNS::TopicPolicy", "AmazonSNS", "InvalidParameter", "Refused with a policy that SNS refuses")
def _resource_policy(properties: _Properties) -> None:
    _raise(resource_policy_fault(_text(properties.get("PolicyDocument"))))


pin(iam, "handle_request", "97093e1a35f9")
pin(provisioners, "_iam_role_create", "2d7e3d8ec507")
pin(provisioners, "_iam_role_update", "4f4039080dc1")
pin(provisioners, "_iam_managed_policy_create", "f0ee79c5a357")
pin(provisioners, "_iam_managed_policy_update", "f1679d1068c6")
pin(provisioners, "_iam_policy_require_valid_document", "b1dbe32cec35")
pin(provisioners, "_s3_bucket_policy_create", "3f5b8eaf6b55")
pin(provisioners, "_policy_attachment_create", "d69aafb902c9")
