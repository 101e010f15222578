"""What the roles may do, with the engine's IAM enforcement on; and what the parameters change."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from local.deploy import deploy
from local.suite import Suite
from tests.conftest import Faults
from tests.support.athena import ask
from tests.support.permissions import decisions, forget_decisions, refused, unused
from tests.support.waiting import wait_until

from .conftest import HEADER, NOW, Logs, line, lines
from .test_failures import REFUSED, deliver, looked_up, registered


def test_allowed_actions_are_those_that_the_flows_use(suite: Suite, logs: Logs, faults: Faults) -> None:
    """Sufficiency: nothing is refused. Necessity: none of the allowed actions goes unused."""
    forget_decisions(suite)
    faults.inject(
        {"match": "s3.GetObject", "resource": "access-logs", "times": 1, **REFUSED},
        {"match": "glue.CreatePartition", "times": 1, **REFUSED},
    )
    logs.upload(HEADER + lines(10) + "short\n")
    logs.upload(b"plain text")
    spec = deliver(logs, "2017/05/16/10")
    logs.notify("cf/gone.gz", etag="0" * 32)
    logs.sqs.send_message(QueueUrl=suite["AccessLogsRowsQueueUrl"], MessageBody="[1]")
    logs.wait_rows(10)
    wait_until(lambda: looked_up(suite, spec).get("State") == "registered", seconds=30)
    assert len(logs.objects("errors/rows/")) == len(logs.objects("quarantine/")) == 1
    for queue in ("AccessLogsDeadLetterQueueUrl", "AccessLogsRowsDeadLetterQueueUrl"):
        assert len(wait_until(partial(logs.dead, queue), seconds=30, what="a dead letter")) == 1
    for part in ("PreprocessFunction", "PartitionFunction"):
        assert refused(suite, part) == []
        assert unused(suite, part) == set(), f"{part}: allowed, but no flow used it"


def test_preprocess_is_refused_another_bucket(suite: Suite, logs: Logs) -> None:
    bucket = f"foreign-{uuid.uuid4().hex[:8]}"
    logs.s3.create_bucket(Bucket=bucket)
    logs.s3.put_object(Bucket=bucket, Key="log.gz", Body=gzip.compress((HEADER + line()).encode()))
    logs.notify("log.gz", bucket=bucket)
    [message] = wait_until(logs.dead, seconds=40, what="the dead letter")
    assert bucket in message["Body"]
    assert [each for each in decisions(suite) if bucket in each["resource"] and not each["allowed"]]
    assert logs.count("cf_logs") == 0


def test_nobody_but_the_two_buckets_may_send_to_the_queues(suite: Suite, logs: Logs) -> None:
    bucket = f"foreign-{uuid.uuid4().hex[:8]}"
    logs.s3.create_bucket(Bucket=bucket)
    arn = logs.sqs.get_queue_attributes(QueueUrl=suite["AccessLogsQueueUrl"], AttributeNames=["QueueArn"])
    with pytest.raises(logs.s3.exceptions.ClientError, match="destination"):
        logs.s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"QueueArn": arn["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
                ]
            },
        )


def test_log_lines_hold_no_viewers_address(suite: Suite, logs: Logs) -> None:
    short = "\t".join(line(1, **{"c-ip": "198.51.100.99"}).split("\t")[:20])
    logs.upload(HEADER + line(1, **{"c-ip": "198.51.100.99"}) + short)
    logs.wait_rows(1)
    events = suite.client("logs").get_paginator("filter_log_events")
    lines_ = [
        event["message"]
        for page in events.paginate(logGroupName="/suite-local/access-logs")
        for event in page["events"]
    ]
    assert any("preprocessed" in text for text in lines_)
    assert not any("198.51.100.99" in text for text in lines_)


@pytest.fixture(scope="module")
def changed(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The same stack with hashed addresses and partitions by month, and back."""
    log: Path = tmp_path_factory.mktemp("changed") / "deploy.log"
    other = {"AccessLogsViewerAddress": "hash", "AccessLogsPartitionType": "Month"}
    yield Suite(suite.engine, deploy(suite.engine, log, **other))
    deploy(suite.engine, log, AccessLogsViewerAddress="keep", AccessLogsPartitionType="ALL")
    # Rows lie in the month's partition and in its hours' ones: the views show them once, the table twice.
    for month in {f"{moment:%Y-%m}" for moment in (NOW, datetime.now(UTC))}:
        suite.client("glue").delete_partition(
            DatabaseName=suite["AccessLogsDatabaseName"],
            TableName="cf_logs",
            PartitionValues=[*month.split("-"), "all", "all"],
        )


def test_hashed_addresses_can_be_counted_and_not_read(changed: Suite, logs: Logs) -> None:
    text = line(1, **{"c-ip": "198.51.100.99", "x-forwarded-for": "203.0.113.88"})
    key = logs.upload(HEADER + text + text + line(2) + "198.51.100.99\tshort\n")
    name = f"errors/rows/{key}.{logs.etag(key)}.jsonl"
    logs.wait_rows(3)
    counted = ask(changed, "SELECT requestip, count(*) FROM cf_logs_by_request GROUP BY 1 ORDER BY 2")
    assert [int(ct or 0) for _, ct in counted] == [1, 2]
    assert all(len(str(address)) == 32 for address, _ in counted)
    for stored in logs.objects("2"):
        assert b"198.51.100" not in gzip.decompress(logs.read(stored))
        assert b"203.0.113" not in gzip.decompress(logs.read(stored))
    assert b"198.51.100" not in logs.read(name), "a row as it came has the address"


def test_partitions_by_month_hold_the_same_rows(changed: Suite, logs: Logs) -> None:
    logs.upload(HEADER + lines(10))
    logs.wait_rows(10)
    year, month = logs.objects("2")[0].split("/")[:2]
    [partition] = registered(changed, year, month, "all", "all")
    assert partition["StorageDescriptor"]["Location"] == f"s3://{logs.rows_bucket}/{year}/{month}/"
    item = looked_up(changed, f'year="{year}"; month="{month}"')
    assert (item["PartitionType"], item["State"]) == ("Month", "registered")
