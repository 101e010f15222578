"""Sends what was written to accounts in this region to the other one, and settles what came from there.

Trigger: the users table's stream: accounts that this region wrote, and accounts and identifiers of which
    something is to be settled here.
Input: records of the stream, of which only the keys are read: always the newest is sent.
Output: accounts in the other region's table, with their data keys wrapped by its key.
On failure: what the other region's table does not take goes into the queue of writes, what a key does not
    wrap into the queue of keys, what can never be sent into the dead-letter queue with its reason. An error
    that nobody foresaw leads to the queue of writes, too, which discards it after five tries: here it would
    hold up whatever comes after it. The same queue takes what is not done before the function's time is over.
    Where not even a queue takes it, Lambda tries the rest of the batch again, for a day, and then tells the
    dead-letter queue.
Idempotent: a record that the other region knows already, or a newer one, changes nothing.
Recorded event: events/auth/replicate_account.json
"""

import time
from contextlib import suppress
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.batches import BatchResponse, StreamBatch
from shared.metrics import count, publishes_metrics

from .regions import replicate_each
from .replication import get_replication, remaining_s
from .storage import change_of

__all__ = ["handler"]


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Take a batch of the stream."""
    batch = StreamBatch(event, "aws:dynamodb")
    replication, queues = get_replication()
    changes = {record.sequence_number: change_of(record.raw) for record in batch.records}
    keys = [change.key for change in changes.values()]
    results = replicate_each(replication, queues, keys, within_s=remaining_s(context))
    for key in [key for key, result in results.items() if result == "failed"]:
        with suppress(BotoCoreError, ClientError):
            queues.put_back(key, "tables")
            results[key] = "later"
    for record in batch.records:
        change = changes[record.sequence_number]
        if results[change.key] == "failed":
            batch.fail(record.sequence_number, "not replicated")
        elif results[change.key] == "sent":
            written = time.time() if change.at is None else change.at
            count("ReplicationLag", max(0.0, 1000 * (time.time() - written)), unit=MetricUnit.Milliseconds)
    return batch.response()
