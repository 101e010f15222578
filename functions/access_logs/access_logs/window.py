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
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.access_log import BadRecordError, EventReader, UserAgents, Window, realtime_layout
from shared.batches import PermanentError, StreamBatch, StreamRecord
from shared.metrics import count, publishes_metrics

from . import partials
from .addresses import address_privacy
from .streaming_settings import WindowSettings

__all__ = ["handler"]

logger = Logger()

_DAY = 86_400


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Count a batch of records, or store what a window counted."""
    settings = WindowSettings.from_env()
    batch = StreamBatch(event, "aws:kinesis")
    state = event.get("state") or {}
    window = Window.from_state(state.get("counts"), settings.lateness)
    first = state.get("first") or (batch.records[0].sequence_number if batch.records else "")
    batch.each(_counter(window, settings), catch=PermanentError)
    # A state over 1 MB would end the window early; what comes then is a window of its own.
    if event.get("isFinalInvokeForWindow") or event.get("isWindowTerminatedEarly"):
        _store(window, event, first, settings)
        return {**batch.response()}
    return {"state": {"counts": window.to_state(), "first": first}, **batch.response()}


def _counter(window: Window, settings: WindowSettings) -> Callable[[StreamRecord], None]:
    """What adds a record to a window."""
    read = _reader(settings.fields)
    change = address_privacy(settings.viewer_address, settings.address_secret_id)

    def add(record: StreamRecord) -> None:
        kinesis = record.raw["kinesis"]
        try:
            event = read(b64decode(kinesis["data"]))
            window.add(
                event._replace(address=change(event.address)) if change else event,
                sequence_number=record.sequence_number,
                arrival=float(kinesis["approximateArrivalTimestamp"]),
            )
        except (BadRecordError, ValueError) as error:
            # The retries that follow single the record out, and Lambda puts it into the failure bucket.
            count("BadRecords")
            raise PermanentError(type(error).__name__) from None

    return add


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
        count(name, value)
    count("BytesSent", sum(row.sent for row in traffic), unit=MetricUnit.Bytes)
    logger.info("window", shard=event["shardId"], start=event["window"]["start"], counts=counts)


@cache
def _reader(fields: tuple[str, ...]) -> EventReader:
    return EventReader(realtime_layout(fields), UserAgents())
