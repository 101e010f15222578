"""Makes posts of the stream's records, and invokes the write function with them.

Trigger: the Kinesis stream of posts, batches of up to 100, with partial batch responses.
Input: records, single or aggregated by the Kinesis Producer Library, encrypted or not; each a post as JSON.
Output: asynchronous invocations of the write function, each under 1 MB. A record that is not a post goes to
    `quarantine/` of the failure bucket, with its sequence number and the reason; all others go on.
On failure: the first record whose invocation failed is reported. Lambda goes on from there, halves the
    batch, and after the last try puts the records themselves into the failure bucket.
Idempotent: a record that comes again makes the same post and the same line in quarantine again; posts are
    written once (see `write`).
Recorded event: events/social_stream/ingest_posts.json
"""

import base64
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.batches import BatchResponse, Refusal, StreamBatch, StreamRecord
from shared.metrics import count, publishes_metrics

from . import kpl, write_request
from .errors import BadRecordError
from .posts import Arrival, Post, post_of
from .sealing import opened
from .settings import IngestSettings
from .storage import invoke

__all__ = ["handler"]

logger = Logger()


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Take a batch of records."""
    settings = IngestSettings.from_env()
    batch = StreamBatch(event, "aws:kinesis")
    posts: list[tuple[str, Post]] = []
    refusals: list[Refusal] = []

    def read(record: StreamRecord) -> None:
        for found in _parts(record, settings):
            if isinstance(found, Refusal):
                refusals.append(found)
            else:
                posts.append((record.sequence_number, found))

    batch.each(read)
    batch.quarantine(settings.failures_bucket, refusals)
    _invoke(posts, settings, batch)
    count("PostsIngested", len(posts))
    # A partition takes 1,000 writes a second: the busiest user of a batch shows when one comes near.
    count("BusiestUserPosts", max(Counter(post["user_id"] for _, post in posts).values(), default=0))
    return batch.response()


def _parts(record: StreamRecord, settings: IngestSettings) -> Iterator[Post | Refusal]:
    """The posts of a record, and what in it is none: several of each, if it is aggregated."""
    number, kinesis = record.sequence_number, record.raw["kinesis"]
    arrived = float(kinesis["approximateArrivalTimestamp"])
    data = base64.b64decode(kinesis["data"])
    stream = record.raw["eventSourceARN"].rpartition("/")[2]
    try:
        plain = opened(data, stream, settings.key_arn, record.raw["awsRegion"])
    except BadRecordError as error:
        yield Refusal(number, 0, arrived, str(error), data)
        return
    for part, each in enumerate(kpl.split(plain)):
        arrival = Arrival(number, part, arrived)
        try:
            yield post_of(each, arrival, settings.post_days)
        except BadRecordError as error:
            # What came encrypted is kept encrypted.
            yield Refusal(*arrival, str(error), each if plain == data else data)


def _invoke(posts: list[tuple[str, Post]], settings: IngestSettings, batch: StreamBatch) -> None:
    """Invoke the write function with the posts, up to the first invocation that fails."""
    for first, some in write_request.packed(posts):
        try:
            invoke(settings.write_function, write_request.payload(some, time.time() + write_request.FRESH_S))
        except (ClientError, BotoCoreError) as error:
            batch.fail(first, f"invoke: {type(error).__name__}")
            return
