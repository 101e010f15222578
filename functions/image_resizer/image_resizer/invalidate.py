"""Deletes the variants of an original that was replaced or deleted, and keeps people's copies of variants.

The event of a variant itself has that one checked: the resizer that stored it may have failed to see that its
original was replaced meanwhile.

Trigger: EventBridge, S3's `Object Created` and `Object Deleted` of the bucket.
Input: the key in `detail.object.key`, which EventBridge (unlike S3's own notifications) does not URL-encode.
Output: the number of variants that were deleted, and of objects that lost the tag by which variants expire.
    CopyObject carries tags along: without that a person's copy of a variant would expire with it.
On failure: raises, so that Lambda tries again and then sends the event to its dead-letter queue.
Idempotent, whatever the order of events: a variant is deleted if the original that it was made of is not the
    one that is there now, and as long as it is the variant that was looked at; a tag that is gone stays away.
Recorded events: events/image_resizer/invalidate_original_replaced.json, invalidate_variant_created.json
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.clients import client
from shared.events import eventbridge_detail
from shared.metrics import count, publishes_metrics

from .storage import Bucket, Stored
from .variants import MAX_KEY_BYTES, is_variant_key

__all__ = ["handler"]

logger = Logger()

CALLS_AT_ONCE = 16
# How a size segment begins. Listing only these leaves out nearly all of the originals beside them.
_FIRST_CHARACTERS = "123456789x"


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001
    """Delete the stale variants of one object, or a stale variant itself; keep all others from expiring."""
    detail = eventbridge_detail(event, "aws.s3")
    bucket = Bucket(detail["bucket"]["name"])
    key: str = detail["object"]["key"]
    count("Invalidations")
    present = bucket.head(key)
    kept = present is not None and not present.is_variant and bucket.keep(key)
    if not is_variant_key(key):
        deleted = _delete_stale_variants(bucket, key, present)
    elif present and present.is_variant:
        _, _, original = key.partition("/")
        deleted = int(_delete_if_stale(bucket, key, present, bucket.head(original)))
    else:
        deleted = 0
    logger.info("invalidate", reason=event["detail-type"], deleted=deleted, kept=kept)
    count("VariantsInvalidated", deleted)
    return {"deleted": deleted, "kept": int(kept)}


def _delete_stale_variants(bucket: Bucket, key: str, original: Stored | None) -> int:
    """Delete the variants that belong to another original than the present one; how many there were."""

    def look_and_delete(variant: str) -> bool:
        return _delete_if_stale(bucket, variant, bucket.head(variant), original)

    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        possible = (f"{segment}{key}" for segment in _size_segments(bucket.name))
        return sum(
            pool.map(look_and_delete, (name for name in possible if len(name.encode()) <= MAX_KEY_BYTES))
        )


def _delete_if_stale(bucket: Bucket, key: str, stored: Stored | None, original: Stored | None) -> bool:
    """Delete an object if it is a variant, but not the present original's; whether it was."""
    if stored is None or not stored.is_variant or (original and stored.is_made_of(original)):
        return False
    return bucket.delete(key, stored.etag)


def _size_segments(bucket: str) -> Iterator[str]:
    """The size segments under which the bucket may hold variants, each with its slash."""
    pages = client("s3").get_paginator("list_objects_v2")
    for character in _FIRST_CHARACTERS:
        for page in pages.paginate(Bucket=bucket, Delimiter="/", Prefix=character):
            for common in page.get("CommonPrefixes", []):
                if is_variant_key(common["Prefix"]):
                    yield common["Prefix"]
