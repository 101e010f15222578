"""The logs' way from the log bucket to Athena, as a test sees it."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datagen.cloudfront_logs import FIELDS, Corpus
from local.suite import Suite
from tests.support.athena import ask
from tests.support.waiting import wait_until

NOW = datetime.now(UTC)
LAST_HOUR = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
HEADER = f"#Version: 1.0\n#Fields: {' '.join(FIELDS)}\n"
QUEUES = ("AccessLogsQueueUrl", "AccessLogsRowsQueueUrl")


def line(number: int = 1, **changed: str) -> str:
    """A row of a standard log; ``changed`` are fields by name, with _ for - and brackets left out."""
    values = dict.fromkeys(FIELDS, "-") | {
        "date": f"{LAST_HOUR:%Y-%m-%d}",
        "time": f"{LAST_HOUR:%H}:00:{number % 60:02}",
        "x-edge-location": "FRA56-P7",
        "sc-bytes": str(number),
        "c-ip": "198.51.100.7",
        "cs-method": "GET",
        "cs(Host)": "d111111abcdef8.cloudfront.net",
        "cs-uri-stem": f"/page-{number}",
        "sc-status": "200",
        "cs(User-Agent)": "curl/8.10.1",
        "x-edge-result-type": "Hit",
        "x-edge-request-id": uuid.uuid4().hex,
        "time-taken": "0.125",
    }
    return "\t".join((values | changed)[name] for name in FIELDS) + "\n"


def lines(count: int) -> str:
    return "".join(line(number) for number in range(1, count + 1))


def a_key(name: str = "") -> str:
    return f"cf/E1TESTLOGS.{LAST_HOUR:%Y-%m-%d-%H}.{name or uuid.uuid4().hex[:8]}.gz"


class Logs:
    """What a test does to the logs and asks of them."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.rows_bucket = suite["AccessLogsProcessedBucketName"]
        self.s3 = suite.client("s3")
        self.sqs = suite.client("sqs")

    def upload(self, body: bytes | str, key: str = "") -> str:
        """Put a log into the log bucket, gzipped if it is text, and return its key."""
        key = key or a_key()
        content = gzip.compress(body.encode()) if isinstance(body, str) else body
        self.s3.put_object(Bucket=self.suite["AccessLogsBucketName"], Key=key, Body=content)
        return key

    def corpus(self, rows: int, **settings: Any) -> Corpus:
        """Upload the files of a generated corpus, whose requests were in the last hours."""
        usual: dict[str, Any] = {"start": LAST_HOUR, "rows_per_file": 1_000, "viewers": 2_000}
        corpus = Corpus(rows, **(usual | settings))
        for file in corpus.files():
            self.upload(file.body, file.key)
        return corpus

    def idle(self) -> bool:
        """Whether both queues are empty."""
        for queue in QUEUES:
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            counts = self.sqs.get_queue_attributes(QueueUrl=self.suite[queue], AttributeNames=names)
            if any(int(count) for count in counts["Attributes"].values()):
                return False
        return True

    def wait_idle(self, seconds: float = 40) -> None:
        """Wait until every message was consumed; Firehose may still hold rows."""
        wait_until(self.idle, seconds=seconds, what="empty queues")

    def count(self, table: str = "cf_logs_by_request", where: str = "1 = 1") -> int:
        """Count rows."""
        [(number,)] = ask(self.suite, f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
        return int(number or 0)

    def wait_rows(self, rows: int, where: str = "1 = 1") -> None:
        """Wait until the view has the rows and nothing is on its way; both views have exactly them."""
        wait_until(lambda: self.count(where=where) >= rows, seconds=40, every=0.2, what=f"{rows} rows")
        self.wait_idle()
        assert self.count(where=where) == rows
        assert self.count("cf_logs_unique", where) == rows

    def objects(self, prefix: str) -> list[str]:
        """The keys of the processed bucket under a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.rows_bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """An object of the processed bucket."""
        body: bytes = self.s3.get_object(Bucket=self.rows_bucket, Key=key)["Body"].read()
        return body

    def etag(self, key: str, bucket: str = "") -> str:
        """The ETag of an object of the log bucket, or of another, without quotes."""
        name = bucket or self.suite["AccessLogsBucketName"]
        return str(self.s3.head_object(Bucket=name, Key=key)["ETag"]).strip('"')

    def notify(self, *keys: str, queue: str = "AccessLogsQueueUrl", bucket: str = "", etag: str = "") -> None:
        """Send the notification of objects once more, all in one message; by default of those stored."""
        name = bucket or self.suite["AccessLogsBucketName"]
        records = [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": name},
                    "object": {"key": key, "eTag": etag or self.etag(key, name)},
                },
            }
            for key in keys
        ]
        self.sqs.send_message(QueueUrl=self.suite[queue], MessageBody=json.dumps({"Records": records}))

    def dead(self, queue: str = "AccessLogsDeadLetterQueueUrl") -> list[dict[str, Any]]:
        """Take what is in a dead-letter queue."""
        answer = self.sqs.receive_message(
            QueueUrl=self.suite[queue], MaxNumberOfMessages=10, MessageAttributeNames=["reason"]
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.suite[queue], ReceiptHandle=message["ReceiptHandle"])
        return messages

    def metric(self, name: str) -> float:
        """The sum of a metric of the functions since the tests began."""
        answer = self.suite.client("cloudwatch").get_metric_statistics(
            Namespace="suite-local",
            MetricName=name,
            Dimensions=[{"Name": "service", "Value": "access_logs"}],
            StartTime=NOW - timedelta(hours=1),
            EndTime=NOW + timedelta(hours=2),
            Period=86_400,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in answer["Datapoints"]))


@pytest.fixture
def logs(suite: Suite) -> Iterator[Logs]:
    """The logs, with an empty table."""
    ours = Logs(suite)
    ours.wait_idle()
    keys = [{"Key": key} for prefix in ("2", "errors/", "quarantine/") for key in ours.objects(prefix)]
    for first in range(0, len(keys), 1_000):
        ours.s3.delete_objects(
            Bucket=ours.rows_bucket, Delete={"Objects": keys[first : first + 1_000], "Quiet": True}
        )
    yield ours
    assert ours.dead() == []
