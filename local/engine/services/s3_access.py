"""Amazon S3: with IAM enforcement on, the permissions that a request needs beyond its first, and the keys
that policies' conditions may name; what a put leaves of the object that it replaces; ranges of versions.
"""

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
    """A missing object is 403 without `s3:ListBucket`; tags at a put and `If-Match` need more"""
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions";
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, "Permissions";
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html: "conditional
    # deletes with a specific ETag value require both s3:DeleteObject and s3:GetObject permissions."
    checks = original(method, path, headers, body, query)
    bucket, _, key = path.lstrip("/").partition("/")
    if not key:
        return checks
    action = iam_actions._s3_action(method, path, query)
    if action == "PutObject" and headers.get("x-amz-tagging"):
        checks.append(("s3:PutObjectTagging", f"arn:aws:s3:::{bucket}/{key}"))
    if action == "DeleteObject" and headers.get("if-match", "*") != "*":
        checks.append(("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"))
    version = s3._qp(query, "versionId", "") if action == "GetObjectVersion" else ""
    versions = {each["version_id"] for each in s3._object_versions.get((bucket, key), [])}
    objects = (s3._buckets.get(bucket) or {}).get("objects", {})
    if (action == "GetObject" and key not in objects) or (version and version not in versions):
        checks.append(("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    return checks


_CONDITIONAL = {"s3:PutObject": ("if-match", "if-none-match"), "s3:DeleteObject": ("if-match",)}
_TAGGING = ("s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectTagging")


@replaces(iam_actions, "s3_service_context", digest="83e53d14d02c")
def _service_context(
    original: Callable[..., dict[str, Any]],
    iam_action: str,
    query: dict[str, Any] | None,
    path: str = "",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Condition keys `s3:if-match`, `s3:if-none-match` of puts and deletes, `ExistingObjectTag` of tagging"""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html;
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html;
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    context = original(iam_action, query, path, headers)
    bucket, _, key = path.lstrip("/").partition("/")
    for name in _CONDITIONAL.get(iam_action, ()) if key else ():
        if value := (headers or {}).get(name):
            context[f"s3:{name}"] = value
    if iam_action in _TAGGING:
        for name, value in s3.object_tags_for_condition(bucket, key, query or {}).items():
            context[f"s3:ExistingObjectTag/{name}"] = value
    return context


@replaces(s3, "_put_object", digest="cf5861e4d999")
def _put_object(
    original: Callable[..., tuple[int, dict[str, str], bytes]],
    bucket: str,
    key: str,
    body: bytes,
    headers: dict[str, str],
) -> tuple[int, dict[str, str], bytes]:
    """An object that is put without tags has none, whatever tags the object had that it replaces"""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html: tags belong to the object;
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: "Amazon S3 never adds partial
    # objects; if you receive a success response, Amazon S3 added the entire object to the bucket."
    answer = original(bucket, key, body, headers)
    if answer[0] == 200 and not headers.get("x-amz-tagging"):
        version = s3._buckets[bucket]["objects"][key].get("version_id")
        s3._object_tags.pop((bucket, key, version), None)
    return answer


@replaces(s3, "_get_object", digest="64ad7071ef0e")
def _get_object(
    original: Callable[..., tuple[int, dict[str, str], bytes]],
    bucket: str,
    key: str,
    headers: dict[str, str],
    query: dict[str, Any] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """A range of an object's version is that range, as of the current one, and not the whole version"""
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Range" and "versionId".
    wanted = headers.get("range", "")
    if not wanted or not s3._qp(query or {}, "versionId", ""):
        return original(bucket, key, headers, query)
    # The checksum of a whole object is of no part of it.
    plain = {name: value for name, value in headers.items() if name != "x-amz-checksum-mode"}
    status, answered, body = original(bucket, key, plain, query)
    if status != 200:
        return status, answered, body
    found = s3._parse_range(wanted, len(body))
    if found is None:
        refused = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
        return 416, refused, s3._xml_body(s3._range_error_xml(bucket, key))
    start, end = found
    part = body[start : end + 1]
    answered |= {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
    return 206, answered, part
