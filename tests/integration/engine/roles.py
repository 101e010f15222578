"""Roles of a test's own, and what they are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud

__all__ = ["as_role", "refusal", "role", "session_client"]


def refusal(call: Callable[[], Any]) -> str:
    """Return the code of the error with which a call is refused; empty if it is not."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def role(
    cloud: Cloud,
    statements: list[dict[str, Any]],
    *,
    trust: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> str:
    """Create a role that is allowed something; its ARN.

    Args:
        cloud: Where.
        statements: What the role is allowed; `Effect` may be left out.
        trust: Statement of the trust policy besides its action; the account may assume the role by default.
        tags: Of the role.
    """
    name = cloud.name("role")
    trust = trust or {"Principal": {"AWS": f"arn:aws:iam::{cloud.account}:root"}}
    trusting = {"Effect": "Allow", "Action": "sts:AssumeRole"} | trust
    iam = cloud.client("iam")
    arn: str = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusting]}),
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )["Role"]["Arn"]
    if statements:
        allowing = [{"Effect": "Allow"} | statement for statement in statements]
        document = {"Version": "2012-10-17", "Statement": allowing}
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return arn


def session_client(cloud: Cloud, given: dict[str, str], service: str, region: str = "") -> Any:
    """Return a client with temporary credentials, of the cloud's own region or another one."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=cloud.endpoint,
        region_name=region or cloud.region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def as_role(cloud: Cloud, statements: list[dict[str, Any]], service: str, *, region: str = "") -> Any:
    """Return a client with the credentials of a role that is allowed what the statements say."""
    arn = role(cloud, statements)
    given = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    return session_client(cloud, given, service, region)
