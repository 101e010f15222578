"""Event source mappings: Kinesis, DynamoDB streams, SQS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

# Every handler notes what it was given in a queue: that is what the tests look at.
_PREAMBLE = """
import base64, boto3, json, os, time
sqs = boto3.client("sqs")
def note(what):
    sqs.send_message(QueueUrl=os.environ["NOTES"], MessageBody=json.dumps(what))
def texts(event):
    return [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
def number(event, text):
    return event["Records"][texts(event).index(text)]["kinesis"]["sequenceNumber"]
"""


class _Stream:
    """A Kinesis stream mapped to a function."""

    def __init__(
        self, cloud: Cloud, body: str, *, shards: int = 1, records: list[str] | None = None, **mapping: Any
    ):
        self.cloud = cloud
        kinesis = cloud.client("kinesis")
        self.name = cloud.name("stream")
        kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})
        self.arn = kinesis.describe_stream(StreamName=self.name)["StreamDescription"]["StreamARN"]
        if records:
            self.put(*records)
        self.notes_url, _ = cloud.queue()
        self.function = cloud.function(
            _PREAMBLE + body, Environment={"Variables": {"NOTES": self.notes_url}}, Timeout=10
        )
        self.mapping = cloud.client("lambda").create_event_source_mapping(
            FunctionName=self.function,
            EventSourceArn=self.arn,
            **{"StartingPosition": "TRIM_HORIZON"} | mapping,
        )
        self._notes: list[Any] = []

    def put(self, *texts: str, key: str = "k") -> None:
        self.cloud.client("kinesis").put_records(
            StreamName=self.name, Records=[{"Data": text.encode(), "PartitionKey": key} for text in texts]
        )

    def notes(self) -> list[Any]:
        self._notes += [json.loads(body) for body in self.cloud.messages(self.notes_url)]
        return self._notes

    def wait(self, done: Callable[[list[Any]], bool]) -> list[Any]:
        def enough() -> list[Any] | None:
            return self.notes() if done(self.notes()) else None

        return awaited(self.cloud, enough, what="notes") or []


def test_a_partial_failure_is_retried_from_the_failed_record(cloud: Cloud) -> None:
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    note(texts(event))
    if "c" in texts(event) and len(texts(event)) > 3:
        return {"batchItemFailures": [{"itemIdentifier": number(event, "c")}]}
        """,
        records=["a", "b", "c", "d"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    assert stream.wait(lambda notes: len(notes) == 2) == [["a", "b", "c", "d"], ["c", "d"]]


@pytest.mark.parametrize("identifier", ["", "unknown", None])
def test_an_identifier_that_is_empty_or_unknown_fails_the_whole_batch(
    cloud: Cloud, identifier: str | None
) -> None:
    stream = _Stream(
        cloud,
        f"""
def handler(event, context):
    note(texts(event))
    return {{"batchItemFailures": [{{"itemIdentifier": {identifier!r}}}]}}
        """,
        records=["a", "b"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=1,
    )
    assert stream.wait(lambda notes: len(notes) == 2) == [["a", "b"], ["a", "b"]]


def test_bisecting_isolates_the_poison_and_the_destination_names_it(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    if "poison" in texts(event):
        raise ValueError("poison")
    note(texts(event))
        """,
        records=["a", "b", "poison", "c", "d"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    notes = stream.wait(lambda notes: sum(map(len, notes)) == 4)
    assert [text for batch in notes for text in batch] == ["a", "b", "c", "d"]
    document = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    info = document["KinesisBatchInfo"]
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert document["responseContext"]["functionError"] == "Unhandled"
    assert (info["batchSize"], info["shardId"], info["streamArn"]) == (1, "shardId-000000000000", stream.arn)
    assert info["startSequenceNumber"] == info["endSequenceNumber"]
    assert "payload" not in document


def test_bisecting_with_partial_failures_splits_at_the_returned_record(cloud: Cloud) -> None:
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    note(texts(event))
    if "c" in texts(event):
        return {"batchItemFailures": [{"itemIdentifier": number(event, "c")}]}
        """,
        records=["a", "b", "c", "d"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
    )
    assert stream.wait(lambda notes: ["d"] in notes) == [["a", "b", "c", "d"], ["c", "d"], ["c"], ["d"]]


def test_retries_are_bounded_and_s3_gets_the_records(cloud: Cloud) -> None:
    bucket = cloud.name("bucket")
    cloud.client("s3").create_bucket(Bucket=bucket)
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    note(texts(event))
    if "bad" in texts(event):
        raise ValueError("no")
        """,
        records=["bad"],
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    s3 = cloud.client("s3")
    found = awaited(cloud, lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    today = time.strftime("%Y/%m/%d/%Y-%m-%dT", time.gmtime())
    assert found[0]["Key"].startswith(f"aws/lambda/{stream.mapping['UUID']}/shardId-000000000000/{today}")
    document = json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())
    assert document["requestContext"]["approximateInvokeCount"] == 3
    payload = json.loads(document["payload"])
    assert (
        payload["Records"][0]["kinesis"]["sequenceNumber"]
        == document["KinesisBatchInfo"]["startSequenceNumber"]
    )
    assert stream.notes() == [["bad"]] * 3
    stream.put("good")
    stream.wait(lambda notes: notes[-1] == ["good"])


def test_records_beyond_their_age_are_discarded_to_the_destination(cloud: Cloud) -> None:
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    url, arn = cloud.queue()
    cloud.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    _Stream(
        cloud,
        'def handler(event, context): raise ValueError("never")',
        records=["old"],
        MaximumRecordAgeInSeconds=10,  # scaled: 1 s
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )
    document = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in document


def test_records_that_are_too_old_at_first_have_no_response(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    stream = _Stream(
        cloud,
        "def handler(event, context): note(texts(event))",
        MaximumRecordAgeInSeconds=60,  # scaled: 6 s
        DestinationConfig={"OnFailure": {"Destination": arn}},
        Enabled=False,
    )
    stream.put("old")
    time.sleep(6.2)
    stream.put("new")
    cloud.client("lambda").update_event_source_mapping(UUID=stream.mapping["UUID"], Enabled=True)
    assert stream.wait(lambda notes: bool(notes)) == [["new"]]
    document = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert document["requestContext"]["approximateInvokeCount"] == 1
    assert document["KinesisBatchInfo"]["batchSize"] == 1
    assert "responseContext" not in document


def test_what_a_function_reported_as_failed_has_no_function_error(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    return {"batchItemFailures": [{"itemIdentifier": number(event, "b")}]} if "b" in texts(event) else None
        """,
        records=["a", "b", "c"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    document = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 3
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": None,
    }
    assert document["KinesisBatchInfo"]["batchSize"] == 2
    assert document["KinesisBatchInfo"]["streamArn"] == stream.arn


def test_failure_records_name_the_version_that_was_invoked(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    function = cloud.function("def handler(event, context): raise ValueError")
    service, kinesis = cloud.client("lambda"), cloud.client("kinesis")
    version = service.publish_version(FunctionName=function)["Version"]
    service.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    name = cloud.name("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    stream = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]
    service.create_event_source_mapping(
        FunctionName=f"{function}:live",
        EventSourceArn=stream,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    document = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert document["responseContext"]["executedVersion"] == version
    assert document["responseContext"]["functionError"] == "Unhandled"


def test_a_slow_shard_does_not_hold_up_the_others(cloud: Cloud) -> None:
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    if "slow" in texts(event):
        time.sleep(5)
    note(texts(event))
        """,
        shards=2,
    )
    stream.put("slow", key="a")  # the hashes of "a" and "b" fall into different halves
    time.sleep(0.5)
    stream.put("quick", key="b")
    stream.wait(lambda notes: notes == [["quick"]])


def test_parallelization_keeps_the_order_of_a_partition_key(cloud: Cloud) -> None:
    stream = _Stream(
        cloud,
        """
def handler(event, context):
    if "slow" in texts(event):
        time.sleep(3)
    note(texts(event))
        """,
        ParallelizationFactor=4,
        BatchSize=1,
    )
    stream.put("slow", "slow's next", key="a")
    for key in "bcdefgh":
        stream.put(f"quick {key}", key=key)
    notes = stream.wait(lambda notes: len(notes) >= 4)
    assert all(note[0].startswith("quick") for note in notes)


def test_latest_starts_at_creation_and_at_timestamp_at_its_time(cloud: Cloud) -> None:
    body = "def handler(event, context): note(texts(event))"
    latest = _Stream(cloud, body, records=["before"], StartingPosition="LATEST")
    latest.put("after")
    timed = _Stream(cloud, body, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=datetime.now(UTC))
    past = datetime.now(UTC) - timedelta(minutes=5)
    early = _Stream(
        cloud, body, records=["x"], StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=past
    )
    timed.put("now")
    assert latest.wait(lambda notes: bool(notes)) == [["after"]]
    assert timed.wait(lambda notes: bool(notes)) == [["now"]]
    assert early.wait(lambda notes: bool(notes)) == [["x"]]


def test_the_batching_window_collects_records(cloud: Cloud) -> None:
    stream = _Stream(
        cloud,
        "def handler(event, context): note(texts(event))",
        MaximumBatchingWindowInSeconds=10,
        BatchSize=3,
    )
    stream.put("a")
    time.sleep(0.3)
    stream.put("b")
    assert stream.wait(lambda notes: bool(notes)) == [["a", "b"]]
    started = time.monotonic()
    stream.put("1", "2", "3")
    stream.wait(lambda notes: notes[-1] == ["1", "2", "3"])
    assert time.monotonic() - started < 0.9


def test_filters_drop_records_without_an_invocation(cloud: Cloud) -> None:
    stream = _Stream(
        cloud,
        "def handler(event, context): note(texts(event))",
        records=['{"kind":"no"}', '{"kind":"yes"}', '{"kind":"no"}', '{"kind":"yes"}'],
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"data": {"kind": ["yes"]}})}]},
        BatchSize=2,
    )
    assert stream.wait(lambda notes: bool(notes)) == [['{"kind":"yes"}', '{"kind":"yes"}']]


_COUNTING = """
def handler(event, context):
    state = event["state"]
    state["count"] = state.get("count", 0) + len(event["Records"])
    note({"window": event["window"], "final": event["isFinalInvokeForWindow"], "count": state["count"],
          "early": event["isWindowTerminatedEarly"], "shard": event["shardId"], "n": len(event["Records"])})
    state["filler"] = "x" * (1_100_000 if "big" in texts(event) else 0)
    return {"state": state}
"""


def test_a_tumbling_window_hands_its_state_on_and_closes(cloud: Cloud) -> None:
    stream = _Stream(cloud, _COUNTING, TumblingWindowInSeconds=2)
    time.sleep(2.05 - time.time() % 2)  # the start of a window
    stream.put("a", "b")
    stream.wait(lambda notes: bool(notes))
    stream.put("c")
    first, second, final = stream.wait(lambda notes: len(notes) == 3)
    assert (first["count"], second["count"], final["count"]) == (2, 3, 3)
    assert (first["final"], second["final"], final["final"], final["n"]) == (False, False, True, 0)
    assert first["window"] == final["window"]
    start, end = (datetime.fromisoformat(first["window"][name]) for name in ("start", "end"))
    assert (end - start).total_seconds() == 2
    assert start.timestamp() % 2 == 0


def test_a_tumbling_windows_state_over_one_megabyte_ends_it_early(cloud: Cloud) -> None:
    stream = _Stream(cloud, _COUNTING, records=["big"], TumblingWindowInSeconds=60)
    first, final = stream.wait(lambda notes: len(notes) == 2)
    assert (first["early"], final["early"], final["final"]) == (False, True, True)
    stream.put("small")
    third = stream.wait(lambda notes: len(notes) == 3)[2]
    assert (third["count"], third["early"]) == (1, False)


def test_shards_that_appear_later_are_read_from_their_start(cloud: Cloud) -> None:
    stream = _Stream(cloud, "def handler(event, context): note(texts(event))", StartingPosition="LATEST")
    stream.put("parent")
    stream.wait(lambda notes: bool(notes))
    cloud.client("kinesis").split_shard(
        StreamName=stream.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    stream.put("a", key="a")
    stream.put("b", key="b")
    notes = stream.wait(lambda notes: len(notes) == 3)
    assert sorted(note[0] for note in notes) == ["a", "b", "parent"]


def _open_shards(stream: _Stream) -> list[str]:
    """Return the names of a stream's open shards, the one of the lowest hash keys first."""
    shards = stream.cloud.client("kinesis").list_shards(StreamName=stream.name)["Shards"]
    found = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    return [
        shard["ShardId"]
        for shard in sorted(found, key=lambda each: int(each["HashKeyRange"]["StartingHashKey"]))
    ]


def _split(stream: _Stream, name: str, at: int) -> None:
    stream.cloud.client("kinesis").split_shard(
        StreamName=stream.name, ShardToSplit=name, NewStartingHashKey=str(at)
    )


# Fails for as long as the bucket is empty: the parent retries while its family grows.
_WAITING = """
def handler(event, context):
    found = boto3.client("s3").list_objects_v2(Bucket=os.environ["GATE"])
    if "parent" in texts(event) and not found.get("Contents"):
        raise ValueError("not yet")
    note([texts(event)[0], event["Records"][0]["eventID"].partition(":")[0]])
"""


@pytest.mark.parametrize("slots", [1, 3])
def test_every_shard_of_a_family_is_read_though_the_parent_retries(cloud: Cloud, slots: int) -> None:
    gate = cloud.name("gate")
    cloud.client("s3").create_bucket(Bucket=gate)
    body = _WAITING.replace('os.environ["GATE"]', repr(gate))
    stream = _Stream(cloud, body, BatchSize=1, ParallelizationFactor=slots)
    stream.put("parent")
    time.sleep(0.5)
    _split(stream, "shardId-000000000000", 2**127)
    stream.put("child a", key="a")  # the hashes of "a" and "b" fall into different halves
    stream.put("child b", key="b")
    low, high = _open_shards(stream)
    _split(stream, low, 2**126)
    _split(stream, high, 3 * 2**126)
    stream.put("grandchild a", key="a")
    stream.put("grandchild b", key="b")
    first, second, *_ = _open_shards(stream)
    cloud.client("kinesis").merge_shards(
        StreamName=stream.name, ShardToMerge=first, AdjacentShardToMerge=second
    )
    stream.put("merged a", key="a")
    stream.put("merged b", key="b")
    time.sleep(0.5)
    assert stream.notes() == []
    cloud.client("s3").put_object(Bucket=gate, Key="open", Body=b"")
    notes = [text for text, _shard in stream.wait(lambda notes: len(notes) >= 7)]
    assert sorted(notes) == sorted(
        ["parent", "child a", "child b", "grandchild a", "grandchild b", "merged a", "merged b"]
    )
    for key in "ab":  # of one partition key in the order in which they came, whatever the shards
        assert [text for text in notes if text == "parent" or text.endswith(key)] == [
            "parent",
            f"child {key}",
            f"grandchild {key}",
            f"merged {key}",
        ]


def test_closed_shards_are_read_by_a_mapping_that_comes_later(cloud: Cloud) -> None:
    stream = _Stream(cloud, "def handler(event, context): pass")
    stream.put("parent")
    _split(stream, "shardId-000000000000", 2**127)
    stream.put("a", key="a")
    stream.put("b", key="b")
    low, high = _open_shards(stream)
    cloud.client("kinesis").merge_shards(StreamName=stream.name, ShardToMerge=low, AdjacentShardToMerge=high)
    stream.put("merged")
    notes_url, _ = cloud.queue()
    function = cloud.function(
        _PREAMBLE + "def handler(event, context): note(texts(event))",
        Environment={"Variables": {"NOTES": notes_url}},
    )
    seen: list[str] = []

    def all_seen() -> bool:
        seen.extend(text for body in cloud.messages(notes_url) for text in json.loads(body))
        return len(seen) >= 4

    cloud.client("lambda").create_event_source_mapping(
        FunctionName=function, EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON"
    )
    awaited(cloud, all_seen, what="all records")
    assert (seen[0], sorted(seen[1:3]), seen[3]) == ("parent", ["a", "b"], "merged")


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (5, 3), (3, 5), (4, 8), (3, 2)])
def test_a_changed_number_of_shards_loses_no_records(cloud: Cloud, before: int, after: int) -> None:
    gate = cloud.name("gate")
    cloud.client("s3").create_bucket(Bucket=gate)
    body = f"""
def handler(event, context):
    if not boto3.client("s3").list_objects_v2(Bucket={gate!r}).get("Contents"):
        raise ValueError("not yet")
    for text in texts(event):
        note(text)
"""
    stream = _Stream(cloud, body, shards=before)
    keys = [f"key {number}" for number in range(20)]
    for key in keys:
        stream.put(f"{key}: before", key=key)
    answer = cloud.client("kinesis").update_shard_count(
        StreamName=stream.name, TargetShardCount=after, ScalingType="UNIFORM_SCALING"
    )
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (before, after)
    assert len(_open_shards(stream)) == after
    for key in keys:
        stream.put(f"{key}: after", key=key)
    cloud.client("s3").put_object(Bucket=gate, Key="open", Body=b"")
    notes = stream.wait(lambda notes: len(notes) >= 40)
    assert sorted(notes) == sorted(f"{key}: {when}" for key in keys for when in ("before", "after"))
    for key in keys:
        assert notes.index(f"{key}: before") < notes.index(f"{key}: after")


@pytest.mark.ours_only
def test_a_mapping_can_be_disabled_updated_and_deleted(cloud: Cloud) -> None:
    stream = _Stream(cloud, "def handler(event, context): note(texts(event))")
    service, uuid = cloud.client("lambda"), stream.mapping["UUID"]
    stream.put("first")
    stream.wait(lambda notes: notes == [["first"]])
    service.update_event_source_mapping(UUID=uuid, Enabled=False)
    time.sleep(0.3)
    stream.put("1", "2", "3")
    time.sleep(0.7)
    assert len(stream.notes()) == 1
    service.update_event_source_mapping(UUID=uuid, Enabled=True, BatchSize=2)
    stream.wait(lambda notes: notes[1:] == [["1", "2"], ["3"]])
    service.update_event_source_mapping(UUID=uuid, ParallelizationFactor=2)
    time.sleep(0.7)
    stream.put("4")
    stream.wait(lambda notes: notes[-1] == ["4"])
    service.delete_event_source_mapping(UUID=uuid)
    stream.put("never")
    time.sleep(0.7)
    assert stream.notes()[-1] == ["4"]


def _dynamodb(cloud: Cloud, body: str, **mapping: Any) -> tuple[str, Callable[[], list[Any]]]:
    name = cloud.name("table")
    table = cloud.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    url, _ = cloud.queue()
    function = cloud.function(_PREAMBLE + body, Environment={"Variables": {"NOTES": url}}, Timeout=10)
    cloud.client("lambda").create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=table["LatestStreamArn"],
        **{"StartingPosition": "TRIM_HORIZON"} | mapping,
    )
    seen: list[Any] = []

    def notes() -> list[Any]:
        seen.extend(json.loads(body) for body in cloud.messages(url))
        return seen

    return name, notes


def test_a_dynamodb_stream_has_partial_failures_and_a_destination(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    table, notes = _dynamodb(
        cloud,
        """
def handler(event, context):
    failures = []
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["pk"]["S"]
        note(key)
        if key == "bad":
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failures}
        """,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        MaximumBatchingWindowInSeconds=5,
        DestinationConfig={"OnFailure": {"Destination": arn}},
        FilterCriteria={"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
    )
    for key in ("a", "bad", "b"):
        cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}})
    cloud.client("dynamodb").delete_item(TableName=table, Key={"pk": {"S": "a"}})
    document = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    awaited(cloud, lambda: "b" in notes() and set(notes()) == {"a", "bad", "b"})
    assert notes().count("a") == 1


@pytest.mark.ours_only
def test_a_dynamodb_stream_is_filtered_by_keys_and_attributes(cloud: Cloud) -> None:
    """Patterns that are nested as records are, with a prefix and a Boolean.

    "use the dynamodb key in the record", "you can also use the NewImage and OldImage keys":
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html; `{"prefix": ...}`, and any one of
    several filters: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    """
    own = {"Keys": {"pk": {"S": [{"prefix": "U#"}]}}, "NewImage": {"origin": {"S": ["here"]}}}
    unsettled = {"NewImage": {"unsettled": {"BOOL": [True]}}}
    table, notes = _dynamodb(
        cloud,
        """
def handler(event, context):
    for record in event["Records"]:
        note(record["dynamodb"]["Keys"]["pk"]["S"])
        """,
        FilterCriteria={
            "Filters": [{"Pattern": json.dumps({"dynamodb": wanted})} for wanted in (own, unsettled)]
        },
    )
    here, there = {"origin": {"S": "here"}}, {"origin": {"S": "there"}}
    for key, item in {
        "U#1": here,
        "U#2": there,
        "E#1": here,
        "E#2": {"unsettled": {"BOOL": True}},
        "E#3": {"unsettled": {"BOOL": False}},
        "E#4": {"unsettled": {"S": "true"}},
        "U#3": there | {"unsettled": {"BOOL": True}},
        "U#4": {"origin": {"SS": ["here"]}},
        "U#5": {},
    }.items():
        cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}} | item)
    cloud.client("dynamodb").delete_item(TableName=table, Key={"pk": {"S": "U#1"}})
    cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "U#end"}} | here)
    awaited(cloud, lambda: "U#end" in notes())
    assert sorted(notes()) == ["E#2", "U#1", "U#3", "U#end"]


def _queue_source(cloud: Cloud, body: str, **mapping: Any) -> tuple[str, str, Callable[[], list[Any]]]:
    dead_url, dead_arn = cloud.queue()
    url, arn = cloud.queue(
        VisibilityTimeout="3",  # the function's time-out, in which a loaded machine has to start it
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2}),
    )
    notes_url, _ = cloud.queue()
    function = cloud.function(_PREAMBLE + body, Environment={"Variables": {"NOTES": notes_url}}, Timeout=3)
    cloud.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=arn, **mapping)
    seen: list[Any] = []

    def notes() -> list[Any]:
        seen.extend(json.loads(body) for body in cloud.messages(notes_url))
        return seen

    return url, dead_url, notes


@pytest.mark.ours_only
def test_a_queue_retries_the_failed_message_alone_and_redrives_it(cloud: Cloud) -> None:
    url, dead_url, notes = _queue_source(
        cloud,
        """
def handler(event, context):
    for record in event["Records"]:
        note(record["body"])
    return {"batchItemFailures": [
        {"itemIdentifier": record["messageId"]} for record in event["Records"] if record["body"] == "bad"]}
        """,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    entries = [{"Id": body, "MessageBody": body} for body in ("good", "bad")]
    cloud.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    assert awaited(cloud, lambda: cloud.messages(dead_url)) == ["bad"]
    assert sorted(notes()) == ["bad", "bad", "good"]


def test_a_queue_retries_all_messages_when_an_identifier_is_unknown(cloud: Cloud) -> None:
    url, _, notes = _queue_source(
        cloud,
        """
def handler(event, context):
    note(event["Records"][0]["body"])
    return {"batchItemFailures": [{"itemIdentifier": ""}]}
        """,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="again")
    awaited(cloud, lambda: notes() == ["again", "again"])
