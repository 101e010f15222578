"""Adds up the windows of all shards, minute by minute.

Trigger: the DynamoDB stream of the table of partials (keys only; new and changed items).
Input: the minutes whose counts are new. Everything about such a minute is read again and added up.
Output: an item for each minute in the table of results.
On failure: a minute of malformed counts goes to `quarantine/` of the failure bucket. Else the first minute
    that failed is reported, and comes again with what was behind it; after the last try their keys go to the
    failure bucket. The next window of the same minute repairs it as well.
Idempotent: a minute is always computed from all of its items; a result from fewer never replaces one from
    more.
Recorded event: events/access_logs/reduce_partials.json
"""

import time
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared import live_traffic
from shared.batches import BatchResponse, Refusal, StreamBatch
from shared.metrics import publishes_metrics

from . import partials
from .streaming_settings import ReduceSettings

__all__ = ["handler"]

logger = Logger()

_DAY = 86_400


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Compute the results of every minute that the batch names."""
    settings = ReduceSettings.from_env()
    batch = StreamBatch(event, "aws:dynamodb")
    minutes: dict[int, str] = {}
    for record in batch.records:
        minutes.setdefault(int(record.raw["dynamodb"]["Keys"]["minute"]["N"]), record.sequence_number)
    refusals: list[Refusal] = []
    for minute, sequence_number in minutes.items():
        try:
            _reduce(minute, settings)
        except partials.CorruptPartialError as error:
            refusals.append(Refusal(sequence_number, 0, minute, str(error), str(minute).encode()))
        except (ClientError, BotoCoreError) as error:
            batch.fail(sequence_number, f"minute {minute}: {type(error).__name__}")
    batch.quarantine(settings.failures_bucket, refusals)
    return batch.response()


def _reduce(minute: int, settings: ReduceSettings) -> None:
    window, parts = partials.merged(settings.partials_table, minute)
    result = live_traffic.summarize(minute, window, parts)
    expires = int(time.time()) + settings.result_days * _DAY
    newest = live_traffic.write(settings.results_table, result, expires)
    logger.info("minute", minute=minute, parts=parts, requests=result.requests, newest=newest)
