"""What IAM, S3, SQS and SNS refuse in a policy document: AWS's grammar, and the sizes that IAM takes.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html::

    policy  = { <version_block?> <id_block?> <statement_block> }
    <version_block> = "Version" : ("2008-10-17" | "2012-10-17")
    <id_block> = "Id" : <policy_id_string>
    <statement_block> = "Statement" : [ <statement>, <statement>, ... ]
    <statement> = { <sid_block?>, <principal_block?>, <effect_block>, <action_block>, <resource_block>,
                    <condition_block?> }
    <principal_block> = ("Principal" | "NotPrincipal") : ("*" | <principal_map>)
    <effect_block> = "Effect" : ("Allow" | "Deny")
    <action_block> = ("Action" | "NotAction") : ("*" | [<action_string>, <action_string>, ...])
    <resource_block> = ("Resource" | "NotResource") : ("*" | [<resource_string>, ...])
    <condition_map> = { <condition_type_string> : { <condition_key_string> : <condition_value_list> }, ... }

"The principal_block element is required in resource-based policies (for example, in Amazon S3 bucket
policies) and in trust policies for IAM roles. It is not included in identity-based policies."

The sentences are AWS's own, as people quote them in public; which of two faults it names is not documented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

__all__ = [
    "MANAGED_POLICY_SIZE",
    "TRUST_POLICY_SIZE",
    "identity_policy_fault",
    "resource_policy_fault",
    "size",
    "trust_policy_fault",
]

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: "Role trust policy length: 2,048
# characters" is the default; "The size of each managed policy cannot exceed 6,144 characters."
TRUST_POLICY_SIZE = 2048
MANAGED_POLICY_SIZE = 6144

_SYNTAX = "Syntax errors in policy."
_POLICY = {"Version", "Id", "Statement"}
_STATEMENT = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
}  # fmt: skip
_EXCLUSIVE = (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_OPERATOR = re.compile(
    r"(ForAllValues:|ForAnyValue:)?"
    r"(String(Not)?(Equals(IgnoreCase)?|Like)|(Numeric|Date)((Not)?Equals|(LessThan|GreaterThan)(Equals)?)"
    r"|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?|Null"
)

type _Json = Any
type _Statements = list[dict[str, _Json]]


class _Fault(Exception):
    """What AWS would say."""


def size(document: str) -> int:
    """Return a document's size as IAM counts it: "IAM doesn't count white space"."""
    return len("".join(document.split()))


def identity_policy_fault(document: str | dict[str, _Json], *, managed: bool = False) -> str | None:
    """Return what IAM refuses in a policy of a role, user or group, or in a managed one; None if nothing."""
    try:
        version, statements = _parsed(document, _SYNTAX)
        # The grammar takes 2008-10-17 or nothing too; CreatePolicy does not.
        if managed and version != "2012-10-17":
            raise _Fault("Policy document must be version 2012-10-17 or greater.")  # noqa: TRY301
        for statement in statements:
            _check_form(statement)
        _check_sids(statements, "Statement IDs (SID) in a single policy must be unique.")
        for statement in statements:
            _check_presence(statement)
        for statement in statements:
            for resource in _values(statement, "Resource", "NotResource"):
                _check_resource(resource)
            for action in _values(statement, "Action", "NotAction"):
                _check_action(action)
    except _Fault as fault:
        return str(fault)
    return None


def _check_form(statement: dict[str, _Json]) -> None:
    """Refuse what has no place in a statement of an identity's policy."""
    if statement.keys() & {"Principal", "NotPrincipal"}:
        raise _Fault("Policy document should not specify a principal.")
    if not re.fullmatch(r"[0-9A-Za-z]*", statement.get("Sid", "")):
        raise _Fault(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
            "expression [0-9A-Za-z]*"
        )


def _check_presence(statement: dict[str, _Json]) -> None:
    """Refuse a statement without actions or resources."""
    if not _values(statement, "Action", "NotAction"):
        raise _Fault("Policy statement must contain actions.")
    if not _values(statement, "Resource", "NotResource"):
        raise _Fault("Policy statement must contain resources.")


def trust_policy_fault(document: str | dict[str, _Json]) -> str | None:
    """Return what IAM refuses in a role's trust policy; None if nothing.

    "AssumeRole policy may only specify STS AssumeRole actions." and "Has prohibited field Resource" are what
    CreateRole answers to those who put a policy of permissions in its place.
    """
    return _fault_with_principals(document, _check_trust)


def resource_policy_fault(document: str | dict[str, _Json]) -> str | None:
    """Return what services refuse in the policy of a bucket, queue or topic; None if nothing."""
    return _fault_with_principals(document, lambda statement: _require(statement, "Resource", "NotResource"))


def _fault_with_principals(
    document: str | dict[str, _Json], check: Callable[[dict[str, _Json]], None]
) -> str | None:
    """Return what is refused in a policy whose statements name principals; None if nothing.

    Args:
        document: The policy.
        check: Refuses what is wrong with a statement of this kind of policy alone.
    """
    try:
        _, statements = _parsed(document, "This policy contains invalid Json")
        for statement in statements:
            _require(statement, "Principal", "NotPrincipal")
            _check_principal(statement)
            _require(statement, "Action", "NotAction")
            check(statement)
        _check_sids(statements, "The Statement Ids in the policy are not unique")
    except _Fault as fault:
        return str(fault)
    return None


def _check_trust(statement: dict[str, _Json]) -> None:
    if not all(action.lower().startswith("sts:") for action in _values(statement, "Action", "NotAction")):
        raise _Fault("AssumeRole policy may only specify STS AssumeRole actions.")
    if statement.keys() & {"Resource", "NotResource"}:
        raise _Fault("Has prohibited field Resource")


def _parsed(document: str | dict[str, _Json], invalid: str) -> tuple[str, _Statements]:
    """Return version and statements of what has the shape of a policy."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            raise _Fault(invalid) from None
    if not isinstance(document, dict) or document.keys() - _POLICY:
        raise _Fault(_SYNTAX)
    version = document.get("Version", "2008-10-17")
    if version not in ("2008-10-17", "2012-10-17") or not isinstance(document.get("Id", ""), str):
        raise _Fault(_SYNTAX)
    if "Statement" not in document:
        raise _Fault(_SYNTAX if invalid == _SYNTAX else "Missing required field Statement")
    statements = document["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise _Fault(_SYNTAX)
    if not statements:
        raise _Fault(_SYNTAX if invalid == _SYNTAX else "Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check_shape(statement)
    return version, statements


def _check_shape(statement: _Json) -> None:
    """Refuse unknown and contradicting elements, and values of the wrong kind."""
    if not isinstance(statement, dict) or statement.keys() - _STATEMENT:
        raise _Fault(_SYNTAX)
    if any(one in statement and other in statement for one, other in _EXCLUSIVE):
        raise _Fault(_SYNTAX)
    if statement.get("Effect") not in ("Allow", "Deny") or not isinstance(statement.get("Sid", ""), str):
        raise _Fault(_SYNTAX)
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if not _is_text_or_list(statement.get(name, "")):
            raise _Fault(_SYNTAX)
    _check_conditions(statement.get("Condition", {}))


def _check_conditions(conditions: _Json) -> None:
    if not isinstance(conditions, dict):
        raise _Fault(_SYNTAX)
    for operator, keys in conditions.items():
        if not isinstance(keys, dict) or (keys and not _OPERATOR.fullmatch(operator)):
            raise _Fault(_SYNTAX)
        for value in keys.values():
            if isinstance(value, dict) or value is None:
                raise _Fault(_SYNTAX)


def _is_text_or_list(value: _Json) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def _values(statement: dict[str, _Json], *names: str) -> list[str]:
    """Return what a statement has under the one of ``names`` that it has."""
    found: list[str] = []
    for name in names:
        value = statement.get(name, [])
        found += [value] if isinstance(value, str) else value
    return found


def _require(statement: dict[str, _Json], name: str, opposite: str) -> None:
    if not (statement.get(name) or statement.get(opposite)):
        raise _Fault(f"Missing required field {name}")


def _check_sids(statements: _Statements, message: str) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) != len(sids):
        raise _Fault(message)


def _check_principal(statement: dict[str, _Json]) -> None:
    principal = statement.get("Principal") or statement.get("NotPrincipal")
    if principal == "*":
        return
    if not isinstance(principal, dict):
        raise _Fault("Principal must be a JSON object.")
    for kind, value in principal.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser"):
            raise _Fault(f'Invalid principal in policy: "{kind}"')
        if not value or not _is_text_or_list(value):
            raise _Fault(f'Invalid principal in policy: "{kind}"')


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise _Fault("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ":" in name:
        raise _Fault("Actions/Condition can contain only one colon.")
    if not re.fullmatch(r"[A-Za-z0-9.-]+", vendor):
        raise _Fault(f"Vendor {vendor} is not valid")


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    fields = list(_arn_fields(resource))
    if not fields:
        raise _Fault(f'Resource {resource} must be in ARN format or "*".')
    if not re.fullmatch(r"aws(-[a-z]+)*|\*", fields[0]):
        raise _Fault(f'Partition "{fields[0]}" is not valid for resource "{resource}".')
    if len(fields) == 1:
        raise _Fault("Resource vendor must be fully qualified and cannot contain regexes.")
    if not fields[1] or len(fields) in (3, 4):
        raise _Fault("The policy failed legacy parsing")
    _, service, region, account, *_ = [*fields, "", "", ""]
    if service == "iam" and region:
        raise _Fault(f"IAM resource {resource} cannot contain region information.")
    if service == "s3" and region and not account:  # access points have both
        raise _Fault(f"Resource {resource} can not contain region information.")


def _arn_fields(resource: str) -> Iterator[str]:
    """Yield partition, service, region, account and the rest of an ARN; nothing if it is none."""
    prefix, colon, rest = resource.partition(":")
    if prefix == "arn" and colon:
        yield from rest.split(":", 4)
