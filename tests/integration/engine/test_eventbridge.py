"""EventBridge: checks of PutEvents, targets that the bare emulator lacks, and dead-letter queues."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import refusal
from tests.support.cloud import Cloud

_ENTRY = {"Source": "shop", "DetailType": "order", "Detail": "{}"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"Source": None}, "InvalidArgument"),
        ({"DetailType": None}, "InvalidArgument"),
        ({"DetailType": "t" * 129}, "InvalidArgument"),
        ({"Detail": None}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[]"}, "MalformedDetail"),
        ({"Detail": '"text"'}, "MalformedDetail"),
    ],
)
def test_an_entry_that_is_wrong_fails_and_no_other(
    cloud: Cloud, wrong: dict[str, str | None], code: str
) -> None:
    entry = {name: value for name, value in (_ENTRY | wrong).items() if value is not None}
    url, arn = cloud.queue()
    source = _route(cloud, Arn=arn)
    answer = cloud.client("events").put_events(
        Entries=[_ENTRY | {"Source": source}, entry | ({"Source": source} if "Source" in entry else {})]
    )
    assert answer["FailedEntryCount"] == 1
    assert [each.get("ErrorCode") for each in answer["Entries"]] == [None, code]
    assert "EventId" not in answer["Entries"][1]
    assert len(awaited(cloud, lambda: cloud.messages(url))) == 1


@pytest.mark.ours_only
def test_sources_of_aws_are_reserved(cloud: Cloud) -> None:
    [answer] = cloud.client("events").put_events(Entries=[_ENTRY | {"Source": "aws.ec2"}])["Entries"]
    assert answer["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_request_of_a_megabyte_is_refused(cloud: Cloud) -> None:
    def put(size: int) -> str:
        overhead = len("shop" + "order" + '{"a":""}') + len("arn:ü".encode()) + 14
        detail = json.dumps({"a": "x" * (size - overhead)}, separators=(",", ":"))
        entry = _ENTRY | {"Detail": detail, "Resources": ["arn:ü"], "Time": datetime.now(UTC)}
        return refusal(lambda: cloud.client("events").put_events(Entries=[entry]))

    assert put(1024 * 1024 - 1) == ""
    assert put(1024 * 1024) == "ValidationException"


@pytest.mark.ours_only
def test_a_request_has_at_most_ten_entries(cloud: Cloud) -> None:
    call = cloud.client("events").put_events
    assert refusal(lambda: call(Entries=[_ENTRY] * 10)) == ""
    assert refusal(lambda: call(Entries=[_ENTRY] * 11)) == "ValidationException"


def test_an_events_time_is_kept(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    source = _route(cloud, Arn=arn)
    entry = _ENTRY | {"Source": source, "Time": datetime(2026, 11, 20, 9, 15, 41, 902000, tzinfo=UTC)}
    cloud.client("events").put_events(Entries=[entry])
    [event] = awaited(cloud, lambda: cloud.messages(url))
    assert json.loads(event)["time"] == "2026-11-20T09:15:41Z"


def _route(cloud: Cloud, **target: Any) -> str:
    """Make a rule for events of one source with one target, and return the source."""
    rule = cloud.name("rule")
    events = cloud.client("events")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "t"} | target])
    return rule


def _send(cloud: Cloud, source: str, **detail: Any) -> None:
    cloud.client("events").put_events(
        Entries=[{"Source": source, "DetailType": "order", "Detail": json.dumps(detail)}]
    )


def test_a_kinesis_target_gets_its_partition_key_from_the_event(cloud: Cloud) -> None:
    kinesis, name = cloud.client("kinesis"), cloud.name("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    source = _route(
        cloud,
        Arn=f"arn:aws:kinesis:{cloud.region}:{cloud.account}:stream/{name}",
        RoleArn=f"arn:aws:iam::{cloud.account}:role/any",
        KinesisParameters={"PartitionKeyPath": "$.detail.id"},
        InputPath="$.detail",
    )
    _send(cloud, source, id="o-1", amount=5)
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = awaited(cloud, lambda: kinesis.get_records(ShardIterator=iterator)["Records"])
    assert records[0]["PartitionKey"] == "o-1"
    assert json.loads(records[0]["Data"]) == {"id": "o-1", "amount": 5}


def test_a_log_group_target_gets_the_transformed_event(cloud: Cloud) -> None:
    logs, group = cloud.client("logs"), f"/aws/events/{cloud.name('group')}"
    logs.create_log_group(logGroupName=group)
    source = _route(
        cloud,
        Arn=f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:{group}",
        InputTransformer={
            "InputPathsMap": {"amount": "$.detail.amount", "kind": "$.detail-type"},
            "InputTemplate": '{"amount": <amount>, "kind": <kind>}',
        },
    )
    _send(cloud, source, amount=5)
    events = awaited(cloud, lambda: logs.filter_log_events(logGroupName=group)["events"])
    assert json.loads(events[0]["message"]) == {"amount": 5, "kind": "order"}


def test_a_firehose_target_gets_the_event(cloud: Cloud) -> None:
    bucket, name = cloud.name("bucket"), cloud.name("firehose")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    arn = cloud.client("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "RoleARN": f"arn:aws:iam::{cloud.account}:role/any",
            "BufferingHints": {"IntervalInSeconds": 5, "SizeInMBs": 1},
        },
    )["DeliveryStreamARN"]
    source = _route(cloud, Arn=arn, RoleArn=f"arn:aws:iam::{cloud.account}:role/any")
    _send(cloud, source, amount=5)
    found = awaited(cloud, lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    body = s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()
    assert json.loads(body)["detail"] == {"amount": 5}


def test_an_event_without_its_target_goes_to_the_dead_letter_queue(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    missing = f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:absent"
    source = _route(cloud, Arn=missing, DeadLetterConfig={"Arn": arn})
    _send(cloud, source, amount=5)
    sqs = cloud.client("sqs")
    found = awaited(
        cloud, lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
    )
    assert json.loads(found[0]["Body"])["detail"] == {"amount": 5}
    assert found[0]["MessageAttributes"]["TARGET_ARN"]["StringValue"] == missing
    assert found[0]["MessageAttributes"]["RULE_ARN"]["StringValue"].endswith(source)
