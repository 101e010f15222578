"""Firehose: records are buffered, transformed in batches and delivered as AWS delivers them.

The emulator writes an object per record and loses what a transformation refuses. Here every destination has a
thread of its own with two kinds of buffers: one before the transformation function, and one per dynamic
partition before the destination. A buffer is flushed when it is full, when its interval (multiplied by
``ENGINE_TIME_SCALE``) is over, and when its stream is deleted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import logging
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ministack.core import responses
from ministack.services import cloudwatch, firehose, lambda_svc, s3

from local.engine.patching import PATCHES, Patch, pin, replaces
from local.engine.settings import SETTINGS

__all__: list[str] = []

pin(firehose, "_convert_to_parquet", "08264c81ebac")
pin(firehose, "_evaluate_prefix", "d407ad1dba8f")
pin(firehose, "_java_time", "cb8bad8f8057")
pin(firehose, "_metadata_extraction_keys", "5310a36adfa0")
pin(lambda_svc, "_get_func_record_for_qualifier", "a86e90478088")
pin(lambda_svc, "_resolve_name_and_qualifier", "8c65f22c59e0")

PATCHES.append(
    Patch("firehose/* (delivery)", "The age of what is delivered is a metric, DeliveryToS3.DataFreshness.")
)

_LOG = logging.getLogger("local.engine.services.firehose")
_MIB = 1 << 20
_MAX_RECORD = 1000 << 10
_MAX_BATCH = 4 << 20
_DESTINATIONS = {"ExtendedS3", "S3", "AmazonOpenSearch", "Elasticsearch"}


@dataclass(frozen=True)
class _Record:
    """One record on its way; ``partition`` is what the transformation function gave as partition keys."""

    id: str
    data: bytes
    arrived: float
    partition: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Failure:
    """Why a record goes to the error prefix."""

    kind: str
    code: str
    message: str
    attempts: int = 1
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Buffer:
    """Records that wait for company."""

    limit: float
    due: float
    records: list[_Record] = field(default_factory=list)
    size: int = 0

    def add(self, record: _Record) -> bool:
        """Add a record and tell whether the buffer is full."""
        self.records.append(record)
        self.size += len(record.data)
        return self.size >= self.limit


class _Delivery:
    """The way of a stream's records to one destination, on a thread of its own."""

    def __init__(self, stream: dict[str, Any], destination: dict[str, Any]) -> None:
        self.stream, self.destination = stream, destination
        self.account, self.region = responses.get_account_id(), responses.get_region()
        self.inbox: list[_Record] = []
        self.closing = False
        self.changed = threading.Condition()
        self.before_transform: _Buffer | None = None
        # A dynamic partition's keys (or nothing) to the records that will be one object.
        self.before_delivery: dict[tuple[tuple[str, str], ...], _Buffer] = {}
        name = f"firehose-{stream['name']}"
        threading.Thread(target=self._run, daemon=True, name=name).start()

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = self.destination["config"]
        return found

    def put(self, records: list[_Record]) -> None:
        """Take records over."""
        with self.changed:
            self.inbox += records
            self.changed.notify()

    def close(self) -> None:
        """Deliver what is buffered, then end."""
        with self.changed:
            self.closing = True
            self.changed.notify()

    def _run(self) -> None:
        responses._request_account_id.set(self.account)
        responses._request_region.set(self.region)
        while True:
            with self.changed:
                if not self.inbox and not self.closing:
                    self.changed.wait(self._patience())
                arrived, self.inbox = self.inbox, []
                closing = self.closing
            try:
                self._accept(arrived)
                self._flush(everything=closing)
            except Exception:  # noqa: BLE001 - the lane must outlive whatever one batch meets
                _LOG.exception("Firehose %s: delivery failed", self.stream["name"])
            if closing:
                return

    def _patience(self) -> float | None:
        buffers = [*self.before_delivery.values(), *filter(None, [self.before_transform])]
        return max(0.0, min(buffer.due for buffer in buffers) - time.monotonic()) if buffers else None

    def _flush(self, *, everything: bool) -> None:
        now = time.monotonic()
        if (buffer := self.before_transform) and (everything or now >= buffer.due):
            self.before_transform = None
            self._transform(buffer.records)
        for key, waiting in list(self.before_delivery.items()):
            if everything or now >= waiting.due:
                del self.before_delivery[key]
                self._deliver(dict(key), waiting.records)

    # ------------------------------------------------------------------ transformation

    def _accept(self, records: list[_Record]) -> None:
        function = self._processor("Lambda")
        if function is None:
            self._partition(records)
            return
        for record in records:
            if self.before_transform is None:
                # AWS's defaults, and its upper bound for what one invocation is handed.
                limit = min(float(function.get("BufferSizeInMBs", 1)), 3.0) * _MIB
                interval = float(function.get("BufferIntervalInSeconds", 60)) * SETTINGS.time_scale
                self.before_transform = _Buffer(limit, time.monotonic() + interval)
            if self.before_transform.add(record):
                full, self.before_transform = self.before_transform, None
                self._transform(full.records)

    def _processor(self, kind: str) -> dict[str, str] | None:
        """Return the parameters of the destination's processor of this kind."""
        processing = self.config.get("ProcessingConfiguration") or {}
        if str(processing.get("Enabled", True)).lower() != "true":
            return None
        for processor in processing.get("Processors") or []:
            if processor.get("Type") == kind:
                parameters = processor.get("Parameters") or []
                return {each["ParameterName"]: str(each["ParameterValue"]) for each in parameters}
        return None

    def _transform(self, records: list[_Record]) -> None:
        function = self._processor("Lambda") or {}
        arn = function.get("LambdaArn", "")
        results, failure = self._invoke(arn, records, int(function.get("NumberOfRetries", 3)))
        transformed: list[_Record] = []
        failed: list[tuple[_Record, _Failure]] = []
        for record in records:
            outcome = failure or _outcome(record, results)
            if isinstance(outcome, _Record):
                transformed.append(outcome)
            elif outcome is not None:
                failed.append((record, replace(outcome, more={"lambdaArn": arn})))
        self._write_failures(failed)
        self._partition(transformed)

    def _invoke(
        self, arn: str, records: list[_Record], retries: int
    ) -> tuple[dict[str, Any], _Failure | None]:
        """Invoke the transformation; return its results by record id, or why there are none."""
        event = {
            "invocationId": str(uuid.uuid4()),
            "deliveryStreamArn": self.stream["arn"],
            "region": self.region,
            "records": [
                {
                    "recordId": record.id,
                    "approximateArrivalTimestamp": int(record.arrived * 1000),
                    "data": base64.b64encode(record.data).decode(),
                }
                for record in records
            ],
        }
        failure = None
        for attempt in range(1, retries + 2):
            if attempt > 1:
                time.sleep(min(2.0**attempt, 30.0) * SETTINGS.time_scale)
            name, qualifier = lambda_svc._resolve_name_and_qualifier(arn)
            function, _config = lambda_svc._get_func_record_for_qualifier(name, qualifier)
            if function is None:
                message = "The Lambda function was not found."
                return {}, _Failure("processing-failed", "Lambda.ResourceNotFound", message, attempt)
            result = lambda_svc._execute_function(function, event)
            answer = result.get("body")
            if result.get("error") or result.get("throttle"):
                message = "The Lambda function was successfully invoked but it returned an error result."
                failure = _Failure("processing-failed", "Lambda.FunctionError", message, attempt)
                _LOG.info("Firehose %s: %s: %s", self.stream["name"], arn, answer)
                continue
            with contextlib.suppress(TypeError, ValueError):
                answer = json.loads(answer) if isinstance(answer, str | bytes) else answer
            if not isinstance(answer, dict) or not isinstance(answer.get("records"), list):
                message = "The Lambda function's answer has no list of records."
                return {}, _Failure("processing-failed", "Lambda.JsonProcessingException", message, attempt)
            return {result["recordId"]: result for result in answer["records"] if "recordId" in result}, None
        return {}, failure

    # ------------------------------------------------------------------ partitions

    def _partition(self, records: list[_Record]) -> None:
        """Put each record into the buffer of its partition."""
        delimiter = self._delimiter()
        dynamic = (self.config.get("DynamicPartitioningConfiguration") or {}).get("Enabled")
        dynamic = str(dynamic).lower() == "true"
        failed: list[tuple[_Record, _Failure]] = []
        for record in records:
            keys: dict[str, str] = {}
            if dynamic:
                try:
                    extracted = firehose._metadata_extraction_keys(self.config, record.data) or {}
                    firehose._evaluate_prefix(
                        self.config.get("Prefix", ""), time.gmtime(), extracted, record.partition
                    )
                except firehose._DeliveryError as error:
                    code = error.code or "DynamicPartitioning.MetadataExtractionFailed"
                    failed.append((record, _Failure("processing-failed", code, error.message)))
                    continue
                keys = {f"query:{name}": value for name, value in extracted.items()}
                keys |= {f"lambda:{name}": value for name, value in record.partition.items()}
            whole = replace(record, data=record.data + delimiter)
            partition = tuple(sorted(keys.items()))
            if partition not in self.before_delivery:
                self.before_delivery[partition] = self._delivery_buffer()
            if self.before_delivery[partition].add(whole):
                self._deliver(keys, self.before_delivery.pop(partition).records)
        self._write_failures(failed)

    def _delimiter(self) -> bytes:
        parameters = self._processor("AppendDelimiterToRecord")
        if parameters is None:
            return b""
        written = parameters.get("Delimiter", "\\n")
        return written.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r").encode()

    def _delivery_buffer(self) -> _Buffer:
        hints = self.config.get("BufferingHints") or {}
        interval = float(hints.get("IntervalInSeconds", 300)) * SETTINGS.time_scale
        return _Buffer(float(hints.get("SizeInMBs", 5)) * _MIB, time.monotonic() + interval)

    # ------------------------------------------------------------------ destinations

    def _deliver(self, keys: dict[str, str], records: list[_Record]) -> None:
        if self.destination["type"] in ("AmazonOpenSearch", "Elasticsearch"):
            self._deliver_to_opensearch(records)
        else:
            self._deliver_to_s3(self.config, keys, records)

    def _deliver_to_s3(self, config: dict[str, Any], keys: dict[str, str], records: list[_Record]) -> None:
        conversion = config.get("DataFormatConversionConfiguration") or {}
        body, extension = b"".join(record.data for record in records), ""
        if conversion and str(conversion.get("Enabled", True)).lower() == "true":
            records, body = self._converted(conversion, records)
            extension = ".parquet"
            if not records:
                return
        elif config.get("CompressionFormat") == "GZIP":
            body, extension = gzip.compress(body, 6), ".gz"
        moment = self._moment(config, records)
        by_source = {
            source: {name.partition(":")[2]: value for name, value in keys.items() if name.startswith(source)}
            for source in ("query:", "lambda:")
        }
        prefix = firehose._evaluate_prefix(
            config.get("Prefix", ""), moment, by_source["query:"], by_source["lambda:"]
        )
        self._write(config, f"{prefix}{self._name(moment)}{config.get('FileExtension') or extension}", body)
        # "The age (from getting into Amazon Data Firehose to now) of the oldest record":
        # https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
        cloudwatch.record_metric(
            "AWS/Firehose", "DeliveryToS3.DataFreshness", time.time() - min(each.arrived for each in records),
            "Seconds", {"DeliveryStreamName": self.stream["name"]},
        )  # fmt: skip

    def _converted(self, conversion: dict[str, Any], records: list[_Record]) -> tuple[list[_Record], bytes]:
        """Convert a batch to Parquet; records that do not fit the schema go to the error prefix."""
        with contextlib.suppress(firehose._DeliveryError):
            return records, _parquet(conversion, records)
        good: list[_Record] = []
        failed: list[tuple[_Record, _Failure]] = []
        for record in records:
            try:
                _parquet(conversion, [record])
            except firehose._DeliveryError as error:
                failed.append((record, _Failure(error.output_type, error.code or "", error.message)))
            else:
                good.append(record)
        self._write_failures(failed)
        return good, _parquet(conversion, good) if good else b""

    def _moment(self, config: dict[str, Any], records: list[_Record]) -> time.struct_time:
        """Return the time that a prefix shows: that of the oldest record, in the stream's zone."""
        zone = ZoneInfo(config.get("CustomTimeZone") or "UTC")
        oldest = min(record.arrived for record in records)
        return datetime.fromtimestamp(oldest, UTC).astimezone(zone).timetuple()

    def _name(self, moment: time.struct_time) -> str:
        written = firehose._java_time("yyyy-MM-dd-HH-mm-ss", moment)
        return f"{self.stream['name']}-{self.stream.get('version', 1)}-{written}-{uuid.uuid4()}"

    def _write_failures(self, failed: list[tuple[_Record, _Failure]]) -> None:
        """Write records that could not be delivered: a JSON document a line, an object per kind."""
        # An OpenSearch destination has its bucket in a configuration of its own.
        config = self.config.get("S3Configuration") or self.config
        for kind in sorted({failure.kind for _record, failure in failed}):
            part = [(record, failure) for record, failure in failed if failure.kind == kind]
            moment = self._moment(config, [record for record, _failure in part])
            template = config.get("ErrorOutputPrefix")
            if template:
                prefix = firehose._evaluate_prefix(template, moment, error_type=kind)
            else:
                time_part = firehose._java_time("yyyy/MM/dd/HH/", moment)
                prefix = f"{config.get('Prefix', '')}{kind}/{time_part}"
            now = int(time.time() * 1000)
            lines = [
                json.dumps(
                    {
                        "attemptsMade": failure.attempts,
                        "arrivalTimestamp": int(record.arrived * 1000),
                        "errorCode": failure.code,
                        "errorMessage": failure.message,
                        "attemptEndingTimestamp": now,
                        "rawData": base64.b64encode(record.data).decode(),
                        **failure.more,
                    }
                )
                for record, failure in part
            ]
            body, name = "".join(f"{line}\n" for line in lines).encode(), self._name(moment)
            if config.get("CompressionFormat") == "GZIP":
                body, name = gzip.compress(body, 6), f"{name}.gz"
            self._write(config, prefix + name, body)

    def _write(self, config: dict[str, Any], key: str, body: bytes) -> None:
        """Put an object, as a request to S3 would: notifications and events follow from it."""
        bucket = str(config.get("BucketARN", "")).removeprefix("arn:aws:s3:::")
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(len(body)),
            "host": "s3.localhost",
        }
        for attempt in range(4):
            status, _headers, answer = asyncio.run(
                s3.handle_request("PUT", f"/{bucket}/{key}", headers, body, {}, internal=True)
            )
            if status < 300:
                return
            time.sleep(2.0**attempt * SETTINGS.time_scale)
        _LOG.error("Firehose %s: s3://%s/%s: %s", self.stream["name"], bucket, key, answer.decode())

    def _deliver_to_opensearch(self, records: list[_Record]) -> None:
        backup = self.config.get("S3Configuration") or {}
        if self.config.get("S3BackupMode") == "AllDocuments":
            self._deliver_to_s3(backup, {}, records)
        if not SETTINGS.opensearch_url:
            _LOG.info("Firehose %s: no ENGINE_OPENSEARCH_URL, documents dropped", self.stream["name"])
            return
        rotation = _ROTATIONS[self.config.get("IndexRotationPeriod", "OneDay")]
        moment = self._moment(backup, records)
        index = self.config.get("IndexName", "")
        index += f"-{firehose._java_time(rotation, moment)}" if rotation else ""
        documents: list[tuple[_Record, bytes]] = []
        failed: list[tuple[_Record, _Failure]] = []
        for record in records:
            try:
                line = json.dumps(json.loads(record.data)).encode()
            except ValueError as error:
                failed.append((record, _Failure(_OPENSEARCH_FAILED, "OS.MalformedData", str(error))))
            else:
                documents.append((record, line))
        retries = self.config.get("RetryOptions") or {}
        patience = float(retries.get("DurationInSeconds", 300)) * SETTINGS.time_scale
        failed += [
            (record, _Failure(_OPENSEARCH_FAILED, code, message))
            for record, code, message in _bulk(index, documents, patience)
        ]
        more = {"esIndexName": index}
        self._write_failures([(record, replace(failure, more=more)) for record, failure in failed])


_OPENSEARCH_FAILED = "AmazonOpenSearchService-failed"
_ROTATIONS = {
    "NoRotation": "",
    "OneHour": "yyyy-MM-dd-HH",
    "OneDay": "yyyy-MM-dd",
    "OneWeek": "yyyy-MM-dd",
    "OneMonth": "yyyy-MM",
}


def _outcome(record: _Record, results: dict[str, Any]) -> _Record | _Failure | None:
    """Return what a transformation made of a record: another record, a failure, or nothing (dropped)."""
    result = results.get(record.id)
    if result is None:
        message = "One or more record Ids were not returned. Ensure that the function returns all of them."
        return _Failure("processing-failed", "Lambda.MissingRecordId", message)
    status = result.get("result")
    if status == "Dropped":
        return None
    if status != "Ok":
        message = f"{status} status set for record"
        return _Failure("processing-failed", "Lambda.ProcessingFailedStatus", message)
    try:
        data = base64.b64decode(result.get("data") or "", validate=True)
    except ValueError as error:
        return _Failure("processing-failed", "Lambda.JsonProcessingException", f"data is not base64: {error}")
    keys = (result.get("metadata") or {}).get("partitionKeys") or {}
    return replace(record, data=data, partition={str(name): str(value) for name, value in keys.items()})


def _parquet(conversion: dict[str, Any], records: list[_Record]) -> bytes:
    converted: bytes = firehose._convert_to_parquet(conversion, b"\n".join(record.data for record in records))
    return converted


def _bulk(
    index: str, documents: list[tuple[_Record, bytes]], patience: float
) -> Iterator[tuple[_Record, str, str]]:
    """Index documents; yield those that were refused, or all if nobody answers within ``patience``."""
    if not documents:
        return
    action = json.dumps({"index": {"_index": index}}).encode()
    body = b"".join(action + b"\n" + line + b"\n" for _record, line in documents)
    request = urllib.request.Request(  # noqa: S310 - the address is this engine's own setting
        f"{SETTINGS.opensearch_url}/_bulk", body, {"Content-Type": "application/x-ndjson"}, method="POST"
    )
    end = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                items = json.load(answer)["items"]
            break
        except (OSError, ValueError, KeyError) as error:  # HTTP errors are OSErrors
            if time.monotonic() >= end:
                for record, _line in documents:
                    yield record, "OS.ServiceException", str(error)
                return
            time.sleep(min(1.0, max(0.05, SETTINGS.time_scale)))
    for (record, _line), item in zip(documents, items, strict=True):
        result = next(iter(item.values()))
        if result.get("status", 200) >= 300:
            problem = result.get("error") or {}
            yield record, f"OS.{problem.get('type', result['status'])}", str(problem.get("reason", ""))


_deliveries: dict[str, _Delivery] = {}
_deliveries_lock = threading.Lock()


def _enqueue(stream: dict[str, Any], records: list[_Record], only: dict[str, Any] | None = None) -> None:
    """Hand records to every destination of a stream, or to one."""
    for destination in [only] if only else stream["destinations"]:
        if destination["type"] not in _DESTINATIONS:
            continue
        key = f"{stream['arn']} {destination['id']} {stream['created_at']}"
        with _deliveries_lock:
            delivery = _deliveries.get(key)
            if delivery is None or delivery.destination is not destination:
                delivery = _deliveries[key] = _Delivery(stream, destination)
        delivery.put(records)


def _new_record(data: bytes) -> _Record:
    return _Record(firehose._record_id(), data, time.time())


def _too_long(place: str) -> Any:
    message = (
        f"1 validation error detected: Value at '{place}' failed to satisfy constraint: "
        "Member must have length less than or equal to 1024000"
    )
    return firehose.error_response_json("ValidationException", message, 400)


def _active(name: str) -> tuple[dict[str, Any], Any]:
    """Return an active stream, or the error to answer with."""
    with firehose._lock:
        stream = firehose._streams.get(name)
    if not stream:
        return {}, firehose._not_found(name)
    if stream["status"] != "ACTIVE":
        return {}, firehose.error_response_json("ServiceUnavailableException", "Service unavailable.", 503)
    return stream, None


def _direct(stream: dict[str, Any]) -> bool:
    """Tell whether the destination is one that the emulator itself delivers to (Iceberg)."""
    return any(destination["type"] == "Iceberg" for destination in stream["destinations"])


@replaces(firehose, "_put_record", digest="6a7ed0471aef")
def _put_record(original: Any, data: dict[str, Any]) -> Any:
    """Records are buffered by size and time; one object holds many, gzipped where the stream says so."""
    stream, error = _active(data.get("DeliveryStreamName", ""))
    if error or _direct(stream):
        return error or original(data)
    try:
        record = _new_record(base64.b64decode((data.get("Record") or {}).get("Data", ""), validate=True))
    except ValueError:
        return firehose._invalid("Record.Data must be valid base64.")
    if len(record.data) > _MAX_RECORD:
        return _too_long("record.data")
    _enqueue(stream, [record])
    return firehose.json_response({"RecordId": record.id, "Encrypted": False})


@replaces(firehose, "_put_record_batch", digest="5e868d2aec51")
def _put_record_batch(original: Any, data: dict[str, Any]) -> Any:
    """PutRecordBatch: 500 records, 4 MiB a call and 1,000 KiB a record; beyond, the whole call is refused."""
    given = data.get("Records") or []
    stream, error = _active(data.get("DeliveryStreamName", ""))
    if error or not 0 < len(given) <= 500 or _direct(stream):
        return error or original(data)
    try:
        records = [_new_record(base64.b64decode(record.get("Data", ""), validate=True)) for record in given]
    except ValueError:
        return firehose._invalid("Record.Data must be valid base64.")
    for position, record in enumerate(records, 1):
        if len(record.data) > _MAX_RECORD:
            return _too_long(f"records.{position}.member.data")
    if sum(len(record.data) for record in records) > _MAX_BATCH:
        return firehose._invalid("Records size exceeds 4 MB limit")
    _enqueue(stream, records)
    answers = [{"RecordId": record.id, "Encrypted": False} for record in records]
    return firehose.json_response({"FailedPutCount": 0, "Encrypted": False, "RequestResponses": answers})


@replaces(firehose, "_deliver_records_to_s3", digest="1f7d45902427")
def _deliver_records_to_s3(
    _original: Any, stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]
) -> None:
    """Records of a Kinesis source are buffered, transformed and delivered like those put directly."""
    destination["records"].clear()  # the emulator keeps every record for ever
    _enqueue(
        {**stream, "destinations": [destination]}, [_Record(rid, raw, time.time()) for rid, raw in records]
    )


@replaces(firehose, "_delete_delivery_stream", digest="ee690834a6f5")
def _delete_delivery_stream(original: Any, data: dict[str, Any]) -> Any:
    """Deleting a stream delivers what is still buffered."""
    with firehose._lock:
        stream = firehose._streams.get(data.get("DeliveryStreamName", ""))
    answer = original(data)
    if stream and answer[0] < 300:
        with _deliveries_lock:
            ending = [key for key in _deliveries if key.startswith(f"{stream['arn']} ")]
            deliveries = [_deliveries.pop(key) for key in ending]
        for delivery in deliveries:
            delivery.close()
    return answer


# The emulator's table of operations holds the functions themselves.
firehose._HANDLERS["PutRecord"] = firehose._put_record
firehose._HANDLERS["PutRecordBatch"] = firehose._put_record_batch
firehose._HANDLERS["DeleteDeliveryStream"] = firehose._delete_delivery_stream
