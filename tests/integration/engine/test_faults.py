"""The fault hook; the emulator has none, so these run on our engine alone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only


def ask(cloud: Cloud, method: str = "GET", rules: Any = None) -> tuple[int, Any]:
    body = None if rules is None else json.dumps(rules).encode()
    request = urllib.request.Request(f"{cloud.endpoint}/_engine/faults", body, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def inject(cloud: Cloud, *rules: dict[str, Any]) -> None:
    assert ask(cloud, "POST", list(rules))[0] == 200


def hits(cloud: Cloud) -> list[int]:
    return [rule["hits"] for rule in ask(cloud)[1]]


@pytest.fixture(autouse=True)
def no_rule_outlives_its_test(cloud: Cloud) -> Iterator[None]:
    yield
    ask(cloud, "DELETE")


@pytest.fixture
def table(cloud: Cloud) -> str:
    name = cloud.name("table")
    cloud.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return name


def error_of(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def put_requests(count: int) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": {"pk": {"S": f"k{number}"}}}} for number in range(count)]


def test_unprocessed_items_come_back_and_the_others_are_written(cloud: Cloud, table: str) -> None:
    inject(cloud, {"match": "dynamodb.BatchWriteItem", "unprocessed": 0.4, "seed": 3, "resource": table})
    dynamodb = cloud.client("dynamodb")
    answer = dynamodb.batch_write_item(RequestItems={table: put_requests(20)})
    left = {item["PutRequest"]["Item"]["pk"]["S"] for item in answer["UnprocessedItems"][table]}
    written = {item["pk"]["S"] for item in dynamodb.scan(TableName=table)["Items"]}
    assert 0 < len(left) < 20
    assert written == {f"k{number}" for number in range(20)} - left
    assert hits(cloud) == [1]


def test_a_batch_of_which_nothing_is_written_is_an_error(cloud: Cloud, table: str) -> None:
    inject(cloud, {"match": "dynamodb.BatchWriteItem", "unprocessed": 1})
    writing = cloud.client("dynamodb").batch_write_item
    assert error_of(writing, RequestItems={table: put_requests(5)}) == (
        400,
        "ProvisionedThroughputExceededException",
    )


def test_splitting_a_batch_hides_no_duplicate_key(cloud: Cloud, table: str) -> None:
    inject(cloud, {"match": "dynamodb.BatchWriteItem", "unprocessed": 0.5, "seed": 1})
    twice = put_requests(1) * 2
    writing = cloud.client("dynamodb").batch_write_item
    assert error_of(writing, RequestItems={table: twice}) == (400, "ValidationException")


def test_rules_meet_the_calls_of_one_region(cloud: Cloud) -> None:
    inject(cloud, {"match": "(sqs|ssm|kms|dynamodb)[.].*", "status": 503, "region": "eu-west-1"})
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "sqs": ("list_queues", {}),
        "ssm": ("describe_parameters", {}),
        "kms": ("list_keys", {}),
        "dynamodb": ("list_tables", {}),
    }
    for service, (operation, arguments) in calls.items():
        call = getattr(cloud.client(service, "eu-west-1"), operation)
        assert error_of(call, **arguments)[0] == 503
        getattr(cloud.client(service), operation)(**arguments)
    assert hits(cloud) == [len(calls)]


def test_rules_know_the_resources_of_calls(cloud: Cloud, table: str) -> None:
    """Tables of a transaction, the key of a ciphertext, the name of a parameter, the URL of a queue."""
    kms, ssm = cloud.client("kms"), cloud.client("ssm")
    key, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    blob, kept = (kms.encrypt(KeyId=each, Plaintext=b"x")["CiphertextBlob"] for each in (key, other))
    name = f"/{cloud.name('stack')}/auth/region"
    for each in (name, f"{name}s"):
        ssm.put_parameter(Name=each, Value="x", Type="String")
    queue, _ = cloud.queue()
    inject(
        cloud,
        *({"match": ".*", "status": 503, "resource": f"{each}$"} for each in (table, key, name)),
        {"match": ".*", "status": 503, "resource": queue.rpartition("/")[2]},
    )
    dynamodb, item = cloud.client("dynamodb"), {"TableName": table, "Item": {"pk": {"S": "a"}}}
    check = {
        "TableName": "elsewhere",
        "Key": {"pk": {"S": "a"}},
        "ConditionExpression": "attribute_exists(pk)",
    }
    for call, arguments in (
        (dynamodb.transact_write_items, {"TransactItems": [{"ConditionCheck": check}, {"Put": item}]}),
        (
            dynamodb.transact_get_items,
            {"TransactItems": [{"Get": {"TableName": table, "Key": item["Item"]}}]},
        ),
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
        (ssm.get_parameter, {"Name": name}),
        (cloud.client("sqs").send_message, {"QueueUrl": queue, "MessageBody": "x"}),
    ):
        assert error_of(call, **arguments)[0] == 503
    assert hits(cloud) == [2, 2, 1, 1]
    assert kms.decrypt(CiphertextBlob=kept)["Plaintext"] == b"x"
    ssm.get_parameter(Name=f"{name}s")


def test_unprocessed_keys(cloud: Cloud, table: str) -> None:
    dynamodb = cloud.client("dynamodb")
    dynamodb.batch_write_item(RequestItems={table: put_requests(20)})
    inject(cloud, {"match": "dynamodb.BatchGetItem", "unprocessed": 0.4, "seed": 3})
    keys = [{"pk": {"S": f"k{number}"}} for number in range(20)]
    answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    left = answer["UnprocessedKeys"][table]
    assert left["ConsistentRead"] is True
    assert len(left["Keys"]) + len(answer["Responses"][table]) == 20
    assert 0 < len(left["Keys"]) < 20


def test_failed_records_of_a_stream_are_answered_in_request_order(cloud: Cloud) -> None:
    kinesis, name = cloud.client("kinesis"), cloud.name("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    inject(cloud, {"match": "kinesis.PutRecords", "failed": 0.3, "seed": 5, "resource": name})
    records = [{"Data": str(number).encode(), "PartitionKey": "p"} for number in range(30)]
    answer = kinesis.put_records(StreamName=name, Records=records)
    failed = [number for number, result in enumerate(answer["Records"]) if "ErrorCode" in result]
    assert answer["FailedRecordCount"] == len(failed) > 0
    assert answer["Records"][failed[0]]["ErrorCode"] == "ProvisionedThroughputExceededException"
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    stored = [int(record["Data"]) for record in kinesis.get_records(ShardIterator=iterator)["Records"]]
    assert stored == [number for number in range(30) if number not in failed]


def test_failed_entries_of_queues_and_buses(cloud: Cloud) -> None:
    url, _arn = cloud.queue()
    inject(
        cloud,
        {"match": "sqs.SendMessageBatch", "failed": 0.5, "seed": 2},
        {"match": "events.PutEvents", "failed": 1},
    )
    entries = [{"Id": f"m{number}", "MessageBody": f"m{number}"} for number in range(10)]
    answer = cloud.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    failed = {entry["Id"] for entry in answer["Failed"]}
    assert 0 < len(failed) < 10
    assert set(cloud.messages(url)) == {f"m{number}" for number in range(10)} - failed
    put = cloud.client("events").put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}])
    assert (put["FailedEntryCount"], put["Entries"][0]["ErrorCode"]) == (1, "ThrottlingException")


def test_errors_take_the_form_of_the_services_protocol(cloud: Cloud, table: str) -> None:
    bucket = cloud.name("bucket")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    url, _arn = cloud.queue()
    inject(
        cloud,
        {"match": r"s3\.(Get|Put|Head)Object", "status": 503},
        {"match": "s3.ListObjectsV2", "status": 500},
        {"match": "dynamodb.PutItem", "status": 400, "type": "ProvisionedThroughputExceededException"},
        {"match": "sqs.SendMessage", "type": "RequestThrottled"},
        {"match": "sns.Publish", "type": "Throttled"},
        {"match": "lambda.Invoke", "status": 429, "type": "TooManyRequestsException"},
    )
    assert error_of(s3.get_object, Bucket=bucket, Key="a") == (503, "SlowDown")
    assert error_of(s3.put_object, Bucket=bucket, Key="a", Body=b"x") == (503, "SlowDown")
    assert error_of(s3.head_object, Bucket=bucket, Key="a") == (503, "503")
    assert error_of(s3.list_objects_v2, Bucket=bucket) == (500, "InternalError")
    s3.list_objects(Bucket=bucket)
    assert error_of(cloud.client("dynamodb").put_item, TableName=table, Item={"pk": {"S": "a"}}) == (
        400,
        "ProvisionedThroughputExceededException",
    )
    sending = cloud.client("sqs").send_message
    assert error_of(sending, QueueUrl=url, MessageBody="m") == (400, "RequestThrottled")
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    assert error_of(cloud.client("sns").publish, TopicArn=topic, Message="m") == (400, "Throttled")
    invoking = cloud.client("lambda").invoke
    assert error_of(invoking, FunctionName="any") == (429, "TooManyRequestsException")
    assert hits(cloud) == [3, 1, 1, 1, 1, 1]


def test_a_rule_ends_after_its_times_and_knows_its_resource(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    mine, other = cloud.name("mine"), cloud.name("other")
    for bucket in (mine, other):
        s3.create_bucket(Bucket=bucket)
    inject(cloud, {"match": "s3.PutObject", "status": 503, "times": 1, "resource": f":{mine}/"})
    s3.put_object(Bucket=other, Key="a", Body=b"x")
    assert error_of(s3.put_object, Bucket=mine, Key="a", Body=b"x") == (503, "SlowDown")
    s3.put_object(Bucket=mine, Key="a", Body=b"x")


def test_the_same_seed_fails_the_same_calls(cloud: Cloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.name("bucket")
    s3.create_bucket(Bucket=bucket)

    def outcomes() -> list[bool]:
        inject(cloud, {"match": "s3.HeadBucket", "status": 500, "rate": 0.5, "seed": 11})
        found = []
        for _ in range(12):
            try:
                s3.head_bucket(Bucket=bucket)
                found.append(True)
            except ClientError:
                found.append(False)
        return found

    first = outcomes()
    assert outcomes() == first
    assert len(set(first)) == 2


def test_delays_hold_up_the_call_and_change_nothing(cloud: Cloud, table: str) -> None:
    inject(cloud, {"match": "dynamodb.PutItem", "delay": 0.3})
    start = time.monotonic()
    cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "a"}})
    assert time.monotonic() - start >= 0.3


def test_calls_without_a_signature_are_not_met(cloud: Cloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.name("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    inject(cloud, {"match": "s3.*", "status": 503})
    with urllib.request.urlopen(f"{cloud.endpoint}/{bucket}/a", timeout=5) as answer:  # noqa: S310
        assert answer.read() == b"x"
    assert hits(cloud) == [0]


def test_functions_calls_are_met(cloud: Cloud, table: str) -> None:
    name = cloud.function(
        f"""
        import boto3, botocore.exceptions

        def handler(event, context):
            try:
                boto3.client("dynamodb").put_item(TableName="{table}", Item={{"pk": {{"S": "a"}}}})
            except botocore.exceptions.ClientError as error:
                return error.response["Error"]["Code"]
        """,
        Timeout=30,
    )
    inject(cloud, {"match": "dynamodb.PutItem", "status": 400, "type": "RequestLimitExceeded"})
    assert cloud.invoke(name)["payload"] == "RequestLimitExceeded"


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({}, "list of rules"),
        ([{"match": "s3.*"}], "rule 1: does nothing"),
        ([{"match": "s3.*", "status": 503}, {"match": "(", "status": 503}], "rule 2: match is not a regular"),
        ([{"match": "s3.*", "status": 200}], "status must be from 400 to 599"),
        ([{"match": "s3.*", "status": 503, "rate": 1.5}], "rate must be from 0 to 1"),
        ([{"match": "s3.*", "status": 503, "ratio": 1}], "unknown fields: ratio"),
        ([{"status": 503}], "match must name"),
        ([{"match": "s3.*", "delay": -1}], "delay must be seconds"),
        ([{"match": "s3.*", "status": 503, "times": 0}], "times must be positive"),
    ],
)
def test_a_wrong_rule_is_refused_and_changes_nothing(cloud: Cloud, rules: Any, problem: str) -> None:
    inject(cloud, {"match": "sqs.*", "delay": 0.01})
    status, answer = ask(cloud, "POST", rules)
    assert status == 400
    assert problem in answer["message"]
    assert [rule["match"] for rule in ask(cloud)[1]] == ["sqs.*"]


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("dms", "DescribeReplicationTasks", {}),
        ("glacier", "CreateVault", {"vaultName": "v"}),
        ("redshift", "DescribeClusters", {}),
    ],
)
def test_services_of_the_engines_own_are_throttled_too(
    cloud: Cloud, service: str, operation: str, arguments: dict[str, str]
) -> None:
    rule = {"match": f"{service}.{operation}", "status": 400, "type": "ThrottlingException", "times": 1}
    inject(cloud, rule)
    call = getattr(cloud.client(service), xform_name(operation))
    assert error_of(call, **arguments) == (400, "ThrottlingException")
    assert call(**arguments)["ResponseMetadata"]["HTTPStatusCode"] < 300
