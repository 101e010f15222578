"""Counts real-time log records in tumbling windows, a state of bounded size for each shard.

Trigger: the Kinesis stream of real-time logs, with tumbling windows and partial batch responses.
Input: records as CloudFront writes them: values between tabs, in the order of a parameter. In the last call
    of a window there are none, only the state.
Output: the state for the next call; at the window's end an item for each minute in the table of partials.
On failure: a record that cannot be read ends the batch there; Lambda bisects, tries again, and puts it into
    the failure bucket; all others count. A call that raises is tried again with the state it began with.
Idempotent: within a window the shard's highest sequence number tells a repeated record, which counts once.
    The items of a window have keys of their own (shard, window, first sequence number) and can be written
    again.
Recorded event: events/access_logs/window_records.json
"""

import time
from datetime import datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.access_log import BadRecordError, EventReader, UserAgents, Window, realtime_layout

from . import partials
from .addresses import address_privacy
from .streaming_settings import WindowSettings

__all__ = ["handler"]

logger = Logger()
metrics = Metrics()

_DAY = 86_400


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Count a batch of records, or store what a window counted."""
    settings = WindowSettings.from_env()
    state = event.get("state") or {}
    window = Window.from_state(state.get("counts"), settings.lateness)
    records = [KinesisStreamRecord(record) for record in event["Records"]]
    first = state.get("first") or (records[0].kinesis.sequence_number if records else "")
    failures = _count(window, records, settings)
    # A state over 1 MB would end the window early; what comes then is a window of its own.
    if event.get("isFinalInvokeForWindow") or event.get("isWindowTerminatedEarly"):
        _store(window, event, first, settings)
        return {"batchItemFailures": failures}
    return {"state": {"counts": window.to_state(), "first": first}, "batchItemFailures": failures}


def _count(
    window: Window, records: list[KinesisStreamRecord], settings: WindowSettings
) -> list[dict[str, str]]:
    """Count records in order, up to the first that cannot be read: its successors come again with it."""
    read = _reader(settings.fields)
    change = address_privacy(settings.viewer_address, settings.address_secret_id)
    for record in records:
        kinesis = record.kinesis
        try:
            event = read(kinesis.data_as_bytes())
            window.add(
                event._replace(address=change(event.address)) if change else event,
                sequence_number=kinesis.sequence_number,
                arrival=kinesis.approximate_arrival_timestamp,
            )
        except (BadRecordError, ValueError) as error:
            # A permanent error: the retries that follow single the record out and hand it over.
            metrics.add_metric(name="BadRecords", unit=MetricUnit.Count, value=1)
            metrics.flush_metrics()
            logger.warning("bad record", sequence_number=kinesis.sequence_number, reason=type(error).__name__)
            return [{"itemIdentifier": kinesis.sequence_number}]
    return []


def _store(window: Window, event: dict[str, Any], first: str, settings: WindowSettings) -> None:
    start = datetime.fromisoformat(event["window"]["start"])
    states = partials.minutes_of(window.to_state(), int(start.timestamp()))
    part = f"{event['shardId']}#{start:%Y-%m-%dT%H:%M:%SZ}#{first}"
    partials.store(settings.partials_table, part, states, int(time.time()) + settings.partial_days * _DAY)
    traffic, bots = window.traffic(), window.bots()
    counts = {
        "Requests": window.events,
        "BotRequests": sum(row.requests for row in bots),
        "LateRecords": window.late,
        "RepeatedRecords": window.duplicates,
    }
    for name, value in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    metrics.add_metric(name="BytesSent", unit=MetricUnit.Bytes, value=sum(row.sent for row in traffic))
    metrics.flush_metrics()
    logger.info("window", shard=event["shardId"], start=event["window"]["start"], counts=counts)


@cache
def _reader(fields: tuple[str, ...]) -> EventReader:
    return EventReader(realtime_layout(fields), UserAgents())
