"""IAM: policies that exist, fit, and allow no more than they have to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ops.template import Stack

from . import Verdict, rule
from ._iam import Policy, Statement, as_list, formats, keys_of, policies, resource_fits, statements

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html: those in use
GLOBAL_KEYS = {
    "aws:PrincipalArn", "aws:RequestedRegion", "aws:ResourceAccount", "aws:SecureTransport",
    "aws:SourceAccount", "aws:SourceArn", "aws:SourceIp",
}  # fmt: skip
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS = {
    f"{kind}{comparison}"
    for kind, comparisons in {
        "String": ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"),
        "Arn": ("Equals", "NotEquals", "Like", "NotLike"),
        "Numeric": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
    }.items()
    for comparison in comparisons
} | {"Bool", "IpAddress", "NotIpAddress", "Null"}

# Keys that a service is documented to send when it assumes a role or calls with its own principal.
_SOURCE = {"aws:SourceAccount", "aws:SourceArn"}
SENT_BY = {
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    "scheduler.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
    "events.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    "states.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/managed-flink/latest/java/iam-cross-service-confused-deputy-prevention.html
    "kinesisanalytics.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    "s3.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    "cloudwatch.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
    "cloudfront.amazonaws.com": {"aws:SourceArn"},
    # https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html
    "es.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html shows neither
    "firehose.amazonaws.com": {"sts:ExternalId"},
    "lambda.amazonaws.com": set[str](),
    "apigateway.amazonaws.com": set[str](),
}
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html shows no key in its
# trust policy
SENT_AT_ASSUMING = SENT_BY | {"cloudfront.amazonaws.com": set[str]()}

# What may be called by anybody, and why.
PUBLIC = {
    "WebBucketPolicy": "a website on the local engine",
    "ImagesBucketPolicy": "a website: everybody reads its objects",
    "Ec2SearchDomain": "people of listed addresses read without signing",
}


@rule
def policies_have_statements(stack: Stack) -> Iterator[Verdict]:
    """Every policy has a statement: IAM refuses an empty one, and with it the whole stack.

    "Statement: this element is required" (IAM User Guide, "IAM JSON policy elements: Statement").
    """
    for policy in policies(stack):
        whole = isinstance(policy.document, dict) and bool(as_list(policy.document.get("Statement", [])))
        yield Verdict(
            policy.owner.name, "" if whole else f"has a policy {policy.name} without statements: leave it out"
        )


@rule
def statements_are_well_formed(stack: Stack) -> Iterator[Verdict]:
    """A statement has effect, actions, resources or a principal, and nothing else.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    for policy in policies(stack):
        if policy.document.get("Version") != "2012-10-17":
            yield Verdict(policy.owner.name, f"has a policy {policy.name} of another Version than 2012-10-17")
        sids = [body["Sid"] for body in as_list(policy.document.get("Statement", [])) if "Sid" in body]
        if len(sids) != len(set(sids)):
            yield Verdict(policy.owner.name, f"has two statements of one Sid in {policy.name}: rename one")
    for statement in statements(stack):
        yield Verdict(statement.where, _malformed(statement))


def _malformed(statement: Statement) -> str:
    body, kind = statement.body, statement.policy.kind
    wanted = {"Effect", "Action"} | ({"Resource"} if kind != "trust" else set())
    wanted |= {"Principal"} if kind != "identity" else set()
    if missing := wanted - set(body):
        return f"lacks {', '.join(sorted(missing))}"
    if unknown := set(body) - wanted - {"Sid", "Condition"}:
        return f"has {', '.join(sorted(unknown))}, which a {kind} policy here does not need"
    if body["Effect"] not in ("Allow", "Deny") or not statement.actions:
        return "has neither Allow nor Deny, or no action"
    if kind != "trust" and not statement.resources:
        return "names no resource"
    if not re.fullmatch(r"[A-Za-z0-9]*", body.get("Sid", "")):
        return "has a Sid with other characters than letters and digits"
    return ""


@rule
def actions_exist(stack: Stack) -> Iterator[Verdict]:
    """Every action is one of AWS's list, written out: no wildcard."""
    for statement in statements(stack):
        for action in statement.actions:
            known = bool(formats(action))
            yield Verdict(
                statement.where,
                f"allows {action}: name the actions"
                if "*" in action and not _administers_key(statement)
                else ""
                if known or "*" in action
                else f"allows {action}, which the service authorization reference does not know",
            )


def _administers_key(statement: Statement) -> bool:
    """The statement of a key's default policy that lets the account's own IAM policies decide.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    place = statement.body.get("Principal", {})
    root = isinstance(place, dict) and str(place.get("AWS", "")).endswith(":root")
    return statement.policy.owner.kind == "AWS::KMS::Key" and statement.actions == ["kms:*"] and root


@rule
def resources_fit_their_actions(stack: Stack) -> Iterator[Verdict]:
    """Each action gets a resource that it takes, and `*` only if it takes none."""
    for statement in statements(stack, "identity", "resource"):
        for action in statement.actions:
            yield Verdict(statement.where, _misfit(statement, action))
        for resource in statement.resources:
            if resource != "*" and not any(
                resource_fits(resource, form) for action in statement.actions for form in formats(action)
            ):
                yield Verdict(statement.where, f"names {resource}, of which none of its actions takes any")


def _misfit(statement: Statement, action: str) -> str:
    forms = formats(action) - {"*"}
    if "*" in statement.resources:
        # A resource's own policy may say `*`: it means that resource (KMS demands it).
        if statement.policy.kind == "resource" and statement.policy.owner.kind == "AWS::KMS::Key":
            return ""
        return f"allows {action} on *: name the resource, {' or '.join(sorted(forms))}" if forms else ""
    if not forms:
        return f"allows {action} on a resource, which it does not take: it needs a statement of its own on *"
    if not any(resource_fits(resource, form) for resource in statement.resources for form in forms):
        if not statement.resources:
            return f"allows {action} on nothing"
        return f"allows {action} on {statement.resources[0]}; it takes {' or '.join(sorted(forms))}"
    return ""


@rule
def condition_keys_are_known(stack: Stack) -> Iterator[Verdict]:
    """Every condition has an operator that exists and a key that its actions know."""
    for statement in statements(stack):
        for operator, key, values in statement.conditions:
            yield Verdict(statement.where, _unknown_condition(statement, operator, key, values))


def _unknown_condition(statement: Statement, operator: str, key: str, values: list[object]) -> str:
    plain = operator.removesuffix("IfExists").rpartition(":")[2]
    if plain not in OPERATORS:
        return f"has the operator {operator}, which IAM does not know"
    if not values:
        return f"has no value for {key}: it would never hold"
    if key in GLOBAL_KEYS:
        return ""
    strangers = [
        action
        for action in statement.actions
        if not any(
            re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}|<\w+>", ".+", re.escape(known)), key)
            for known in keys_of(action)
        )
    ]
    return f"has the key {key}, which {', '.join(strangers)} does not know" if strangers else ""


@rule
def trust_names_keys_that_are_sent(stack: Stack) -> Iterator[Verdict]:
    """A service is held only to keys that it is documented to send; others take the form IfExists.

    A key that is not sent never matches: the role could not be assumed, and nobody sees why.
    """
    for statement in statements(stack, "trust", "resource"):
        sent = SENT_AT_ASSUMING if statement.policy.kind == "trust" else SENT_BY
        for service in statement.services:
            if service not in sent:
                yield Verdict(
                    statement.where, f"trusts {service}: add what it sends to SENT_BY, with the source"
                )
                continue
            unsent = [
                key
                for operator, key, _ in statement.conditions
                if key not in sent[service] and not operator.endswith("IfExists")
            ]
            yield Verdict(
                statement.where,
                f"demands {', '.join(unsent)} of {service}, which may not send it: use ...IfExists"
                if unsent
                else "",
            )


# EventBridge meets no condition at a topic: "Amazon SNS permissions" in
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
# The key of a topic: "...the policy for EventBridge / CloudWatch alarms" at
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services has no
# condition either.
UNCONDITIONAL = {
    ("Ec2AlertsPolicy", "events.amazonaws.com"),
    ("Ec2AlertsKey", "events.amazonaws.com"),
    ("Ec2AlertsKey", "cloudwatch.amazonaws.com"),
}


@rule
def services_act_for_this_account_alone(stack: Stack) -> Iterator[Verdict]:
    """A service that sends its source is held to it: no other account gets in (confused deputy)."""
    for statement in statements(stack, "trust", "resource"):
        for service in statement.services:
            sent = (SENT_AT_ASSUMING if statement.policy.kind == "trust" else SENT_BY).get(service, set())
            held = {key for _, key, _ in statement.conditions} & (sent | {"aws:SourceAccount"})
            excused = (statement.policy.owner.name, service) in UNCONDITIONAL
            needs = bool(sent & _SOURCE) and not held and not excused
            yield Verdict(
                statement.where,
                f"trusts {service} for every account: add aws:SourceAccount or aws:SourceArn"
                if needs
                else "",
            )


@rule
def nothing_is_open_to_everybody(stack: Stack) -> Iterator[Verdict]:
    """The principal `*` is on a list, each with its reason."""
    for statement in statements(stack, "trust", "resource"):
        principal = statement.body.get("Principal")
        everybody = principal == "*" or (
            isinstance(principal, dict) and "*" in as_list(principal.get("AWS", []))
        )
        known = statement.policy.owner.name in PUBLIC
        yield Verdict(
            statement.where, "is open to everybody: name the principal" if everybody and not known else ""
        )


@rule
def no_managed_policy_is_attached(stack: Stack) -> Iterator[Verdict]:
    """Roles have policies of their own: the managed ones that SAM attaches are allowed on `*`.

    AWSLambdaSQSQueueExecutionRole reads every queue of the account, AWSLambdaBasicExecutionRole writes every
    log.
    """
    for role in stack.of("AWS::IAM::Role"):
        attached = ", ".join(
            str(arn).rpartition("/")[2] for arn in role.properties.get("ManagedPolicyArns", [])
        )
        yield Verdict(
            role.name, f"has {attached} attached: give the function a Role of its own" if attached else ""
        )


@rule
def policies_are_within_their_size(stack: Stack) -> Iterator[Verdict]:
    """A policy is no longer than IAM takes, white space aside.

    2,048 characters for a trust policy (the quota that every account has), 10,240 for all inline policies of
    a role, 6,144 for a managed policy:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; 20 KB for a bucket's:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
    """
    for role in stack.of("AWS::IAM::Role"):
        own = [policy for policy in policies(stack) if policy.owner is role]
        for kind, most in (("trust", 2_048), ("identity", 10_240)):
            length = sum(_length(policy) for policy in own if policy.kind == kind)
            yield Verdict(
                role.name, f"has {length} characters of {kind} policy, of {most}" if length > most else ""
            )
    for policy in policies(stack, "resource"):
        too_long = _length(policy) > 20_480
        yield Verdict(policy.owner.name, "has a policy of more than 20 KB" if too_long else "")


def _length(policy: Policy) -> int:
    return len(re.sub(r"\s", "", json.dumps(policy.document)))
