"""Deletes the variants of an original that was replaced or deleted.

Trigger: EventBridge, S3's `Object Created` and `Object Deleted` of the bucket.
Input: the key in `detail.object.key`, which EventBridge (unlike S3's own notifications) does not URL-encode.
Output: the number of keys whose deletion was asked for.
On failure: raises, so that Lambda tries again and then hands the event to its dead-letter queue.
Idempotent: deleting what is not there is no error. Events of variants themselves are ignored.
Recorded event: events/image_resizer/invalidate_original_replaced.json
"""

from collections.abc import Iterator
from itertools import batched
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.clients import client

from .variants import is_variant_key

__all__ = ["InvalidationError", "handler"]

logger = Logger()
metrics = Metrics()

BATCH = 1_000  # of DeleteObjects
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
        for segments in batched(_size_segments(bucket), BATCH, strict=False):
            _delete(bucket, [f"{segment}{key}" for segment in segments])
            deleted += len(segments)
        logger.info("invalidate", reason=event["detail-type"], segments=deleted)
    metrics.add_metric(name="VariantsInvalidated", unit=MetricUnit.Count, value=deleted)
    return {"deleted": deleted}


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
