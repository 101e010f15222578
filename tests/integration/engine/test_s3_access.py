"""Amazon S3: the permissions that a request needs beyond its first."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud


def s3_of_a_user(cloud: Cloud, bucket: str, *actions: str, conditions: dict[str, Any] | None = None) -> Any:
    """Return an S3 client of a new user.

    Args:
        cloud: Where the user is made.
        bucket: The user may act on it and its objects.
        actions: What the user may do.
        conditions: What the user may do on a condition: actions to conditions.
    """
    iam, name = cloud.client("iam"), cloud.name("user")
    iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    statements = [{**allowed, "Action": list(actions)}]
    for action, condition in (conditions or {}).items():
        statements.append({**allowed, "Action": action, "Condition": condition})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
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


READS = ("s3:GetObject", "s3:ListBucket")
MATCH, NONE_MATCH = ({"Null": {f"s3:{header}": "false"}} for header in ("if-match", "if-none-match"))


def test_a_condition_on_if_match_lets_conditional_puts_alone(cloud_with_iam: Cloud, bucket: str) -> None:
    put = {"Bucket": bucket, "Key": "a", "Body": b"new"}
    etag = cloud_with_iam.client("s3").put_object(**put)["ETag"]
    updater = s3_of_a_user(cloud_with_iam, bucket, *READS, conditions={"s3:PutObject": MATCH})
    assert status(updater.put_object, **put) == 403
    assert status(updater.put_object, **put, IfNoneMatch="*") == 403
    assert status(updater.put_object, **put, IfMatch='"0123"') == 412
    assert status(updater.put_object, **put, IfMatch=etag) == 200


def test_a_condition_on_if_none_match_lets_first_puts_alone(cloud_with_iam: Cloud, bucket: str) -> None:
    put = {"Bucket": bucket, "Key": "a", "Body": b"new"}
    creator = s3_of_a_user(cloud_with_iam, bucket, *READS, conditions={"s3:PutObject": NONE_MATCH})
    assert status(creator.put_object, **put) == 403
    assert status(creator.put_object, **put, IfNoneMatch="*") == 200
    assert status(creator.put_object, **put, IfNoneMatch="*") == 412


def test_a_condition_on_if_match_lets_conditional_deletes_alone(cloud_with_iam: Cloud, bucket: str) -> None:
    owner, object_ = cloud_with_iam.client("s3"), {"Bucket": bucket, "Key": "a/ä b"}
    etag = owner.put_object(**object_, Body=b"x")["ETag"]
    conditions = {"s3:DeleteObject": MATCH}
    deleter = s3_of_a_user(cloud_with_iam, bucket, *READS, conditions=conditions)
    blind = s3_of_a_user(cloud_with_iam, bucket, "s3:ListBucket", conditions=conditions)
    assert status(deleter.delete_object, **object_) == 403
    assert status(deleter.delete_object, **object_, IfMatch='"0123"') == 412
    assert status(blind.delete_object, **object_, IfMatch=etag) == 403, "an ETag is read: s3:GetObject"
    assert status(deleter.delete_object, **object_, IfMatch=etag) == 204
    assert status(owner.head_object, **object_) == 404


def test_tags_may_be_changed_on_condition_of_those_there(cloud_with_iam: Cloud, bucket: str) -> None:
    owner = cloud_with_iam.client("s3")
    owner.put_object(Bucket=bucket, Key="ours", Body=b"x", Tagging="variant=true")
    owner.put_object(Bucket=bucket, Key="theirs", Body=b"x", Tagging="variant=false")
    condition = {"StringEquals": {"s3:ExistingObjectTag/variant": "true"}}
    actions = dict.fromkeys(("s3:PutObjectTagging", "s3:DeleteObjectTagging"), condition)
    tagger = s3_of_a_user(cloud_with_iam, bucket, *READS, conditions=actions)
    kept = {"TagSet": [{"Key": "variant", "Value": "true"}]}
    for key, expected in {"ours": (200, 204), "theirs": (403, 403)}.items():
        assert status(tagger.put_object_tagging, Bucket=bucket, Key=key, Tagging=kept) == expected[0]
        assert status(tagger.delete_object_tagging, Bucket=bucket, Key=key) == expected[1]


def test_an_object_put_without_tags_has_none(cloud: Cloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.name("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="variant=true")
    s3.put_object(Bucket=bucket, Key="a", Body=b"y")
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []


@pytest.mark.ours_only
def test_a_copy_carries_metadata_and_tags_along(cloud: Cloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.name("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="variant=true", Metadata={"mark": "a"})
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"mark": "a"}
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "variant", "Value": "true"}]


@pytest.mark.ours_only
def test_a_condition_that_fails_leaves_the_object(cloud: Cloud) -> None:
    s3, object_ = cloud.client("s3"), {"Bucket": cloud.name("bucket"), "Key": "a"}
    s3.create_bucket(Bucket=object_["Bucket"])
    assert status(s3.put_object, **object_, Body=b"x", IfMatch='"0123"') == 404
    assert status(s3.delete_object, **object_, IfMatch='"0123"') == 404
    s3.put_object(**object_, Body=b"x")
    assert status(s3.put_object, **object_, Body=b"y", IfMatch='"0123"') == 412
    assert status(s3.put_object, **object_, Body=b"y", IfNoneMatch="*") == 412
    assert status(s3.delete_object, **object_, IfMatch='"0123"') == 412
    batch = {"Objects": [{"Key": "a", "ETag": '"0123"'}]}
    [error] = s3.delete_objects(Bucket=object_["Bucket"], Delete=batch)["Errors"]
    assert error["Code"] == "PreconditionFailed"
    assert s3.get_object(**object_)["Body"].read() == b"x"


def test_a_range_of_a_version_is_that_range(cloud_with_iam: Cloud, bucket: str) -> None:
    s3 = cloud_with_iam.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [
        s3.put_object(Bucket=bucket, Key="lines", Body=body)["VersionId"] for body in (b"0123456789", b"new")
    ]
    place = {"Bucket": bucket, "Key": "lines", "VersionId": versions[0]}
    answer = s3.get_object(**place, Range="bytes=2-4")
    assert answer["Body"].read() == b"234"
    assert (answer["ContentRange"], answer["ContentLength"]) == ("bytes 2-4/10", 3)
    assert s3.get_object(**place, Range="bytes=-1")["Body"].read() == b"9"
    assert status(s3.get_object, **place, Range="bytes=10-") == 416
    assert s3.get_object(**place)["Body"].read() == b"0123456789"


def test_a_missing_version_is_forbidden_to_who_may_not_list(cloud_with_iam: Cloud, bucket: str) -> None:
    reader = s3_of_a_user(cloud_with_iam, bucket, "s3:GetObjectVersion")
    lister = s3_of_a_user(cloud_with_iam, bucket, "s3:GetObjectVersion", "s3:ListBucket")
    cloud_with_iam.client("s3").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    put = cloud_with_iam.client("s3").put_object(Bucket=bucket, Key="there", Body=b"x")
    place = {"Bucket": bucket, "Key": "there"}
    assert status(reader.get_object, **place, VersionId=put["VersionId"]) == 200
    assert status(lister.get_object, **place, VersionId="missing") == 404
    assert status(reader.get_object, **place, VersionId="missing") == 403
