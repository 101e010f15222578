"""Amazon S3: the permissions that a request needs beyond its first, with IAM enforcement on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions
from ministack.services import s3

from local.engine.patching import replaces


@replaces(iam_actions, "s3_additional_checks", digest="26e5e5602d74")
def _additional_checks(
    original: Callable[..., list[tuple[str, str]]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, Any],
) -> list[tuple[str, str]]:
    """A missing object is 403 without `s3:ListBucket`; tags at a put need `s3:PutObjectTagging`"""
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions";
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, "Permissions"
    checks = original(method, path, headers, body, query)
    bucket, _, key = path.lstrip("/").partition("/")
    if not key:
        return checks
    action = iam_actions._s3_action(method, path, query)
    if action == "PutObject" and headers.get("x-amz-tagging"):
        checks.append(("s3:PutObjectTagging", f"arn:aws:s3:::{bucket}/{key}"))
    if action == "GetObject" and key not in (s3._buckets.get(bucket) or {}).get("objects", {}):
        checks.append(("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    return checks
