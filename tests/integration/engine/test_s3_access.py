"""Amazon S3: the permissions that a request needs beyond its first."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud


def s3_of_a_user(cloud: Cloud, bucket: str, *actions: str) -> Any:
    """Return an S3 client of a new user who may do ``actions`` on a bucket and its objects."""
    iam, name = cloud.client("iam"), cloud.name("user")
    iam.create_user(UserName=name)
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name=cloud.region,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )


@pytest.fixture
def bucket(cloud_with_iam: Cloud) -> str:
    name = cloud_with_iam.name("bucket")
    cloud_with_iam.client("s3").create_bucket(Bucket=name)
    return name


def status(call: Any, **arguments: Any) -> int:
    try:
        code: int = call(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        code = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return code


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_a_missing_object_is_forbidden_to_who_may_not_list(
    cloud_with_iam: Cloud, bucket: str, operation: str
) -> None:
    reader = s3_of_a_user(cloud_with_iam, bucket, "s3:GetObject")
    lister = s3_of_a_user(cloud_with_iam, bucket, "s3:GetObject", "s3:ListBucket")
    cloud_with_iam.client("s3").put_object(Bucket=bucket, Key="there/ä b.txt", Body=b"x")
    assert status(getattr(reader, operation), Bucket=bucket, Key="there/ä b.txt") == 200
    assert status(getattr(lister, operation), Bucket=bucket, Key="missing") == 404
    assert status(getattr(reader, operation), Bucket=bucket, Key="missing") == 403


def test_tags_at_a_put_need_a_permission_of_their_own(cloud_with_iam: Cloud, bucket: str) -> None:
    writer = s3_of_a_user(cloud_with_iam, bucket, "s3:PutObject")
    tagger = s3_of_a_user(cloud_with_iam, bucket, "s3:PutObject", "s3:PutObjectTagging")
    assert status(writer.put_object, Bucket=bucket, Key="plain", Body=b"x") == 200
    assert status(tagger.put_object, Bucket=bucket, Key="tagged", Body=b"x", Tagging="a=b") == 200
    assert status(writer.put_object, Bucket=bucket, Key="tagged", Body=b"x", Tagging="a=b") == 403
