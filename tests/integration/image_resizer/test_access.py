"""What the roles may do, with the engine's IAM enforcement on; and what signed URLs guard."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from datagen.pictures import encode, photograph, png_claiming
from image_resizer import signing
from local.clients.visitor import PortalVisitor
from local.deploy import deploy
from local.suite import Suite
from tests.conftest import Faults
from tests.support.permissions import decisions, function, unused
from tests.support.waiting import wait_until


@pytest.fixture
def foreign_bucket(suite: Suite) -> str:
    bucket = f"foreign-{uuid.uuid4().hex[:8]}"
    suite.client("s3").create_bucket(Bucket=bucket)
    suite.client("s3").put_object(Bucket=bucket, Key="photo.jpg", Body=encode(photograph(), "JPEG"))
    return bucket


def test_the_resize_role_is_refused_another_bucket(suite: Suite, foreign_bucket: str) -> None:
    functions, name = suite.client("lambda"), function(suite, "ResizeFunction")
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"BUCKET": foreign_bucket}}
    )
    try:
        answer = suite.http.get(
            f"{suite['ImagesApiUrl']}/resize", params={"key": "300x300/photo.jpg"}, allow_redirects=False
        )
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    assert (answer.status_code, answer.json()["code"]) == (500, "storage_refused")
    keys = suite.client("s3").list_objects_v2(Bucket=foreign_bucket)["Contents"]
    assert [item["Key"] for item in keys] == ["photo.jpg"]
    assert [d for d in decisions(suite) if foreign_bucket in d["resource"] and not d["allowed"]]


def test_everybody_reads_objects_and_nobody_lists_or_writes_them(suite: Suite) -> None:
    bucket = f"{suite.engine.endpoint}/{suite['ImagesBucketName']}"
    assert suite.http.get(f"{bucket}/blue_marble.jpg").status_code == 200
    assert suite.http.get(f"{bucket}?list-type=2").status_code == 403
    assert suite.http.put(f"{bucket}/mine.jpg", data=b"mine").status_code == 403
    assert suite.http.delete(f"{bucket}/blue_marble.jpg").status_code == 403


def test_allowed_actions_are_those_that_the_flows_use(suite: Suite, faults: Faults) -> None:
    """Sufficiency: the flows pass with enforcement on. Necessity: none of the allowed actions goes unused."""
    suite.http.delete(f"{suite.engine.endpoint}/_engine/iam").raise_for_status()
    s3, bucket = suite.client("s3"), suite["ImagesBucketName"]
    key = f"{uuid.uuid4().hex}.jpg"

    def put(width: int) -> None:
        s3.put_object(
            Bucket=bucket, Key=key, Body=encode(photograph(width, 200), "JPEG"), ContentType="image/jpeg"
        )

    def gone() -> bool:
        return f"300x/{key}" not in [
            item["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for item in page["Contents"]
        ]

    def lost_its_tag(copy: str) -> bool:
        tags = s3.get_object_tagging(Bucket=bucket, Key=copy)["TagSet"]
        return {"Key": "variant", "Value": "true"} not in tags

    put(400)
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x/{key}").raise_for_status()
    s3.put_object(Bucket=bucket, Key=f"bomb-{key}", Body=png_claiming(30_000, 30_000))
    assert suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x/bomb-{key}").status_code == 422
    assert suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x/no-{key}").status_code == 404
    put(500)
    wait_until(gone, what="invalidation")
    # The variant of an original that is replaced before the variant is stored is taken back, and made again.
    faults.inject({"match": "s3.PutObject", "resource": f"300x/{key}", "delay": 1.0, "times": 1})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(suite.http.get, f"{suite['ImagesWebsiteUrl']}/300x/{key}")
        wait_until(lambda: faults.hits() == [1], what="the variant on its way")
        put(450)
        asked.result().raise_for_status()
    # Copies of variants are kept.
    for copy, tags in {f"a-{key}": {}, f"b-{key}": {"Tagging": "a=b&variant=true"}}.items():
        how = {"TaggingDirective": "REPLACE", **tags} if tags else {}
        s3.copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": f"300x/{key}"}, **how)
        wait_until(partial(lost_its_tag, copy), what="the copy to be kept")
    # The event of an invalidation that fails is kept, and the stale variant is replaced all the same.
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x/{key}").raise_for_status()
    faults.inject({"match": "s3.DeleteObject", "rate": 1, "status": 503, "type": "SlowDown"})
    put(600)
    queue = suite["ImagesDeadLetterQueueUrl"]
    dead = wait_until(
        lambda: suite.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"),
        seconds=60,
    )
    for message in dead:
        suite.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    faults.clear()
    suite.http.get(f"{suite['ImagesApiUrl']}/resize", params={"key": f"300x/{key}"}).raise_for_status()

    if "PortalApiUrl" in suite.outputs:  # calls are counted where there are keys
        visitor = PortalVisitor(suite)
        visitor.variant(visitor.create_key().json()["value"], f"300x/{key}").raise_for_status()

    assert [each for each in decisions(suite) if not each["allowed"]] == []
    for part in ("ResizeFunction", "InvalidateFunction"):
        assert unused(suite, part) == set(), f"{part}: allowed, but no flow used it"


def s3_of_role(suite: Suite, part: str) -> Any:
    """Return the S3 client of who assumed a function's role."""
    role = suite.client("lambda").get_function_configuration(FunctionName=function(suite, part))["Role"]
    given = suite.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=suite.engine.endpoint,
        region_name="eu-west-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )


def outcome(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


@pytest.mark.parametrize("part", ["ResizeFunction", "InvalidateFunction"])
def test_the_roles_delete_on_condition_alone(suite: Suite, part: str) -> None:
    theirs = {"Bucket": suite["ImagesBucketName"], "Key": f"728x90/{uuid.uuid4().hex}.jpg"}
    etag = suite.client("s3").put_object(**theirs, Body=b"a person's")["ETag"]
    s3 = s3_of_role(suite, part)
    assert outcome(s3.delete_object, **theirs) == "AccessDenied"
    batch = {"Objects": [{"Key": theirs["Key"]}]}
    assert outcome(s3.delete_objects, Bucket=theirs["Bucket"], Delete=batch) == "AccessDenied"
    assert outcome(s3.delete_object, **theirs, IfMatch='"0123"') == "PreconditionFailed"
    assert suite.client("s3").head_object(**theirs)["ETag"] == etag
    assert outcome(s3.delete_object, **theirs, IfMatch=etag) == "done"


def test_the_resize_role_writes_on_condition_alone(suite: Suite) -> None:
    theirs = {"Bucket": suite["ImagesBucketName"], "Key": f"728x90/{uuid.uuid4().hex}.jpg"}
    etag = suite.client("s3").put_object(**theirs, Body=b"a person's")["ETag"]
    s3 = s3_of_role(suite, "ResizeFunction")
    assert outcome(s3.put_object, **theirs, Body=b"new") == "AccessDenied"
    copy = {**theirs, "CopySource": {"Bucket": theirs["Bucket"], "Key": "blue_marble.jpg"}}
    assert outcome(s3.copy_object, **copy) == "AccessDenied"
    assert outcome(s3.put_object, **theirs, Body=b"new", IfNoneMatch="*") == "PreconditionFailed"
    assert outcome(s3.put_object, **theirs, Body=b"new", IfMatch='"0123"') == "PreconditionFailed"
    assert suite.client("s3").head_object(**theirs)["ETag"] == etag
    assert outcome(s3.put_object, **theirs, Body=b"new", IfMatch=etag) == "done"


def test_the_invalidate_role_tags_tagged_variants_alone(suite: Suite) -> None:
    theirs = {"Bucket": suite["ImagesBucketName"], "Key": f"{uuid.uuid4().hex}.jpg"}
    suite.client("s3").put_object(**theirs, Body=b"a person's", Tagging="owner=ann")
    s3 = s3_of_role(suite, "InvalidateFunction")
    expiring = {"TagSet": [{"Key": "variant", "Value": "true"}]}
    assert outcome(s3.put_object_tagging, **theirs, Tagging=expiring) == "AccessDenied"
    assert outcome(s3.delete_object_tagging, **theirs) == "AccessDenied"


@pytest.fixture(scope="module")
def signing_suite(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The same stack, updated by `sam deploy` to make variants for signed URLs only, and back."""
    log: Path = tmp_path_factory.mktemp("signing") / "deploy.log"
    yield Suite(suite.engine, deploy(suite.engine, log, ImageSigning="true"))
    off = deploy(suite.engine, log, ImageSigning="false")  # a parameter left out keeps its value
    assert off["ImagesApiUrl"] == suite["ImagesApiUrl"], "an update must keep the address"


def secret(suite: Suite) -> bytes:
    manager = suite.client("secretsmanager")
    [listed] = [s for s in manager.list_secrets()["SecretList"] if "ImagesSigning" in s["Name"]]
    value: str = manager.get_secret_value(SecretId=listed["ARN"])["SecretString"]
    return value.encode()


def test_a_signed_url_makes_the_variant_and_the_stored_variant_is_public(signing_suite: Suite) -> None:
    suite = signing_suite
    suite.client("s3").delete_object(Bucket=suite["ImagesBucketName"], Key="200x200,webp/rocket.jpg")
    plain = f"{suite['ImagesWebsiteUrl']}/200x200,webp/rocket.jpg"
    assert suite.http.get(plain).status_code == 403
    path = signing.sign(secret(suite), "200x200,webp", "rocket.jpg", int(time.time()) + 60)
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/{path}")
    assert [step.status_code for step in answer.history] == [307, 301]
    assert answer.url == plain
    assert suite.http.get(plain, allow_redirects=False).status_code == 200


@pytest.mark.parametrize(
    "change", ["expired", "another size", "another key", "tampered", "none", "wrong secret"]
)
def test_a_bad_or_expired_signature_is_forbidden(signing_suite: Suite, change: str) -> None:
    suite = signing_suite
    key, expires = "rocket.jpg", int(time.time()) + 60
    signed = signing.sign(secret(suite), "100x100,avif", key, expires)
    path = {
        "expired": signing.sign(secret(suite), "100x100,avif", key, int(time.time()) - 1),
        "another size": signed.replace("100x100", "500x500"),
        "another key": signing.sign(secret(suite), "100x100,avif", "other.png", expires).replace(
            "other.png", key
        ),
        "tampered": signed.replace(f"s{expires}.", f"s{expires + 1}."),
        "none": f"100x100,avif/{key}",
        "wrong secret": signing.sign(b"guessed", "100x100,avif", key, expires),
    }[change]
    answer = suite.http.get(f"{suite['ImagesApiUrl']}/resize", params={"key": path}, allow_redirects=False)
    code = {"expired": "signature_expired", "none": "signature_missing"}.get(change, "signature_invalid")
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert answer.headers["Cache-Control"] == "no-store"
