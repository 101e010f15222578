"""Counts real-time log records in tumbling windows, a state of bounded size for each shard.

Trigger: the Kinesis stream of real-time logs, with tumbling windows and partial batch responses.
Input: records as CloudFront writes them: values between tabs, in the order of a parameter. In the last call
    of a window there are none, only the state.
Output: the state for the next call; at the window's end an item for each minute in the table of partials.
On failure: a record that cannot be read goes to `quarantine/` of the failure bucket, with its sequence number
    and the reason; all others count. What is not written there is reported, and Lambda goes on from it. A
    call that raises is tried again with the state it began with.
Idempotent: within a window the shard's highest sequence number tells a repeated record, which counts once.
    The items of a window have keys of their own (shard, window, first sequence number) and can be written
    again.
Recorded event: events/access_logs/window_records.json
"""

import time
from base64 import b64decode
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.access_log import BadRecordError, Event, EventReader, UserAgents, Window, realtime_layout
from shared.batches import Refusal, StreamBatch
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
    for arrived in _read(batch, settings):
        window.add(arrived.event, sequence_number=arrived.sequence_number, arrival=arrived.seconds)
    # A state over 1 MB would end the window early; what comes then is a window of its own.
    if event.get("isFinalInvokeForWindow") or event.get("isWindowTerminatedEarly"):
        _store(window, event, first, settings)
        return {**batch.response()}
    return {"state": {"counts": window.to_state(), "first": first}, **batch.response()}


class _Arrived(NamedTuple):
    """An event, its record's sequence number, and when that came into the stream."""

    event: Event
    sequence_number: str
    seconds: float


def _read(batch: StreamBatch, settings: WindowSettings) -> list[_Arrived]:
    """The events of a batch, up to a record that has to come again; what is none goes into quarantine."""
    read = _reader(settings.fields)
    change = address_privacy(settings.viewer_address, settings.address_secret_id)
    events: list[_Arrived] = []
    refusals: list[Refusal] = []
    for record in batch.records:
        kinesis = record.raw["kinesis"]
        data, seconds = b64decode(kinesis["data"]), float(kinesis["approximateArrivalTimestamp"])
        try:
            event = read(data)
        except BadRecordError as error:
            refusals.append(Refusal(record.sequence_number, 0, seconds, str(error), data))
            continue
        event = event._replace(address=change(event.address)) if change else event
        events.append(_Arrived(event, record.sequence_number, seconds))
    if batch.quarantine(settings.failures_bucket, refusals):
        return events
    first = int(refusals[0].sequence_number)
    return [arrived for arrived in events if int(arrived.sequence_number) < first]


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
