"""Firehose streams; the engine of these tests waits a tenth of AWS's buffering times."""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.engine_process import EngineProcess
from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

ROLE = "arn:aws:iam::000000000000:role/firehose"
BARE_PATIENCE = 3.0


class Stream:
    """A delivery stream with a bucket behind it."""

    def __init__(self, cloud: Cloud, **config: Any) -> None:
        self.cloud, self.name, self.bucket = cloud, cloud.name("stream"), cloud.name("lake")
        cloud.client("s3").create_bucket(Bucket=self.bucket)
        cloud.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            DeliveryStreamType="DirectPut",
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE,
                "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "BufferingHints": {"IntervalInSeconds": 2, "SizeInMBs": 1},
                **config,
            },
        )

    def put(self, *records: bytes) -> None:
        answer = self.cloud.client("firehose").put_record_batch(
            DeliveryStreamName=self.name, Records=[{"Data": record} for record in records]
        )
        assert answer["FailedPutCount"] == 0

    def delete(self) -> None:
        self.cloud.client("firehose").delete_delivery_stream(DeliveryStreamName=self.name)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        s3 = self.cloud.client("s3")
        found = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            each["Key"]: s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read() for each in found
        }

    def wait(self, prefix: str = "", count: int = 1) -> dict[str, bytes]:
        def enough() -> dict[str, bytes]:
            found = self.objects(prefix)
            return found if len(found) >= count else {}

        return wait_until(enough, seconds=BARE_PATIENCE, what=f"{count} objects under {prefix!r}")


def transforming(cloud: Cloud, source: str, **parameters: str) -> dict[str, Any]:
    arn = f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:{cloud.function(source, Timeout=30)}"
    given = {"LambdaArn": arn, "BufferIntervalInSeconds": "1", "NumberOfRetries": "1", **parameters}
    return {
        "Enabled": True,
        "Processors": [
            {
                "Type": "Lambda",
                "Parameters": [
                    {"ParameterName": name, "ParameterValue": value} for name, value in given.items()
                ],
            }
        ],
    }


def only(objects: dict[str, bytes]) -> tuple[str, bytes]:
    assert len(objects) == 1
    return next(iter(objects.items()))


def refusal(cloud: Cloud, stream: Stream, records: list[bytes]) -> str:
    """The error code with which a batch is refused, empty when it is taken."""
    try:
        cloud.client("firehose").put_record_batch(
            DeliveryStreamName=stream.name, Records=[{"Data": record} for record in records]
        )
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        return code
    return ""


def lines(objects: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for body in objects.values() for line in body.decode().splitlines()]


def test_records_are_buffered_into_one_gzipped_object(cloud: Cloud) -> None:
    stream = Stream(cloud, CompressionFormat="GZIP", Prefix="raw/")
    stream.put(b"a\n", b"b\n")
    cloud.client("firehose").put_record(DeliveryStreamName=stream.name, Record={"Data": b"c\n"})
    key, body = only(stream.wait())
    assert gzip.decompress(body) == b"a\nb\nc\n"
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    day = r"\d{4}/\d\d/\d\d/\d\d"
    assert re.fullmatch(rf"raw/{day}/{stream.name}-1-\d{{4}}(-\d\d){{5}}-{uuid}\.gz", key)


def test_the_age_of_what_is_delivered_is_a_metric(cloud: Cloud) -> None:
    """In seconds, of the oldest record: it has waited for the buffer's interval.

    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
    """
    stream = Stream(cloud)
    stream.put(b"one\n", b"two\n")
    stream.wait()
    now = datetime.now(UTC)

    def ages() -> list[Any]:
        return list(
            cloud.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/Firehose", MetricName="DeliveryToS3.DataFreshness", Period=60,
                Dimensions=[{"Name": "DeliveryStreamName", "Value": stream.name}], Statistics=["Maximum"],
                StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=5),
            )["Datapoints"]
        )  # fmt: skip

    [point] = wait_until(ages, seconds=BARE_PATIENCE, what="the metric")
    assert 0 < point["Maximum"] < 60


def test_prefix_expressions_and_file_extension(cloud: Cloud) -> None:
    stream = Stream(
        cloud,
        Prefix="year=!{timestamp:yyyy}/hour=!{timestamp:HH}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        FileExtension=".json.gz",
        CompressionFormat="GZIP",
    )
    stream.put(b"a", b"b")
    key, body = only(stream.wait())
    assert re.fullmatch(r"year=\d{4}/hour=\d\d/.*\.json\.gz", key)
    assert gzip.decompress(body) == b"ab"


def test_a_full_buffer_does_not_wait_for_its_interval(cloud: Cloud) -> None:
    stream = Stream(cloud, BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 1})
    stream.put(*[b"x" * 600_000] * 3)
    assert [len(body) for body in stream.wait().values()] == [1_200_000]
    stream.delete()
    assert sorted(len(body) for body in stream.wait(count=2).values()) == [600_000, 1_200_000]


def test_deleting_a_stream_delivers_what_is_buffered(cloud: Cloud) -> None:
    stream = Stream(cloud, BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 5})
    stream.put(b"a", b"b")
    assert not stream.objects()
    stream.delete()
    assert list(stream.wait().values()) == [b"ab"]


def test_dynamic_partitions_are_buffered_apart_and_delimited(cloud: Cloud) -> None:
    stream = Stream(
        cloud,
        Prefix="customer=!{partitionKeyFromQuery:customer}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        BufferingHints={"IntervalInSeconds": 2, "SizeInMBs": 64},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration={
            "Enabled": True,
            "Processors": [
                {
                    "Type": "MetadataExtraction",
                    "Parameters": [
                        {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{customer:.c}"},
                        {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
                    ],
                },
                {
                    "Type": "AppendDelimiterToRecord",
                    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
                },
            ],
        },
    )
    stream.put(b'{"c":"x","n":1}', b'{"c":"y","n":2}', b'{"c":"x","n":3}', b"not json")
    assert list(stream.wait("customer=x/").values()) == [b'{"c":"x","n":1}\n{"c":"x","n":3}\n']
    assert list(stream.wait("customer=y/").values()) == [b'{"c":"y","n":2}\n']
    (failure,) = lines(stream.wait("errors/processing-failed/"))
    assert base64.b64decode(failure["rawData"]) == b"not json"
    assert failure["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"


def test_a_transformation_gets_batches_and_sorts_its_records(cloud: Cloud) -> None:
    processing = transforming(
        cloud,
        """
        import base64

        def handler(event, context):
            size = len(event["records"])
            answers = []
            for record in event["records"]:
                text = base64.b64decode(record["data"]).decode()
                if text == "forget":
                    continue
                result = {"drop": "Dropped", "fail": "ProcessingFailed"}.get(text, "Ok")
                data = base64.b64encode(f"{text}/{size};".encode()).decode()
                answers.append({"recordId": record["recordId"], "result": result, "data": data})
            return {"records": answers}
        """,
    )
    stream = Stream(
        cloud,
        Prefix="good/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        ProcessingConfiguration=processing,
    )
    stream.put(b"a", b"drop", b"fail", b"b", b"forget")
    assert list(stream.wait("good/").values()) == [b"a/5;b/5;"]
    failures = lines(stream.wait("errors/processing-failed/"))
    found = {base64.b64decode(failure["rawData"]): failure for failure in failures}
    assert {data: failure["errorCode"] for data, failure in found.items()} == {
        b"fail": "Lambda.ProcessingFailedStatus",
        b"forget": "Lambda.MissingRecordId",
    }
    assert {"attemptsMade", "arrivalTimestamp", "attemptEndingTimestamp", "errorMessage"} < found[
        b"fail"
    ].keys()
    assert found[b"fail"]["lambdaArn"].startswith("arn:aws:lambda:")


def test_partition_keys_of_a_transformation(cloud: Cloud) -> None:
    processing = transforming(
        cloud,
        """
        def handler(event, context):
            return {"records": [
                {"recordId": each["recordId"], "result": "Ok", "data": each["data"],
                 "metadata": {"partitionKeys": {"size": len(each["data"])}}}
                for each in event["records"]
            ]}
        """,
    )
    stream = Stream(
        cloud,
        Prefix="size=!{partitionKeyFromLambda:size}/",
        ErrorOutputPrefix="errors/",
        BufferingHints={"IntervalInSeconds": 2, "SizeInMBs": 64},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing,
    )
    stream.put(b"aaa", b"bbb", b"cccccc")
    assert list(stream.wait("size=4/").values()) == [b"aaabbb"]
    assert list(stream.wait("size=8/").values()) == [b"cccccc"]


def test_records_of_a_transformation_that_crashes_are_kept_after_retries(cloud: Cloud) -> None:
    stream = Stream(
        cloud,
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        ProcessingConfiguration=transforming(
            cloud, "def handler(event, context):\n    raise ValueError('no')"
        ),
    )
    stream.put(b"a", b"b")
    failures = lines(stream.wait("errors/processing-failed/"))
    assert [base64.b64decode(failure["rawData"]) for failure in failures] == [b"a", b"b"]
    assert {failure["attemptsMade"] for failure in failures} == {2}
    assert {failure["errorCode"] for failure in failures} == {"Lambda.FunctionError"}


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([b"x" * 1_024_001], "ValidationException"),
        ([b"x" * 1_000_000] * 5, "InvalidArgumentException"),
    ],
)
def test_batches_beyond_the_limits_are_refused_as_a_whole(
    cloud: Cloud, records: list[bytes], problem: str
) -> None:
    assert refusal(cloud, Stream(cloud), records) == problem


@pytest.mark.ours_only
def test_more_than_500_records_are_refused(cloud: Cloud) -> None:
    assert refusal(cloud, Stream(cloud), [b"x"] * 501) == "InvalidArgumentException"


@pytest.mark.ours_only
def test_objects_notify_like_any_other(cloud: Cloud) -> None:
    stream = Stream(cloud, CompressionFormat="GZIP")
    url, arn = cloud.queue()
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=stream.bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    stream.put(b"a")

    def records() -> list[dict[str, Any]]:
        bodies = [json.loads(body) for body in cloud.messages(url)]
        return [record for body in bodies for record in body.get("Records", [])]

    (record,) = wait_until(records, seconds=5)
    assert record["s3"]["object"]["key"].endswith(".gz")


def test_a_kinesis_source_is_buffered_too(cloud: Cloud) -> None:
    source, name, bucket = cloud.name("source"), cloud.name("stream"), cloud.name("lake")
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName=source, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=source, WaiterConfig={"Delay": 1, "MaxAttempts": 9})
    stream = Stream.__new__(Stream)
    stream.cloud, stream.name, stream.bucket = cloud, name, bucket
    cloud.client("s3").create_bucket(Bucket=bucket)
    cloud.client("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={
            "KinesisStreamARN": f"arn:aws:kinesis:{cloud.region}:{cloud.account}:stream/{source}",
            "RoleARN": ROLE,
        },
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 2, "SizeInMBs": 1},
        },
    )
    kinesis.put_records(
        StreamName=source, Records=[{"Data": data, "PartitionKey": "p"} for data in (b"a", b"b")]
    )
    assert list(stream.wait().values()) == [b"ab"]


class OpenSearch(ThreadingHTTPServer):
    """Enough of OpenSearch: takes `_bulk`, refuses documents that say so."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Bulk)
        self.indexed: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Bulk(BaseHTTPRequestHandler):
    server: OpenSearch

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode().splitlines()
        items: list[dict[str, Any]] = []
        for action, document in zip(body[::2], body[1::2], strict=True):
            content = json.loads(document)
            if content.get("refuse"):
                problem = {"type": "mapper_parsing_exception", "reason": "refused"}
                items.append({"index": {"status": 400, "error": problem}})
            else:
                self.server.indexed.append((json.loads(action)["index"]["_index"], content))
                items.append({"index": {"status": 201}})
        answer = json.dumps({"items": items}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def opensearch() -> Iterator[OpenSearch]:
    server = OpenSearch()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_opensearch_gets_documents_and_s3_what_it_refuses(tmp_path: Path, opensearch: OpenSearch) -> None:
    engine = EngineProcess.start(
        tmp_path, iam=False, settings={"ENGINE_TIME_SCALE": "0.1", "ENGINE_OPENSEARCH_URL": opensearch.url}
    )
    try:
        cloud = Cloud(engine)
        stream = Stream.__new__(Stream)
        stream.cloud, stream.name, stream.bucket = cloud, cloud.name("stream"), cloud.name("backup")
        cloud.client("s3").create_bucket(Bucket=stream.bucket)
        cloud.client("firehose").create_delivery_stream(
            DeliveryStreamName=stream.name,
            AmazonopensearchserviceDestinationConfiguration={
                "RoleARN": ROLE,
                "DomainARN": f"arn:aws:es:{cloud.region}:{cloud.account}:domain/logs",
                "IndexName": "logs",
                "IndexRotationPeriod": "NoRotation",
                "BufferingHints": {"IntervalInSeconds": 2, "SizeInMBs": 1},
                "S3BackupMode": "FailedDocumentsOnly",
                "S3Configuration": {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{stream.bucket}"},
            },
        )
        stream.put(b'{"n":1}', b'{"refuse":true}', b'{"n":2}', b"not json")
        failures = lines(stream.wait("AmazonOpenSearchService-failed/"))
    finally:
        engine.stop()
    assert opensearch.indexed == [("logs", {"n": 1}), ("logs", {"n": 2})]
    assert {base64.b64decode(failure["rawData"]): failure["errorCode"] for failure in failures} == {
        b'{"refuse":true}': "OS.mapper_parsing_exception",
        b"not json": "OS.MalformedData",
    }
