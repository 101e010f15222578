"""Policies that AWS refuses are refused, by API and in CloudFormation, whose events say why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.engine_process import aws_environment
from ops.paths import ROOT
from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    },
}  # fmt: skip


def _policy(**changes: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [STATEMENT | changes]}


def _refused(call: Callable[[], object]) -> tuple[str, str]:
    """Return code and message of the refusal of a call."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "taken", ""


def _role(cloud: Cloud, trust: dict[str, Any] | None = None) -> str:
    name = cloud.name("role")
    cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))
    return name


BAD = {
    "no action": (_policy(Action=[]), "Policy statement must contain actions."),
    "no resource": (_policy(Resource=[]), "Policy statement must contain resources."),
    "name for an ARN": (_policy(Resource="table"), 'Resource table must be in ARN format or "*".'),
    "unknown element": (_policy(Actions="*"), "Syntax errors in policy."),
    "unknown version": (_policy() | {"Version": "2024-01-01"}, "Syntax errors in policy."),
    "principal": (_policy(Principal="*"), "Policy document should not specify a principal."),
}


@pytest.mark.parametrize("which", BAD)
def test_malformed_policies_of_identities_are_refused(cloud: Cloud, which: str) -> None:
    iam, role, other = cloud.client("iam"), _role(cloud), cloud.name("other")
    document, sentence = BAD[which]
    iam.create_user(UserName=other)
    iam.create_group(GroupName=other)
    made = iam.create_policy(PolicyName=other, PolicyDocument=json.dumps(_policy()))["Policy"]["Arn"]
    text = json.dumps(document)
    calls: list[Callable[[], object]] = [
        lambda: iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=text),
        lambda: iam.put_user_policy(UserName=other, PolicyName="p", PolicyDocument=text),
        lambda: iam.put_group_policy(GroupName=other, PolicyName="p", PolicyDocument=text),
        lambda: iam.create_policy(PolicyName=cloud.name("policy"), PolicyDocument=text),
        lambda: iam.create_policy_version(PolicyArn=made, PolicyDocument=text),
    ]
    for call in calls:
        assert _refused(call) == ("MalformedPolicyDocument", sentence)
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Principal": {}}, "Missing required field Principal"),
        ({"Action": []}, "Missing required field Action"),
        ({"Action": "s3:*"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Resource": "*"}, "Has prohibited field Resource"),
    ],
)
def test_malformed_trust_policies_are_refused(cloud: Cloud, changes: dict[str, Any], sentence: str) -> None:
    iam, role = cloud.client("iam"), _role(cloud)
    bad = json.dumps(TRUST | {"Statement": TRUST["Statement"] | changes})  # type: ignore[operator]
    refusal = ("MalformedPolicyDocument", sentence)
    assert _refused(lambda: iam.create_role(RoleName=role + "2", AssumeRolePolicyDocument=bad)) == refusal
    assert _refused(lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=bad)) == refusal


def _large(characters: int) -> str:
    """Return a policy of so many characters, beside white space, which IAM does not count."""
    bare = json.dumps(_policy(Resource="arn:aws:s3:::"), separators=(",", ":"))
    return json.dumps(_policy(Resource="arn:aws:s3:::" + "b" * (characters - len(bare))), indent=4)


def test_sizes_of_policies_are_limited(cloud: Cloud) -> None:
    iam, role, user = cloud.client("iam"), _role(cloud), cloud.name("user")
    iam.create_user(UserName=user)

    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=_large(6000))
    iam.put_role_policy(RoleName=role, PolicyName="two", PolicyDocument=_large(4240))
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=_large(6000))  # replaces itself
    iam.put_user_policy(UserName=user, PolicyName="one", PolicyDocument=_large(2048))
    iam.create_policy(PolicyName=cloud.name("policy"), PolicyDocument=_large(6144))
    for call, message in [
        (
            lambda: iam.put_role_policy(RoleName=role, PolicyName="two", PolicyDocument=_large(4241)),
            f"Maximum policy size of 10240 bytes exceeded for role {role}",
        ),
        (
            lambda: iam.put_user_policy(UserName=user, PolicyName="one", PolicyDocument=_large(2049)),
            f"Maximum policy size of 2048 bytes exceeded for user {user}",
        ),
        (
            lambda: iam.create_policy(PolicyName=cloud.name("policy"), PolicyDocument=_large(6145)),
            "Cannot exceed quota for PolicySize: 6144",
        ),
        (
            lambda: _role(cloud, TRUST | {"Id": "x" * 2048}),
            "Cannot exceed quota for ACLSizePerRole: 2048",
        ),
    ]:
        assert _refused(call) == ("LimitExceeded", message)


def test_resource_policies_without_statements_are_refused(cloud: Cloud) -> None:
    bucket = cloud.name("bucket")
    s3, sqs, sns = cloud.client("s3"), cloud.client("sqs"), cloud.client("sns")
    s3.create_bucket(Bucket=bucket)
    empty = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert _refused(lambda: s3.put_bucket_policy(Bucket=bucket, Policy=empty)) == (
        "MalformedPolicy",
        "Could not parse the policy: Statement is empty!",
    )
    url, _ = cloud.queue()
    refusal = ("InvalidAttributeValue", "Invalid value for the parameter Policy.")
    assert _refused(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": empty})) == refusal
    assert _refused(lambda: cloud.queue(Policy=empty)) == refusal
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    code, _ = _refused(
        lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=empty)
    )
    assert code == "InvalidParameter"


EMPTY = {"Version": "2012-10-17", "Statement": []}
ROLE = {"AssumeRolePolicyDocument": TRUST}
WITH_IAM = "(Service: AmazonIdentityManagement; Status Code: 400; Error Code: MalformedPolicyDocument)"


@pytest.mark.parametrize(
    ("kind", "properties", "reason"),
    [
        (
            "AWS::IAM::Role",
            ROLE | {"Policies": [{"PolicyName": "p", "PolicyDocument": EMPTY}]},
            f"Syntax errors in policy. {WITH_IAM}",
        ),
        (
            "AWS::IAM::Role",
            {"AssumeRolePolicyDocument": EMPTY},
            f"Could not parse the policy: Statement is empty! {WITH_IAM}",
        ),
        (
            "AWS::IAM::Role",
            ROLE
            | {
                "Policies": [
                    {"PolicyName": n, "PolicyDocument": json.loads(_large(6000))} for n in ("a", "b")
                ]
            },
            "Maximum policy size of 10240 bytes exceeded for role ",
        ),
        (
            "AWS::IAM::ManagedPolicy",
            {"PolicyDocument": _policy(Action=[])},
            f"Policy statement must contain actions. {WITH_IAM}",
        ),
        (
            "AWS::IAM::Policy",
            {"PolicyName": "p", "PolicyDocument": _policy(Resource="table"), "Roles": [{"Ref": "Role"}]},
            f'Resource table must be in ARN format or "*". {WITH_IAM}',
        ),
        (
            "AWS::S3::BucketPolicy",
            {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": EMPTY},
            "Statement is empty!",
        ),
        (
            "AWS::SQS::QueuePolicy",
            {"Queues": [{"Ref": "Queue"}], "PolicyDocument": EMPTY},
            "Statement is empty!",
        ),
        (
            "AWS::SNS::TopicPolicy",
            {"Topics": [{"Ref": "Topic"}], "PolicyDocument": EMPTY},
            "Statement is empty!",
        ),
    ],
)
def test_stacks_with_refused_policies_roll_back(
    cloud: Cloud, kind: str, properties: dict[str, Any], reason: str
) -> None:
    formation, stack = cloud.client("cloudformation"), cloud.name("stack")
    others = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": ROLE},
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    template = {"Resources": others | {"Tried": {"Type": kind, "Properties": properties}}}
    formation.create_stack(
        StackName=stack, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )

    def status() -> str:
        described: str = formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return "" if described.endswith("IN_PROGRESS") else described

    assert awaited(cloud, status, bare=10.0) == "ROLLBACK_COMPLETE"
    events = formation.describe_stack_events(StackName=stack)["StackEvents"]
    [failed] = [
        event
        for event in events
        if (event["LogicalResourceId"], event["ResourceStatus"]) == ("Tried", "CREATE_FAILED")
    ]
    assert reason in failed["ResourceStatusReason"]


def test_an_update_to_a_refused_policy_keeps_the_old(cloud: Cloud) -> None:
    def template(document: dict[str, Any]) -> dict[str, Any]:
        policies = [{"PolicyName": "p", "PolicyDocument": document}]
        role = {"Type": "AWS::IAM::Role", "Properties": ROLE | {"Policies": policies}}
        return {"Resources": {"Role": role}, "Outputs": {"Name": {"Value": {"Ref": "Role"}}}}

    stack = cloud.deploy(template(_policy()))
    formation = cloud.client("cloudformation")
    formation.update_stack(
        StackName=stack["StackName"],
        TemplateBody=json.dumps(template(EMPTY)),
        Capabilities=["CAPABILITY_IAM"],
    )

    def rolled_back() -> bool:
        described = formation.describe_stacks(StackName=stack["StackName"])["Stacks"][0]
        return bool(described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")

    awaited(cloud, rolled_back)
    kept = cloud.client("iam").get_role_policy(RoleName=stack["Name"], PolicyName="p")["PolicyDocument"]
    assert kept == _policy()


@pytest.mark.ours_only
def test_sam_deploy_tells_why_a_policy_was_refused(cloud: Cloud, tmp_path: Path) -> None:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": ROLE | {"Policies": [{"PolicyName": "p", "PolicyDocument": EMPTY}]},
    }
    (tmp_path / "template.json").write_text(json.dumps({"Resources": {"Role": role}}))
    done = subprocess.run(
        [sys.executable, "-m", "samcli", "deploy", "--template", "template.json", "--stack-name",
         cloud.name("stack"), "--capabilities", "CAPABILITY_IAM"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, **aws_environment(cloud.endpoint), "SAM_CLI_TELEMETRY": "0", "COLUMNS": "1000",
             "SAM_CLI_POLL_DELAY": "0.1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "Syntax errors in policy." in done.stdout
