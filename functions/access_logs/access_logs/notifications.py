"""S3's notifications as they come through a queue, one message at a time."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.clients import client

from .errors import NotANotificationError, OutOfTimeError

__all__ = ["StoredObject", "created_objects", "each_object"]

RESERVE_S = 5.0  # to note down what was done, and to answer
LONGEST_WAIT_S = 900

logger = Logger()
metrics = Metrics()


class StoredObject(NamedTuple):
    """An object that was created.

    Attributes:
        bucket: Its bucket.
        key: Its key, decoded.
        etag: Its ETag without quotes.
    """

    bucket: str
    key: str
    etag: str


def created_objects(body: str) -> Iterator[StoredObject]:
    """The created objects that a message names; none for `s3:TestEvent`, which S3 sends at set-up.

    Raises:
        NotANotificationError: The message is something else.
    """
    try:
        content = json.loads(body)
        if content.get("Event") == "s3:TestEvent":
            return
        for record in content["Records"]:
            if record["eventName"].startswith("ObjectCreated:"):
                stored = record["s3"]["object"]
                key = unquote_plus(stored["key"])
                yield StoredObject(record["s3"]["bucket"]["name"], key, stored["eTag"].strip('"'))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotANotificationError("the message is no S3 notification") from error


def each_object(
    event: dict[str, Any],
    context: LambdaContext,
    handle: Callable[[StoredObject, float], None],
    retry_seconds: int,
) -> dict[str, Any]:
    """Handle the objects of a batch of messages; a message fails alone, with all of its objects.

    A failed message comes back after `retry_seconds`, doubled with every try, instead of the queue's
    visibility time-out, which is long because it must outlast an invocation.

    Args:
        event: The batch.
        context: Tells the time that is left.
        handle: Takes an object and the time of `time.monotonic()` by which to be done.
        retry_seconds: The first wait.

    Returns:
        The answer of a function that reports batch item failures.
    """
    failed: list[dict[str, str]] = []
    for message in event["Records"]:
        try:
            for stored in created_objects(message["body"]):
                handle(stored, _deadline(context))
        except Exception as error:
            # The boundary of a message: the others of the batch are not held up.
            logger.exception("message failed", message_id=message["messageId"], error=type(error).__name__)
            metrics.add_metric(name="MessagesFailed", unit=MetricUnit.Count, value=1)
            failed.append({"itemIdentifier": message["messageId"]})
            _come_back(message, retry_seconds)
    return {"batchItemFailures": failed}


def _deadline(context: LambdaContext) -> float:
    left = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
    if left < RESERVE_S:
        raise OutOfTimeError("too little time is left to begin")
    return time.monotonic() + left


def _come_back(message: dict[str, Any], retry_seconds: int) -> None:
    tries = int(message["attributes"]["ApproximateReceiveCount"])
    # An SQS ARN is arn:partition:sqs:region:account:name.
    account, name = message["eventSourceARN"].split(":")[4:6]
    sqs = client("sqs")
    try:
        sqs.change_message_visibility(
            QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{name}",
            ReceiptHandle=message["receiptHandle"],
            VisibilityTimeout=min(LONGEST_WAIT_S, retry_seconds * 2 ** (tries - 1)),
        )
    except Exception:  # the message comes back anyway, only later
        logger.exception("visibility not changed", message_id=message["messageId"])
