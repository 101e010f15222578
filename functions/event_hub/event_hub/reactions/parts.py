"""Large objects, made in parts that several invocations upload one after another.

There are at most 10,000 parts of 5 MiB to 5 GiB, of which the last may be smaller
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). An upload that nobody completes expires
by the bucket's lifecycle rule.
"""

from typing import Any

from shared.batches import PermanentError

from ..facts import MAX_OBJECT_KEY_BYTES
from ..hub import Hub

__all__ = ["complete", "destination", "part_size", "started"]

MAX_PARTS = 10_000


def part_size(size: int, smallest: int, largest: int) -> int:
    """Bytes of each part: the smallest power of two times `smallest` with which there are few enough.

    Raises:
        PermanentError: There are none; a part has to be moved within an invocation.
    """
    part = smallest
    while part * MAX_PARTS < size:
        part *= 2
    if part > largest:
        raise PermanentError(f"{size} bytes are more than {MAX_PARTS} parts of {largest} bytes")
    return part


def destination(prefix: str, *names: str) -> str:
    """A key of the output bucket.

    Raises:
        PermanentError: It would be too long, or lead out of its prefix.
    """
    key = "/".join((prefix, *names))
    if len(key.encode()) > MAX_OBJECT_KEY_BYTES:
        raise PermanentError(f"the key under {prefix}/ would be longer than {MAX_OBJECT_KEY_BYTES} bytes")
    if any(part in ("", ".", "..") for part in key.split("/")[:-1]):
        raise PermanentError(f"the key under {prefix}/ has empty or relative folders")
    return key


def started(hub: Hub, key: str, metadata: dict[str, str]) -> str:
    """Begin an upload; its id."""
    answer = hub.client("s3").create_multipart_upload(
        Bucket=hub.config.output_bucket, Key=key, Metadata=metadata
    )
    return str(answer["UploadId"])


def complete(hub: Hub, key: str, upload: str) -> None:
    """Complete an upload with all the parts that it has."""
    s3, bucket = hub.client("s3"), hub.config.output_bucket
    parts: list[dict[str, Any]] = []
    for page in s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=upload):
        parts += [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in page["Parts"]]
    s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
