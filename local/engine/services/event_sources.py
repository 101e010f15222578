"""AWS Lambda: event source mappings of Kinesis and DynamoDB streams.

Every shard (and each of its ``ParallelizationFactor`` slots) is a lane with a thread and a position of its
own. The emulator's poll loop, which wakes at every record, starts missing lanes and wakes the others.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_actions
from ministack.core.arn import parse_arn
from ministack.services import cloudwatch, dynamodb, kinesis, lambda_svc, sqs

from local.engine.authorization import Check, Request, permissions
from local.engine.delivery import deliver, iso_time, scope
from local.engine.patching import pin, replaces
from local.engine.settings import SETTINGS

__all__ = ["complete"]

_logger = logging.getLogger(__name__)

Record = dict[str, Any]

# Lambda's limits.
_LARGEST_EVENT = 6 * 1024 * 1024
_LARGEST_STATE = 1024 * 1024
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 1.0, 60.0
_STREAM_DEFAULTS = {
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}
_DYNAMODB_SHARD = "shardId-00000000000000000000-00000000"


@dataclass(frozen=True)
class _Shard:
    """A shard that a mapping reads.

    Attributes:
        identity: Distinguishes shards of one name that followed one another.
        read: Returns the event records after a sequence number, oldest first.
        open: Tells whether further records can arrive.
    """

    name: str
    identity: str
    read: Callable[[str], Iterable[Record]]
    open: Callable[[], bool]
    parents: tuple[str, ...] = ()


def _sequence(record: Record) -> str:
    return str(
        record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
    )


def _arrival(record: Record) -> float:
    if "kinesis" in record:
        return float(record["kinesis"]["approximateArrivalTimestamp"])
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def _size(record: Record) -> int:
    """Return about how many bytes of an event a record takes."""
    return 500 + len(record["kinesis"]["data"]) if "kinesis" in record else len(json.dumps(record))


def _slot(record: Record, slots: int) -> int:
    """Return which of a shard's concurrent batches a record goes to: the same one for the same key."""
    if slots == 1:
        return 0
    key = record["kinesis"]["partitionKey"] if "kinesis" in record else json.dumps(record["dynamodb"]["Keys"])
    return int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) % slots


# ------------------------------------------------------------------------------------------------- sources


def _kinesis_shards(mapping: dict[str, Any], role: str) -> list[_Shard]:
    arn = parse_arn(mapping["EventSourceArn"])
    stream = kinesis._streams.get_scoped(arn.account_id, arn.region, arn.resource.split("/")[-1])
    if not stream or stream["StreamStatus"] != "ACTIVE":
        return []

    def reader(name: str, shard: dict[str, Any]) -> Callable[[str], Iterator[Record]]:
        def read(after: str) -> Iterator[Record]:
            records = shard["records"]
            for record in records[_index_after(records, after, lambda each: each["SequenceNumber"]) :]:
                data = record["Data"]
                yield {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": record["PartitionKey"],
                        "sequenceNumber": record["SequenceNumber"],
                        "data": base64.b64encode(data).decode() if isinstance(data, bytes) else data,
                        "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": f"{name}:{record['SequenceNumber']}",
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": role,
                    "awsRegion": arn.region,
                    "eventSourceARN": mapping["EventSourceArn"],
                }

        return read

    return [
        _Shard(
            name,
            f"{name}/{shard['starting_sequence_number']}",
            reader(name, shard),
            lambda name=name, shard=shard: stream["shards"].get(name) is shard,  # type: ignore[misc]
            _parents(shard),
        )
        for name, shard in sorted((_closed_shards(stream) | stream["shards"]).items())
    ]


def _parents(shard: dict[str, Any]) -> tuple[str, ...]:
    return tuple(filter(None, (shard["parent_shard_id"], shard["adjacent_parent_shard_id"])))


def _closed_shards(stream: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the shards that were split or merged within the stream's retention period, by name."""
    closed: dict[str, dict[str, Any]] = stream.setdefault("closed_shards", {})
    horizon = time.time() - stream["RetentionPeriodHours"] * 3600
    for name in [name for name, shard in closed.items() if shard["closed"] < horizon]:
        del closed[name]
    return dict(closed)


def _keeping_closed(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Split or merge shards, and keep the records of those that it closes for whoever has not read them."""
    _name, stream = kinesis._resolve_stream(data)
    before = dict(stream["shards"]) if stream else {}
    answer = original(data)
    if stream:
        for name in before.keys() - stream["shards"].keys():
            before[name]["closed"] = time.time()
            stream.setdefault("closed_shards", {})[name] = before[name]
    return answer


@replaces(kinesis, "_split_shard", digest="79e732074645")
def _split_shard(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """A shard that was split can be read by mappings until its records expire"""
    return _keeping_closed(original, data)


@replaces(kinesis, "_merge_shards", digest="4440fcd2a9bb")
def _merge_shards(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Shards that were merged can be read by mappings until their records expire"""
    return _keeping_closed(original, data)


@replaces(kinesis, "_update_shard_count", digest="79b02ca7148f")
def _update_shard_count(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """A changed number of shards comes of splits and merges, and loses no records"""
    _name, stream = kinesis._resolve_stream(data)
    target = int(data.get("TargetShardCount") or 0)
    if not stream or target < 1:
        return original(data)
    before = len(stream["shards"])
    ranges = [(int(low), int(high)) for low, high in kinesis._compute_hash_ranges(target)]
    named = {"StreamARN": stream["StreamARN"]}
    for low, _high in ranges:
        [(name, shard)] = _within(stream, low, low)
        if int(shard["starting_hash_key"]) < low:
            kinesis._split_shard(named | {"ShardToSplit": name, "NewStartingHashKey": str(low)})
    for low, high in ranges:
        while len(parts := _within(stream, low, high)) > 1:
            pair = {"ShardToMerge": parts[0][0], "AdjacentShardToMerge": parts[1][0]}
            kinesis._merge_shards(named | pair)
    return kinesis.json_response(
        {
            "StreamName": stream["StreamName"],
            "CurrentShardCount": before,
            "TargetShardCount": target,
            "StreamARN": stream["StreamARN"],
        }
    )


def _within(stream: dict[str, Any], low: int, high: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the open shards that have hash keys of a range, the lowest first."""
    found = [
        (name, shard)
        for name, shard in stream["shards"].items()
        if int(shard["starting_hash_key"]) <= high and low <= int(shard["ending_hash_key"])
    ]
    return sorted(found, key=lambda each: int(each[1]["starting_hash_key"]))


def _dynamodb_shards(mapping: dict[str, Any]) -> list[_Shard]:
    arn = mapping["EventSourceArn"]
    spec = parse_arn(arn)
    table_name = spec.resource.split("/")[1]

    def current() -> bool:
        table = dynamodb._tables.get_scoped(spec.account_id, spec.region, table_name)
        return bool(table and table.get("LatestStreamArn") == arn)

    def read(after: str) -> Iterator[Record]:
        if current():
            records = dynamodb.stream_live_records(table_name, account_id=spec.account_id, region=spec.region)
        else:
            records = (dynamodb.closed_stream(arn) or {}).get("records", [])
        yield from records[_index_after(records, after, _sequence) :]

    return [_Shard(_DYNAMODB_SHARD, arn, read, lambda: True)]


def _index_after(records: list[Any], after: str, sequence: Callable[[Any], str]) -> int:
    """Return the index of the first record past a sequence number; looks from the end, where new ones are."""
    index = len(records)
    while index and sequence(records[index - 1]) > after:
        index -= 1
    return index


# --------------------------------------------------------------------------------------------------- lanes


@dataclass
class _Batch:
    """Records to deliver together, and how often that was tried."""

    records: list[Record]
    tries: int = 0


@dataclass
class _Window:
    """An open tumbling window."""

    start: float
    end: float
    state: Any = field(default_factory=dict)


class _LaneEndedError(Exception):
    """The mapping is gone, or the lane has been told to end."""


class _Lane:
    """Reads one slot of one shard for one mapping, in order, in a thread of its own."""

    def __init__(
        self, account: str, region: str, mapping_id: str, shard: _Shard, slot: int, slots: int
    ) -> None:
        self.account, self.region, self.mapping_id = account, region, mapping_id
        self.shard, self.slot, self.slots = shard, slot, slots
        self.position = ""
        self.wake = threading.Event()
        self.replaced = False
        self.thread = threading.Thread(
            target=self._run, daemon=True, name=f"mapping-{mapping_id[:8]}-{shard.name[-4:]}-{slot}"
        )
        self._window: _Window | None = None

    # ------------------------------------------------------------------------------------------ life

    def _run(self) -> None:
        with scope(self.account, self.region):
            while True:
                try:
                    if not self._step():
                        return
                except _LaneEndedError:
                    return
                except Exception:
                    # A lane that dies silently is a stream that stands still: say why, and go on.
                    _logger.exception("event source mapping %s, %s", self.mapping_id, self.shard.name)
                    self._pause(1.0)

    def _mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] | None = lambda_svc._esms.get(self.mapping_id)
        if mapping is None or self.replaced:
            raise _LaneEndedError
        return mapping

    def _pause(self, seconds: float) -> None:
        self.wake.wait(seconds)
        self.wake.clear()

    def _wait_enabled(self) -> dict[str, Any]:
        while not (mapping := self._mapping()).get("Enabled", True):
            self._pause(1.0)
        return mapping

    def _step(self) -> bool:
        """Deliver one batch, or wait for records; False once the shard has ended."""
        mapping = self._wait_enabled()
        still_open = self.shard.open()  # before reading: a record that comes in between is then not missed
        records = self._gather(mapping)
        if self._window is not None and time.time() >= self._window.end and not self._in_window(records):
            self._close_window(mapping, early=False)
            return True
        if not records:
            if not still_open and next(iter(self.shard.read(self.position)), None) is None:
                return False
            self._pause(0.5 if self._window is None else max(0.01, min(0.5, self._window.end - time.time())))
            return True
        if mapping.get("TumblingWindowInSeconds"):
            records = self._records_of_one_window(mapping, records)
        if records:
            self._deliver(mapping, records)
            self.position = _sequence(records[-1])
        return True

    # -------------------------------------------------------------------------------------- batching

    def _gather(self, mapping: dict[str, Any]) -> list[Record]:
        """Collect a batch: full, as large as an event may be, or as old as the batching window."""
        limit = int(mapping.get("BatchSize", 100))
        window = float(mapping.get("MaximumBatchingWindowInSeconds") or 0) * SETTINGS.time_scale
        end = None
        while True:
            batch, passed, full = self._read(mapping, limit)
            if not batch:
                self.position = passed
                return []
            end = end or time.monotonic() + window
            remaining = end - time.monotonic()
            if full or remaining <= 0:
                return batch
            self._pause(remaining)
            mapping = self._wait_enabled()

    def _read(self, mapping: dict[str, Any], limit: int) -> tuple[list[Record], str, bool]:
        """Return what passes the filters, how far the stream was read, and whether the batch is full."""
        batch: list[Record] = []
        size, passed = 0, self.position
        for record in self.shard.read(self.position):
            if _slot(record, self.slots) == self.slot and lambda_svc._apply_filter_criteria(
                [record], mapping
            ):
                size += _size(record)
                if len(batch) == limit or (batch and size > _LARGEST_EVENT):
                    return batch, passed, True
                batch.append(record)
            passed = _sequence(record)
        return batch, passed, len(batch) == limit

    # --------------------------------------------------------------------------------------- windows

    def _in_window(self, records: list[Record]) -> bool:
        return bool(records and self._window is not None and _arrival(records[0]) < self._window.end)

    def _records_of_one_window(self, mapping: dict[str, Any], records: list[Record]) -> list[Record]:
        """Return the leading records of the first one's window; opens it, and closes the one before."""
        if self._window is not None and not self._in_window(records):
            self._close_window(mapping, early=False)
        if self._window is None:
            length = float(mapping["TumblingWindowInSeconds"])
            start = _arrival(records[0]) // length * length
            self._window = _Window(start, start + length)
        inside = [record for record in records if _arrival(record) < self._window.end]
        return records[: len(inside)]

    def _close_window(self, mapping: dict[str, Any], *, early: bool) -> None:
        """Hand the state over for the last time."""
        window = self._window
        assert window is not None  # noqa: S101
        event = {"Records": []} | self._window_fields(mapping, final=True, early=early)
        for attempt in range(self._retries(mapping) + 1 if self._retries(mapping) >= 0 else 1_000_000):
            if not self._invoke(self._wait_enabled(), event).get("error"):
                break
            self._back_off(attempt)
        self._window = None

    def _window_fields(
        self, mapping: dict[str, Any], *, final: bool = False, early: bool = False
    ) -> dict[str, Any]:
        if self._window is None:
            return {}
        return {
            "window": {
                "start": iso_time(self._window.start, milliseconds=False),
                "end": iso_time(self._window.end, milliseconds=False),
            },
            "state": self._window.state,
            "shardId": self.shard.name,
            "eventSourceARN": mapping["EventSourceArn"],
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }

    # -------------------------------------------------------------------------------------- delivery

    @staticmethod
    def _retries(mapping: dict[str, Any]) -> int:
        retries = mapping.get("MaximumRetryAttempts")
        return -1 if retries is None else int(retries)

    def _back_off(self, tries: int) -> None:
        seconds = (
            min(_FIRST_RETRY_SECONDS * 2 ** min(tries, 10), _LONGEST_RETRY_SECONDS) * SETTINGS.time_scale
        )
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0:
            self._mapping()  # a deleted mapping stops retrying
            self._pause(remaining)

    def _invoke(self, mapping: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        function, _ = lambda_svc._get_func_record_for_qualifier(
            mapping["FunctionName"], mapping.get("Qualifier")
        )
        if function is None:
            return {"error": True, "throttle": True}
        result: dict[str, Any] = lambda_svc._execute_function(function, event)
        return result

    def _deliver(self, mapping: dict[str, Any], records: list[Record]) -> None:
        """Invoke the function until every record is processed or discarded."""
        pending = [_Batch(records)]
        while pending:
            batch = pending.pop(0)
            mapping = self._wait_enabled()
            batch = self._discard_old(mapping, batch)
            if not batch.records:
                continue
            age = max(0.0, time.time() - _arrival(batch.records[-1])) * 1000
            function = {"FunctionName": mapping["FunctionName"]}
            cloudwatch.record_metric("AWS/Lambda", "IteratorAge", age, "Milliseconds", function)
            event = {"Records": batch.records} | self._window_fields(mapping)
            result = self._invoke(mapping, event)
            failed_from = self._judge(mapping, batch, result)
            if failed_from is None:
                mapping["LastProcessingResult"] = "OK"
                continue
            mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
            if result.get("throttle"):  # never ran: not a try
                self._back_off(batch.tries)
                pending.insert(0, batch)
                continue
            retry = batch.records[failed_from:]
            split = bool(mapping.get("BisectBatchOnFunctionError")) and len(batch.records) > 1
            if not split and 0 <= self._retries(mapping) <= batch.tries:
                error = "Unhandled" if result.get("error") else None
                self._discard(mapping, retry, "RetryAttemptsExhausted", batch.tries + 1, error)
                continue
            self._back_off(batch.tries)
            if not split:
                pending.insert(0, _Batch(retry, batch.tries + 1))
            elif failed_from:  # split at the returned sequence number
                pending.insert(0, _Batch(retry, batch.tries))
            else:
                half = len(retry) // 2
                pending[:0] = [_Batch(retry[:half], batch.tries), _Batch(retry[half:], batch.tries)]

    def _judge(self, mapping: dict[str, Any], batch: _Batch, result: dict[str, Any]) -> int | None:
        """Return the index of the first record to retry, or None; takes over the window's state."""
        if result.get("error"):
            return 0
        body = result.get("body")
        answer = body if isinstance(body, dict) else {}
        if self._window is not None:
            self._window.state = answer.get("state") or {}
            if len(json.dumps(self._window.state)) > _LARGEST_STATE:
                start, end = self._window.start, self._window.end
                self._close_window(mapping, early=True)
                self._window = _Window(start, end)
        if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
            return None
        failures = answer.get("batchItemFailures")
        if not failures:
            return None
        numbers = {_sequence(record): index for index, record in enumerate(batch.records)}
        try:
            # An identifier that is empty, absent or not of this batch fails the whole batch.
            return min(numbers.get(failure["itemIdentifier"], 0) for failure in failures)
        except (TypeError, KeyError):
            return 0

    def _discard_old(self, mapping: dict[str, Any], batch: _Batch) -> _Batch:
        oldest = int(mapping.get("MaximumRecordAgeInSeconds") or -1)
        if oldest <= 0:
            return batch
        horizon = time.time() - oldest * SETTINGS.time_scale
        expired = [record for record in batch.records if _arrival(record) < horizon]
        if expired:
            self._discard(mapping, expired, "RecordAgeExceeded", batch.tries + 1)
        return _Batch(batch.records[len(expired) :], batch.tries)

    def _discard(
        self,
        mapping: dict[str, Any],
        records: list[Record],
        condition: str,
        invocations: int,
        error: str | None = None,
    ) -> None:
        """Discard records; their positions (for S3 the records themselves) go to the failure destination.

        Args:
            mapping: The mapping.
            records: Of one batch.
            condition: Why.
            invocations: Tries, the one that came too late included.
            error: The last answer's function error; none if the function reported what failed.
        """
        _logger.warning("mapping %s discards %d records: %s", self.mapping_id, len(records), condition)
        destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        if not destination:
            return
        _, function = lambda_svc._get_func_record_for_qualifier(
            mapping["FunctionName"], mapping.get("Qualifier")
        )
        if function is None:  # deleted meanwhile: nobody is left to ask in whose name
            return
        is_kinesis = "kinesis" in records[0]
        document: dict[str, Any] = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "version": "1.0",
            "timestamp": iso_time(),
            "KinesisBatchInfo" if is_kinesis else "DDBStreamBatchInfo": {
                "shardId": self.shard.name,
                "startSequenceNumber": _sequence(records[0]),
                "endSequenceNumber": _sequence(records[-1]),
                "approximateArrivalOfFirstRecord": iso_time(_arrival(records[0]), milliseconds=is_kinesis),
                "approximateArrivalOfLastRecord": iso_time(_arrival(records[-1]), milliseconds=is_kinesis),
                "batchSize": len(records),
                "streamArn": mapping["EventSourceArn"],
            },
        }
        if condition != "RecordAgeExceeded":
            version = function.get("Version", "$LATEST")
            response = {"statusCode": 200, "executedVersion": version, "functionError": error}
            document["responseContext"] = response
        if parse_arn(destination).service == "s3":
            document["payload"] = json.dumps({"Records": records})
        moment = time.gmtime()
        name = f"{time.strftime('%Y/%m/%d/%Y-%m-%dT%H.%M.%S', moment)}-{uuid.uuid4()}"
        key = f"aws/lambda/{self.mapping_id}/{self.shard.name}/{name}"
        deliver(destination, document, function=function, condition="Failure", key=key)


# ----------------------------------------------------------------------------------------------- mappings

_lanes: dict[tuple[str, str], list[_Lane]] = {}  # by mapping and shard


def _first_position(mapping: dict[str, Any]) -> str:
    """Return after which sequence number a mapping starts; the emulator's begin with milliseconds."""
    start = mapping.get("StartingPosition")
    if start == "TRIM_HORIZON":
        return ""
    moment = mapping["_created"] if start != "AT_TIMESTAMP" else float(mapping["StartingPositionTimestamp"])
    return f"{int(moment * 1000):020d}"


def _tend(account: str, region: str, mapping: dict[str, Any], shards: list[_Shard]) -> None:
    """Start the lanes that a mapping lacks, and wake those that it has."""
    mapping.setdefault("_created", time.time())
    slots = max(1, int(mapping.get("ParallelizationFactor") or 1))
    names = {shard.name for shard in shards}
    ended = {
        family[0].shard.name
        for (mapping_id, _), family in _lanes.items()
        if mapping_id == mapping["UUID"] and not any(lane.thread.is_alive() for lane in family)
    }
    for shard in shards:
        key = (mapping["UUID"], shard.identity)
        lanes = _lanes.get(key)
        if lanes is None:
            if any(parent not in ended and parent in names for parent in shard.parents):
                continue  # a child's records come after its parents'
            position = _first_position(mapping)
        elif len(lanes) != slots:
            for lane in lanes:
                lane.replaced = True
                lane.wake.set()
            if any(lane.thread.is_alive() for lane in lanes):
                continue
            # What the fastest lane has already passed comes again: delivery is at least once.
            position = min(lane.position for lane in lanes)
        else:
            for lane in lanes:
                lane.wake.set()
            continue
        _lanes[key] = [_Lane(account, region, mapping["UUID"], shard, slot, slots) for slot in range(slots)]
        for lane in _lanes[key]:
            lane.position = position
            lane.thread.start()


def _mappings(service: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for account, region, mapping in lambda_svc._iter_all_esms():
        if f":{service}:" in mapping.get("EventSourceArn", ""):
            yield account, region, mapping


@replaces(lambda_svc, "_poll_kinesis", digest="0d590120d060")
def _poll_kinesis(_original: Callable[..., Any]) -> bool:
    """Kinesis sources: a lane per shard; partial failures, bisecting, retries, age, windows, destinations"""
    for account, region, mapping in _mappings("kinesis"):
        with scope(account, region):
            function, config = lambda_svc._get_func_record_for_qualifier(
                mapping["FunctionName"], mapping.get("Qualifier")
            )
            role = (config or (function or {}).get("config") or {}).get("Role", "")
            _tend(account, region, mapping, _kinesis_shards(mapping, role))
    live = {mapping["UUID"] for _, _, mapping in lambda_svc._iter_all_esms()}
    gone = [key for key in _lanes if key[0] not in live]
    for key in gone:
        for lane in _lanes.pop(key):
            lane.wake.set()
    return False


@replaces(lambda_svc, "_poll_dynamodb_streams", digest="2b2460e933a9")
def _poll_dynamodb(_original: Callable[..., Any]) -> bool:
    """DynamoDB streams as sources: the same as Kinesis"""
    for account, region, mapping in _mappings("dynamodb"):
        with scope(account, region):
            _tend(account, region, mapping, _dynamodb_shards(mapping))
    return False


def complete(mapping: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Give a stream mapping what was asked for and the emulator drops, and AWS's defaults."""
    mapping.setdefault("_created", time.time())
    for name, default in _STREAM_DEFAULTS.items():
        mapping[name] = wanted.get(name, default)
    if wanted.get("StartingPositionTimestamp") is not None:
        mapping["StartingPositionTimestamp"] = wanted["StartingPositionTimestamp"]


@replaces(lambda_svc, "_create_esm", digest="d351521bb6cd")
def _create(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Mappings keep their window and starting time; streams default to batches of 100 and endless retries"""
    streamed = ":sqs:" not in data.get("EventSourceArn", "")
    if streamed:
        data = {"BatchSize": 100} | data
    answer = original(data)
    if answer[0] == 202 and streamed:
        mapping = lambda_svc._esms[json.loads(answer[2])["UUID"]]
        complete(mapping, data)
        return lambda_svc.json_response(lambda_svc._esm_response(mapping), 202)
    return answer


@replaces(lambda_svc, "_update_esm", digest="1b7e0409cb65")
def _update(original: Callable[..., Any], mapping_id: str, data: dict[str, Any]) -> Any:
    """A mapping's tumbling window can be updated"""
    answer = original(mapping_id, data)
    if answer[0] == 200 and "TumblingWindowInSeconds" in data:
        mapping = lambda_svc._esms[mapping_id]
        mapping["TumblingWindowInSeconds"] = data["TumblingWindowInSeconds"]
        return lambda_svc.json_response(lambda_svc._esm_response(mapping))
    return answer


# Actions on one mapping by method: the emulator asks for no permission to change or delete it.
_ACTIONS = {
    "GET": "lambda:GetEventSourceMapping",
    "PUT": "lambda:UpdateEventSourceMapping",
    "DELETE": "lambda:DeleteEventSourceMapping",
}


@replaces(iam_actions, "_lambda_action", digest="19fa24ebca40")
def _lambda_action(original: Callable[..., Any], method: str, path: str) -> Any:
    """Mappings are read, changed and deleted with permission alone; IAM sees their functions"""
    if path.rstrip("/").rpartition("/")[0].endswith("/event-source-mappings") and method in _ACTIONS:
        return _ACTIONS[method].partition(":")[2]
    return original(method, path)


@permissions(*_ACTIONS.values())
def _on_mapping(request: Request) -> list[Check]:
    # "lambda:FunctionArn" of https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
    identifier = request.path.rstrip("/").rpartition("/")[2]
    function = (lambda_svc._esms.get(identifier) or {}).get("FunctionArn", "")
    resource = request.arn("lambda", f"event-source-mapping:{identifier}")
    return [Check(_ACTIONS[request.method], resource, {"lambda:functionarn": function})]


@replaces(lambda_svc, "_esm_response", digest="342077ea51fb")
def _response(original: Callable[..., Any], mapping: dict[str, Any]) -> Any:
    """Answers about mappings have AWS's fields alone"""
    return {name: value for name, value in original(mapping).items() if not name.startswith("_")}


def _failed_messages(answer: Any, batch: list[dict[str, Any]]) -> set[str]:
    """Return the ids of a queue's messages that a function reports as failed."""
    everything = {message["id"] for message in batch}
    failures = (answer.get("batchItemFailures") if isinstance(answer, dict) else None) or []
    try:
        failed = {failure["itemIdentifier"] for failure in failures}
    except (TypeError, KeyError):
        return everything
    return failed if failed <= everything else everything


@replaces(lambda_svc, "_run_sqs_batch", digest="f9bf630aabf3")
def _run_queue_batch(
    _original: Callable[..., Any],
    mapping: dict[str, Any],
    function: dict[str, Any],
    event: dict[str, Any],
    batch: list[dict[str, Any]],
    queue_url: str,
    queue_name: str,
) -> None:
    """Queues: an empty or unknown identifier fails the whole batch; a failed batch does not pause others"""
    result = lambda_svc._execute_function(function, event)
    failed = {message["id"] for message in batch} if result.get("error") else set()
    if not failed and "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []):
        failed = _failed_messages(result.get("body"), batch)
    if failed:
        _logger.warning("%s: %d of %d messages failed", queue_name, len(failed), len(batch))
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
    done = {message["receipt_handle"] for message in batch if message["id"] not in failed}
    sqs._delete_messages_for_esm(queue_url, done)


pin(sqs, "_delete_messages_for_esm", "c1686f29b48b")
pin(lambda_svc, "_poll_loop", "6a443090919a")
pin(lambda_svc, "_apply_filter_criteria", "d8d7d5c8f77e")
pin(lambda_svc, "_execute_function", "3ceb16d6480a")
pin(kinesis, "_next_sequence_number", "763b641fd10b")
pin(kinesis, "_compute_hash_ranges", "8b4655e485b1")
pin(kinesis, "_resolve_stream", "e679aec9275e")
pin(dynamodb, "_next_stream_seq", "27792e02008d")
pin(dynamodb, "stream_live_records", "37a99e724178")
