"""Makes posts of the stream's records, and hands them to the write function.

Trigger: the Kinesis stream of posts, batches of up to 100, with partial batch responses.
Input: records, single or aggregated by the Kinesis Producer Library, encrypted or not; each a post as JSON.
Output: asynchronous invocations of the write function, each of less than 1 MB. A record that is no post goes
    to `quarantine/` of the failure bucket, with its sequence number and the reason; all others go on.
On failure: the first record that could not be handed over is reported. Lambda goes on from there, halves the
    batch, and after the last try puts the records themselves into the failure bucket.
Idempotent: a record that comes again makes the same post and the same line in quarantine again; posts are
    written once (see `write`).
Recorded event: events/social_stream/ingest_posts.json
"""

import base64
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from . import handover, kpl, quarantine
from .errors import BadRecordError
from .posts import Arrival, Post, post_of
from .quarantine import Refusal
from .sealing import opened
from .settings import IngestSettings
from .storage import invoke

__all__ = ["handler"]

logger = Logger()
metrics = Metrics()


class _Read(NamedTuple):
    """What a batch holds; `failed` is the first record that could not be read for now, or empty."""

    posts: list[tuple[str, Post]]
    refusals: list[Refusal]
    failed: str


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Take a batch of records."""
    settings = IngestSettings.from_env()
    read = _read(event["Records"], settings)
    failed = [read.failed, _quarantine(read.refusals, settings), _hand_over(read.posts, settings)]
    _count(read)
    first = min(filter(None, failed), key=int, default=None)
    return {"batchItemFailures": [{"itemIdentifier": first}] if first else []}


def _read(records: Iterable[dict[str, Any]], settings: IngestSettings) -> _Read:
    """Read records up to the first that fails for a reason that may pass."""
    posts: list[tuple[str, Post]] = []
    refusals: list[Refusal] = []
    for record in records:
        number = str(record["kinesis"]["sequenceNumber"])
        try:
            for found in _parts(record, settings):
                if isinstance(found, Refusal):
                    refusals.append(found)
                else:
                    posts.append((number, found))
        except Exception as error:  # the boundary of a record: what is behind it waits, and nothing is lost
            logger.exception("record failed", sequence_number=number, reason=type(error).__name__)
            return _Read(posts, refusals, number)
    return _Read(posts, refusals, "")


def _parts(record: dict[str, Any], settings: IngestSettings) -> Iterator[Post | Refusal]:
    """The posts of a record, and what in it is none: several of each, if it is aggregated."""
    kinesis = record["kinesis"]
    number, arrived = str(kinesis["sequenceNumber"]), float(kinesis["approximateArrivalTimestamp"])
    data = base64.b64decode(kinesis["data"])
    stream = record["eventSourceARN"].rpartition("/")[2]
    try:
        plain = opened(data, stream, settings.key_arn, record["awsRegion"])
    except BadRecordError as error:
        yield Refusal(Arrival(number, 0, arrived), str(error), data)
        return
    for part, each in enumerate(kpl.split(plain)):
        arrival = Arrival(number, part, arrived)
        try:
            yield post_of(each, arrival, settings.post_days)
        except BadRecordError as error:
            # What came encrypted is kept encrypted.
            yield Refusal(arrival, str(error), each if plain == data else data)


def _quarantine(refusals: list[Refusal], settings: IngestSettings) -> str:
    """Put away what is no post; the first record that could not be, or nothing."""
    if not refusals:
        return ""
    for refusal in refusals:
        logger.warning("no post", sequence_number=refusal.arrival.sequence_number, reason=refusal.reason)
    try:
        quarantine.write(settings.failures_bucket, refusals)
    except (ClientError, BotoCoreError) as error:
        logger.warning("quarantine failed", reason=type(error).__name__)
        return refusals[0].arrival.sequence_number
    return ""


def _hand_over(posts: list[tuple[str, Post]], settings: IngestSettings) -> str:
    """Invoke the write function; the first record that could not be handed over, or nothing."""
    for first, some in handover.packed(posts):
        try:
            invoke(settings.write_function, handover.payload(some, time.time() + handover.FRESH_S))
        except (ClientError, BotoCoreError) as error:
            logger.warning("hand-over failed", sequence_number=first, reason=type(error).__name__)
            return first
    return ""


def _count(read: _Read) -> None:
    metrics.add_metric(name="PostsIngested", unit=MetricUnit.Count, value=len(read.posts))
    metrics.add_metric(name="RecordsQuarantined", unit=MetricUnit.Count, value=len(read.refusals))
    # A partition takes 1,000 writes a second: the busiest user of a batch shows when one comes near.
    busiest = max(Counter(post["user_id"] for _, post in read.posts).values(), default=0)
    metrics.add_metric(name="BusiestUserPosts", unit=MetricUnit.Count, value=busiest)
    metrics.flush_metrics()
