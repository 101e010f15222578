"""Delivers a line to the lake for every new post: who, which, when.

Trigger: the DynamoDB stream of the posts table, new items only, with partial batch responses.
Input: changes; MODIFY and REMOVE (which includes expiry) are no activity, and are skipped.
Output: a JSON line for each, on Firehose: `table_name`, `user_id`, `tweet_id`, `approx_post_time` (UTC, as
    Athena reads a timestamp). Lines share Firehose records of up to 5 KB, the step by which it bills; only
    records that Firehose refused are sent again.
On failure: the first change that was not accepted is reported; after the last try Lambda puts the changes
    into the failure bucket.
Idempotent: no. What comes again is delivered again; the saved queries count distinct posts.
Recorded event: events/social_stream/activity_new_posts.json
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from shared.access_log import pack, put_records
from shared.batch_write import deadline_of
from shared.batches import BatchResponse, StreamBatch, StreamRecord
from shared.clients import client
from shared.metrics import count, publishes_metrics

from .settings import ActivitySettings

__all__ = ["handler"]

logger = Logger()

RECORD_BYTES = 5 * 1024
MARGIN_S = 20.0  # a call that has begun is not cut short, and may be tried three times
_THROTTLED = {"LimitExceededException", "ServiceUnavailableException", "ThrottlingException"}


class _BusyError(Exception):
    """Firehose throttles or does not answer."""


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Deliver a line for each new post of a batch."""
    settings = ActivitySettings.from_env()
    batch = StreamBatch(event, "aws:dynamodb")
    inserted = [record for record in batch.records if record.raw["eventName"] == "INSERT"]
    records = list(pack((_line(record.raw) for record in inserted), RECORD_BYTES))
    starts = _starts(records, inserted)
    result = put_records(
        partial(_send, settings.delivery_stream),
        records,
        deadline=deadline_of(context, margin=MARGIN_S),
        retry_on=(_BusyError,),
    )
    left = list(result.unaccepted)
    for record in left:
        batch.fail(starts[record], "not accepted")
    delivered = len(inserted) - sum(record.count(b"\n") for record in left)  # a line is a post
    logger.info("delivered", changes=len(batch.records), posts=delivered, records=result.accepted)
    count("PostsDelivered", delivered)
    return batch.response()


def _line(record: dict[str, Any]) -> bytes:
    change = record["dynamodb"]
    moment = datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC)
    line = {
        "table_name": record["eventSourceARN"].split("/")[1],
        "user_id": change["Keys"]["user_id"]["S"],
        "tweet_id": int(change["Keys"]["tweet_id"]["N"]),
        "approx_post_time": f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}",
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _starts(records: Iterable[bytes], inserted: list[StreamRecord]) -> dict[bytes, str]:
    """The sequence number of the first change in each Firehose record; of equal records the first one's."""
    starts: dict[bytes, str] = {}
    place = 0
    for record in records:
        starts.setdefault(record, inserted[place].sequence_number)
        place += record.count(b"\n")
    return starts


def _send(stream: str, records: list[bytes]) -> list[str | None]:
    """One call of PutRecordBatch: the error of each record, or None.

    Raises:
        _BusyError: The call as a whole was throttled or not answered.
    """
    try:
        answer = client("firehose").put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": record} for record in records]
        )
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= 500 or error.response["Error"]["Code"] in _THROTTLED:
            raise _BusyError from error
        raise
    except (HTTPClientError, UnreachableError) as error:
        raise _BusyError from error
    return [response.get("ErrorCode") for response in answer["RequestResponses"]]
