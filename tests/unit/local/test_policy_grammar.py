"""The grammar of policies beside AWS's page of it, and the sentences that AWS answers, quoted in public."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.engine.services.policy_grammar import (
    identity_policy_fault,
    resource_policy_fault,
    size,
    trust_policy_fault,
)

SYNTAX = "Syntax errors in policy."
ALLOW: dict[str, Any] = {
    "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/*",
}  # fmt: skip
TRUST: dict[str, Any] = {
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
}  # fmt: skip
BUCKET: dict[str, Any] = ALLOW | {"Principal": "*"}


def policy(*statements: Any, **elements: Any) -> str:
    """Return a document with statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | elements)


def without(statement: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != name}


# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_examples.html and the pages of the elements
TAKEN = [
    policy(ALLOW),
    policy(Statement=ALLOW),
    policy(ALLOW, Id="cd3ad3d9-2776-4ef1-a904-4c229d1642ee"),
    policy(ALLOW | {"Action": "*", "Resource": "*"}),
    policy(ALLOW | {"Action": ["ec2:Describe*", "ec2:List*"], "Resource": ["*"]}),
    policy(without(ALLOW, "Action") | {"NotAction": "iam:*", "Effect": "Deny"}),
    policy(without(ALLOW, "Resource") | {"NotResource": ["arn:aws:s3:::HRBucket/Payroll"]}),
    policy(ALLOW | {"Sid": "1"}, ALLOW | {"Sid": "2"}, ALLOW, ALLOW),
    policy(ALLOW | {"Sid": ""}, ALLOW | {"Sid": ""}),
    policy(ALLOW | {"Resource": "arn:aws:iam::123456789012:user/${aws:username}"}),
    policy(ALLOW | {"Resource": "arn:aws-us-gov:s3:::bucket"}),
    policy(ALLOW | {"Resource": "arn:aws:s3:us-west-2:123456789012:accesspoint/mine/object/*"}),
    policy(ALLOW | {"Condition": {"NumericLessThanEquals": {"s3:max-keys": 10}}}),
    policy(ALLOW | {"Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": False}}}),
    policy(
        ALLOW
        | {"Condition": {"ForAllValues:StringLike": {"aws:TagKeys": ["a", "b"]}, "Null": {"s3:x": "true"}}}
    ),
    policy(ALLOW | {"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}}}),
]


@pytest.mark.parametrize("document", TAKEN)
def test_documented_policies_are_taken(document: str) -> None:
    assert identity_policy_fault(document) is None
    assert identity_policy_fault(json.loads(document), managed=True) is None


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", SYNTAX),
        ("{", SYNTAX),
        ("[]", SYNTAX),
        ("{}", SYNTAX),
        ('{"Version": "2012-10-17"}', SYNTAX),
        (policy(), SYNTAX),
        (policy("Allow"), SYNTAX),
        (policy(Statement="Allow"), SYNTAX),
        (policy(ALLOW, Version="2013-10-17"), SYNTAX),
        (policy(ALLOW, Version=["2012-10-17"]), SYNTAX),
        (policy(ALLOW, Id=1), SYNTAX),
        (policy(ALLOW, Comment="why"), SYNTAX),
        (policy(ALLOW | {"Actions": "s3:*"}), SYNTAX),
        (policy(without(ALLOW, "Effect")), SYNTAX),
        (policy(ALLOW | {"Effect": "Permit"}), SYNTAX),
        (policy(ALLOW | {"NotAction": "s3:*"}), SYNTAX),
        (policy(ALLOW | {"NotResource": "*"}), SYNTAX),
        (policy(ALLOW | {"Action": {}}), SYNTAX),
        (policy(ALLOW | {"Resource": [1]}), SYNTAX),
        (policy(ALLOW | {"Sid": 1}), SYNTAX),
        (policy(ALLOW | {"Condition": []}), SYNTAX),
        (policy(ALLOW | {"Condition": {"StringEquals": "a"}}), SYNTAX),
        (policy(ALLOW | {"Condition": {"Equals": {"aws:TagKeys": "a"}}}), SYNTAX),
        (policy(ALLOW | {"Condition": {"StringEquals": {"aws:TagKeys": {}}}}), SYNTAX),
        (policy(without(ALLOW, "Action")), "Policy statement must contain actions."),
        (policy(ALLOW | {"Action": []}), "Policy statement must contain actions."),
        (policy(ALLOW, without(ALLOW, "Action")), "Policy statement must contain actions."),
        (policy(without(ALLOW, "Resource")), "Policy statement must contain resources."),
        (policy(ALLOW | {"Resource": []}), "Policy statement must contain resources."),
        (
            policy(ALLOW | {"Action": "GetObject"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (policy(ALLOW | {"Action": "s3:Get:Object"}), "Actions/Condition can contain only one colon."),
        (policy(ALLOW | {"Action": "a b:GetObject"}), "Vendor a b is not valid"),
        (policy(ALLOW | {"Resource": "my-table"}), 'Resource my-table must be in ARN format or "*".'),
        (policy(ALLOW | {"Resource": ["*", ""]}), 'Resource  must be in ARN format or "*".'),
        (
            policy(ALLOW | {"Resource": "arn:error:s3:::b"}),
            'Partition "error" is not valid for resource "arn:error:s3:::b".',
        ),
        (
            policy(ALLOW | {"Resource": "arn:aws"}),
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ),
        (policy(ALLOW | {"Resource": "arn:aws:s3::b"}), "The policy failed legacy parsing"),
        (
            policy(ALLOW | {"Resource": "arn:aws:s3:us-east-1::b"}),
            "Resource arn:aws:s3:us-east-1::b can not contain region information.",
        ),
        (
            policy(ALLOW | {"Resource": "arn:aws:iam:us-east-1::user/a"}),
            "IAM resource arn:aws:iam:us-east-1::user/a cannot contain region information.",
        ),
        (
            policy(ALLOW | {"Sid": "One"}, ALLOW | {"Sid": "One"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            policy(ALLOW | {"Sid": "Read it"}),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*",
        ),
        (policy(BUCKET), "Policy document should not specify a principal."),
        (
            policy(without(BUCKET, "Principal") | {"NotPrincipal": "*"}),
            "Policy document should not specify a principal.",
        ),
    ],
)  # fmt: skip
def test_identity_policies_are_refused_in_aws_words(document: str, sentence: str) -> None:
    assert identity_policy_fault(document) == sentence


def test_managed_policies_need_the_current_version() -> None:
    for document in (policy(ALLOW, Version="2008-10-17"), json.dumps({"Statement": ALLOW})):
        assert identity_policy_fault(document) is None
        assert (
            identity_policy_fault(document, managed=True)
            == "Policy document must be version 2012-10-17 or greater."
        )


@pytest.mark.parametrize(
    "statement",
    [
        TRUST,
        TRUST | {"Principal": "*"},
        TRUST | {"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "111122223333"]}},
        TRUST | {"Action": ["sts:AssumeRole", "sts:TagSession"], "Sid": "With spaces"},
        TRUST | {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
    ],
)
def test_documented_trust_policies_are_taken(statement: dict[str, Any]) -> None:
    assert trust_policy_fault(policy(statement)) is None


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "This policy contains invalid Json"),
        ("{}", "Missing required field Statement"),
        (policy(), "Could not parse the policy: Statement is empty!"),
        (policy(without(TRUST, "Principal")), "Missing required field Principal"),
        (policy(TRUST | {"Principal": {}}), "Missing required field Principal"),
        (policy(TRUST | {"Principal": "lambda.amazonaws.com"}), "Principal must be a JSON object."),
        (policy(TRUST | {"Principal": {"User": "a"}}), 'Invalid principal in policy: "User"'),
        (policy(TRUST | {"Principal": {"AWS": []}}), 'Invalid principal in policy: "AWS"'),
        (policy(without(TRUST, "Action")), "Missing required field Action"),
        (policy(TRUST | {"Action": []}), "Missing required field Action"),
        (policy(TRUST | {"Action": "*"}), "AssumeRole policy may only specify STS AssumeRole actions."),
        (policy(TRUST | {"Resource": "*"}), "Has prohibited field Resource"),
        (
            policy(TRUST | {"Sid": "a"}, TRUST | {"Sid": "a"}),
            "The Statement Ids in the policy are not unique",
        ),
        (policy(TRUST | {"Comment": "a"}), SYNTAX),
    ],
)
def test_trust_policies_are_refused_in_aws_words(document: str, sentence: str) -> None:
    assert trust_policy_fault(document) == sentence


@pytest.mark.parametrize("name", ["Principal", "Action", "Resource"])
def test_resource_policies_need_all_of_their_elements(name: str) -> None:
    assert resource_policy_fault(policy(BUCKET)) is None
    assert resource_policy_fault(policy(without(BUCKET, name))) == f"Missing required field {name}"
    assert resource_policy_fault(policy()) == "Could not parse the policy: Statement is empty!"


def test_size_counts_no_white_space() -> None:
    assert size('{ "Version":\n\t"2012-10-17" }') == len('{"Version":"2012-10-17"}')
