"""Deletes the variants that an original left behind when it was replaced or deleted.

Trigger: EventBridge, S3's `Object Created` and `Object Deleted` of the bucket.
Input: the key in `detail.object.key`, which EventBridge (unlike S3's own notifications) does not URL-encode.
Output: the number of variants whose deletion was asked for.
On failure: raises, so that Lambda tries again and then hands the event to its dead-letter queue.
Idempotent, whatever the order of events: a variant goes if the original that it was made of is not the one
    that is there now. Events of variants themselves are ignored.
Recorded event: events/image_resizer/invalidate_original_replaced.json
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import batched, compress
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.clients import client

from .storage import Bucket
from .variants import is_variant_key

__all__ = ["InvalidationError", "handler"]

logger = Logger()
metrics = Metrics()

BATCH = 1_000  # of DeleteObjects
HEADS_AT_ONCE = 16
# How a size segment begins. Listing only these leaves out nearly all of the originals beside them.
_FIRST_CHARACTERS = "123456789x"


class InvalidationError(Exception):
    """Some variants could not be deleted."""


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001
    """Delete the variants of one original."""
    bucket: str = event["detail"]["bucket"]["name"]
    key: str = event["detail"]["object"]["key"]
    deleted = 0
    metrics.add_metric(name="Invalidations", unit=MetricUnit.Count, value=1)
    if not is_variant_key(key):
        for keys in batched(_stale(Bucket(bucket), key), BATCH, strict=False):
            _delete(bucket, list(keys))
            deleted += len(keys)
        logger.info("invalidate", reason=event["detail-type"], deleted=deleted)
    metrics.add_metric(name="VariantsInvalidated", unit=MetricUnit.Count, value=deleted)
    return {"deleted": deleted}


def _stale(bucket: Bucket, key: str) -> Iterator[str]:
    """The keys of variants that belong to another original than the present one."""
    present = bucket.head(key)
    possible = (f"{segment}{key}" for segment in _size_segments(bucket.name))

    def is_stale(variant: str) -> bool:
        stored = bucket.head(variant)
        return stored is not None and (present is None or not stored.is_made_of(present))

    with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
        for keys in batched(possible, BATCH, strict=False):
            yield from compress(keys, pool.map(is_stale, keys))


def _size_segments(bucket: str) -> Iterator[str]:
    """The size segments under which the bucket holds variants, each with its slash."""
    pages = client("s3").get_paginator("list_objects_v2")
    for character in _FIRST_CHARACTERS:
        for page in pages.paginate(Bucket=bucket, Delimiter="/", Prefix=character):
            for common in page.get("CommonPrefixes", []):
                if is_variant_key(common["Prefix"]):
                    yield common["Prefix"]


def _delete(bucket: str, keys: list[str]) -> None:
    answer = client("s3").delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
    )
    if errors := answer.get("Errors"):
        codes = sorted({error.get("Code", "unknown") for error in errors})
        raise InvalidationError(f"{len(errors)} of {len(keys)} variants were not deleted: {', '.join(codes)}")
