"""EventBridge: targets that the bare emulator lacks, and dead-letter queues."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud


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
