"""S3's notifications as they come through a queue, one message at a time."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, Message, PermanentError, QueueBatch

from .errors import NotANotificationError, OutOfTimeError

__all__ = ["StoredObject", "created_objects", "each_object"]

RESERVE_S = 5.0  # to note down what was done, and to answer


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
        raise NotANotificationError("the message is not an S3 notification") from error


def each_object(
    event: dict[str, Any],
    context: LambdaContext,
    handle: Callable[[StoredObject, float], None],
    *,
    retry_seconds: int,
    dead_letter_queue_url: str,
) -> BatchResponse:
    """Handle the objects of a batch of messages; a message fails alone, with all of its objects.

    What fails for good is dead-lettered after the message's other objects are done.

    Args:
        event: The batch.
        context: Tells the time that is left.
        handle: Takes an object and the time of `time.monotonic()` by which to be done.
        retry_seconds: A failed message comes back after so long, doubled with every receipt.
        dead_letter_queue_url: Where a message goes at once that will always fail.
    """

    def take(message: Message) -> None:
        failed: PermanentError | None = None
        for stored in created_objects(message.body):
            try:
                handle(stored, _deadline(context))
            except PermanentError as error:  # the message's other objects come first
                failed = error
        if failed:
            raise failed

    batch = QueueBatch(event, retry_seconds=retry_seconds, dead_letter_queue_url=dead_letter_queue_url)
    return batch.each(take)


def _deadline(context: LambdaContext) -> float:
    left = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
    if left < RESERVE_S:
        raise OutOfTimeError("too little time is left to begin")
    return time.monotonic() + left
