"""No row is lost or counted twice, whatever fails, and wherever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.suite import Suite
from tests.conftest import Faults
from tests.support.waiting import wait_until

from .conftest import HEADER, Logs, lines

REFUSED = {"status": 400, "type": "ValidationException"}  # no client tries that again by itself


def test_thirty_percent_failing_records_lose_and_double_nothing(logs: Logs, faults: Faults) -> None:
    """Only what failed is sent again, so that even the raw table has every row once."""
    faults.inject({"match": "firehose.PutRecordBatch", "failed": 0.3, "seed": 7})
    truth = logs.corpus(12_000, rows_per_file=6_000, seed=3).truth
    logs.wait_rows(truth.rows)
    assert faults.hits()[0] > 0
    assert logs.count("cf_logs") == truth.rows


def test_a_throttled_stream_is_waited_for(logs: Logs, faults: Faults) -> None:
    faults.inject(
        {"match": "firehose.PutRecordBatch", "status": 503, "type": "ServiceUnavailableException", "times": 7}
    )
    logs.upload(HEADER + lines(10))
    logs.wait_rows(10)
    assert faults.hits() == [7]
    assert logs.count("cf_logs") == 10


def test_an_object_sent_again_after_a_crash_is_in_the_view_once(logs: Logs, faults: Faults) -> None:
    """The second call of a big object's three is refused; the first call's rows are already on their way."""
    rows = 24_000
    faults.inject({"match": "firehose.PutRecordBatch", "rate": 0.5, "seed": 10, "times": 1, **REFUSED})
    logs.corpus(rows, rows_per_file=rows, seed=4)
    logs.wait_rows(rows)
    assert faults.hits() == [1]
    assert logs.count("cf_logs") > rows, "this test wants rows that were delivered twice"


@pytest.mark.parametrize(
    ("operation", "resource"),
    [("s3.GetObject", "access-logs"), ("dynamodb.PutItem", "Ledger"), ("dynamodb.UpdateItem", "Ledger")],
)
def test_a_crash_before_and_after_the_work_loses_nothing(
    logs: Logs, faults: Faults, operation: str, resource: str
) -> None:
    faults.inject({"match": operation, "resource": resource, "times": 1, **REFUSED})
    logs.upload(HEADER + lines(10))
    logs.wait_rows(10)
    assert faults.hits() == [1]


def test_a_log_that_is_not_copied_into_quarantine_is_tried_again(logs: Logs, faults: Faults) -> None:
    faults.inject({"match": "s3.CopyObject", "times": 1, **REFUSED})
    key = logs.upload(b"plain text")
    name = f"quarantine/{key}.{logs.etag(key)}"
    wait_until(lambda: logs.objects("quarantine/") == [name], seconds=30)
    logs.wait_idle()


def test_a_log_overwritten_while_it_is_read_is_not_quarantined_by_its_new_content(
    logs: Logs, faults: Faults
) -> None:
    """S3 refuses the copy of another content; what has the key by then has a notification of its own."""
    faults.inject({"match": "s3.CopyObject", "times": 1, "delay": 4})
    key = logs.upload(b"plain text")
    wait_until(lambda: faults.hits() == [1], seconds=30, every=0.05, what="the copy")
    logs.upload(HEADER + lines(4), key)
    logs.wait_rows(4)
    assert logs.objects("quarantine/") == []


@pytest.fixture
def crashing(suite: Suite, logs: Logs) -> Iterator[None]:
    """Preprocess is killed after 12 s, and its messages come back after 14 s instead of half an hour."""
    functions, queue = suite.client("lambda"), suite["AccessLogsQueueUrl"]
    name = next(
        f["FunctionName"]
        for f in functions.list_functions()["Functions"]
        if "Preprocess" in f["FunctionName"]
    )
    functions.update_function_configuration(FunctionName=name, Timeout=12)
    logs.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "14"})
    yield
    functions.update_function_configuration(FunctionName=name, Timeout=300)
    logs.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1800"})


def test_an_invocation_that_is_killed_leaves_its_object_to_the_next(
    logs: Logs, faults: Faults, crashing: None
) -> None:
    """The call of the one that was killed is served all the same, so that rows are there twice."""
    faults.inject({"match": "firehose.PutRecordBatch", "delay": 15, "times": 1})
    logs.upload(HEADER + lines(10))
    wait_until(lambda: logs.count("cf_logs") == 20, seconds=60, what="rows of both invocations")
    logs.wait_rows(10)


def test_what_keeps_failing_is_dead_lettered_and_can_be_redriven(
    suite: Suite, logs: Logs, faults: Faults
) -> None:
    faults.inject({"match": "s3.GetObject", "resource": "access-logs", **REFUSED})
    key = logs.upload(HEADER + lines(10))
    [message] = wait_until(logs.dead, seconds=40, what="the dead letter")
    assert json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"] == key
    assert faults.hits()[0] >= 2
    faults.clear()
    logs.sqs.send_message(QueueUrl=suite["AccessLogsQueueUrl"], MessageBody=message["Body"])
    logs.wait_rows(10)


# ---------------------------------------------------------------------------- partitions


def looked_up(suite: Suite, spec: str) -> dict[str, str]:
    """An item of the look-up table."""
    tables = suite.client("dynamodb").list_tables()["TableNames"]
    [table] = [name for name in tables if "AccessLogsPartitionsTable" in name]
    item = (
        suite.client("dynamodb").get_item(TableName=table, Key={"PartitionSpec": {"S": spec}}).get("Item", {})
    )
    return {name: value["S"] for name, value in item.items()}


def registered(suite: Suite, *values: str) -> list[Any]:
    """The Glue partitions with these values."""
    found = suite.client("glue").get_partitions(
        DatabaseName=suite["AccessLogsDatabaseName"], TableName="cf_logs"
    )["Partitions"]
    return [partition for partition in found if partition["Values"] == list(values)]


def deliver(logs: Logs, hour: str) -> str:
    """Put an object where Firehose would, and return its partition's signature."""
    logs.s3.put_object(Bucket=logs.rows_bucket, Key=f"{hour}/rows.gz", Body=b"")
    return "; ".join(
        f'{name}="{value}"'
        for name, value in zip(("year", "month", "day", "hour"), hour.split("/"), strict=True)
    )


def test_a_partition_is_looked_up_claimed_and_registered_once(suite: Suite, logs: Logs) -> None:
    spec = deliver(logs, "2017/05/15/10")
    assert spec == 'year="2017"; month="05"; day="15"; hour="10"'
    wait_until(lambda: looked_up(suite, spec).get("State") == "registered", what="registration")
    assert looked_up(suite, spec) == {
        "PartitionSpec": spec,
        "PartitionPath": f"s3://{logs.rows_bucket}/2017/05/15/10/",
        "PartitionType": "ALL",
        "State": "registered",
    }
    [partition] = registered(suite, "2017", "05", "15", "10")
    stored = partition["StorageDescriptor"]
    assert stored["Location"] == f"s3://{logs.rows_bucket}/2017/05/15/10/"
    assert stored["SerdeInfo"]["Parameters"]["field.delim"] == "\t"
    logs.s3.put_object(Bucket=logs.rows_bucket, Key="2017/05/15/10/more.gz", Body=b"")
    logs.wait_idle()
    assert len(registered(suite, "2017", "05", "15", "10")) == 1


@pytest.mark.parametrize(
    ("hour", "match"),
    [
        ("2017/05/15/11", "glue.GetTable"),
        ("2017/05/15/12", "glue.CreatePartition"),
        ("2017/05/15/13", "dynamodb.UpdateItem"),
    ],
)
def test_a_crash_between_claim_and_registration_is_repaired(
    suite: Suite, logs: Logs, faults: Faults, hour: str, match: str
) -> None:
    faults.inject({"match": match, "times": 1, **REFUSED})
    spec = deliver(logs, hour)
    wait_until(lambda: looked_up(suite, spec).get("State") == "claimed", what="the claim")
    wait_until(lambda: looked_up(suite, spec).get("State") == "registered", seconds=30, what="registration")
    assert faults.hits() == [1]
    assert len(registered(suite, *hour.split("/"))) == 1


def test_a_partition_that_is_there_already_is_a_success(suite: Suite, logs: Logs) -> None:
    glue = suite.client("glue")
    glue.create_partition(
        DatabaseName=suite["AccessLogsDatabaseName"],
        TableName="cf_logs",
        PartitionInput={"Values": ["2017", "05", "15", "14"]},
    )
    spec = deliver(logs, "2017/05/15/14")
    wait_until(lambda: looked_up(suite, spec).get("State") == "registered", what="registration")


def test_many_objects_of_a_new_hour_make_one_partition(suite: Suite, logs: Logs) -> None:
    for number in range(40):
        logs.s3.put_object(Bucket=logs.rows_bucket, Key=f"2017/05/15/15/{number}.gz", Body=b"")
    wait_until(lambda: registered(suite, "2017", "05", "15", "15"), what="registration")
    logs.wait_idle()
    assert len(registered(suite, "2017", "05", "15", "15")) == 1


def test_keys_that_are_no_rows_make_no_partition(suite: Suite, logs: Logs) -> None:
    before = suite.client("glue").get_partitions(
        DatabaseName=suite["AccessLogsDatabaseName"], TableName="cf_logs"
    )
    for key in ("2017/05/15/rows.gz", "2017/13/15/10/rows.gz", "2017/05/15/10/deeper/rows.gz", "2017-05-15"):
        logs.s3.put_object(Bucket=logs.rows_bucket, Key=key, Body=b"")
        logs.notify(key, queue="AccessLogsRowsQueueUrl", bucket=logs.rows_bucket)
    logs.wait_idle()
    after = suite.client("glue").get_partitions(
        DatabaseName=suite["AccessLogsDatabaseName"], TableName="cf_logs"
    )
    assert len(after["Partitions"]) == len(before["Partitions"])


def test_a_failing_partition_is_dead_lettered_and_can_be_redriven(
    suite: Suite, logs: Logs, faults: Faults
) -> None:
    faults.inject({"match": "glue.CreatePartition", **REFUSED})
    spec = deliver(logs, "2017/05/15/16")
    [message] = wait_until(lambda: logs.dead("AccessLogsRowsDeadLetterQueueUrl"), seconds=40)
    assert looked_up(suite, spec)["State"] == "claimed"
    faults.clear()
    logs.sqs.send_message(QueueUrl=suite["AccessLogsRowsQueueUrl"], MessageBody=message["Body"])
    wait_until(lambda: looked_up(suite, spec).get("State") == "registered", what="registration")
