"""Asynchronous invocation: retries, destinations, dead-letter queues, throttling."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

_FAILING = """
def handler(event, context):
    raise KeyError("missing")
"""


def _send(cloud: Cloud, function: str, event: Any) -> None:
    cloud.client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
    )


def _configure(cloud: Cloud, function: str, *, success: str = "", failure: str = "", **settings: int) -> None:
    destinations = {}
    if success:
        destinations["OnSuccess"] = {"Destination": success}
    if failure:
        destinations["OnFailure"] = {"Destination": failure}
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig=destinations, **settings
    )


def test_the_dead_letter_queue_gets_the_event_itself_and_why_in_attributes(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    function = cloud.function(_FAILING, DeadLetterConfig={"TargetArn": arn})
    _configure(cloud, function, MaximumRetryAttempts=0)
    _send(cloud, function, {"id": 7})
    sqs = cloud.client("sqs")
    found = awaited(
        cloud, lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
    )
    assert json.loads(found[0]["Body"]) == {"id": 7}
    attributes = found[0]["MessageAttributes"]
    assert attributes["ErrorCode"] == {"DataType": "Number", "StringValue": "200"}
    assert attributes["ErrorMessage"]["StringValue"] == "'missing'"
    assert len(attributes["RequestID"]["StringValue"]) == 36


def test_the_dead_letter_topic_gets_the_event_itself(cloud: Cloud) -> None:
    url, queue = cloud.queue()
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    function = cloud.function(_FAILING, DeadLetterConfig={"TargetArn": topic})
    _configure(cloud, function, MaximumRetryAttempts=0)
    _send(cloud, function, {"id": 7})
    envelope = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert json.loads(envelope["Message"]) == {"id": 7}
    assert envelope["MessageAttributes"]["ErrorMessage"]["Value"] == "'missing'"


def test_the_failure_destination_gets_an_invocation_record(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    function = cloud.function(_FAILING)
    _configure(cloud, function, failure=arn, MaximumRetryAttempts=0)
    _send(cloud, function, {"id": 7})
    record = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert record.get("version") == "1.0"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestContext"]["functionArn"].endswith(f":function:{function}:$LATEST")
    assert record["requestPayload"] == {"id": 7}
    expected = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responseContext"] == expected
    assert record["responsePayload"]["errorType"] == "KeyError"


def test_the_success_destination_gets_the_answer_in_a_bucket(cloud: Cloud) -> None:
    bucket = cloud.name("bucket")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    function = cloud.function("def handler(event, context): return {'sum': event['a'] + event['b']}")
    _configure(cloud, function, success=f"arn:aws:s3:::{bucket}")
    _send(cloud, function, {"a": 1, "b": 2})
    found = awaited(cloud, lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    today = time.strftime("%Y/%m/%d/", time.gmtime())
    assert found[0]["Key"].startswith(f"aws/lambda/async/{function}/{today}")
    record = json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == {"sum": 3}
    assert "functionError" not in record["responseContext"]


def test_an_event_bus_and_a_function_can_be_destinations(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    bus = cloud.name("bus")
    events = cloud.client("events")
    bus_arn = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])
    second = cloud.function(_FAILING)
    _configure(cloud, second, failure=bus_arn, MaximumRetryAttempts=0)
    first = cloud.function("def handler(event, context): return event")
    second_arn = cloud.client("lambda").get_function(FunctionName=second)["Configuration"]["FunctionArn"]
    _configure(cloud, first, success=second_arn)
    _send(cloud, first, {"id": 7})
    event = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["detail"]["requestPayload"]["responsePayload"] == {"id": 7}


def test_retries_wait_a_minute_and_the_events_age_ends_them(cloud: Cloud) -> None:
    """Scaled: 60 s of age are 6 s, the first retry would come after 6 s."""
    url, arn = cloud.queue()
    function = cloud.function(_FAILING)
    _configure(cloud, function, failure=arn, MaximumEventAgeInSeconds=60)
    _send(cloud, function, {})
    record = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_a_throttled_event_is_kept_until_there_is_room(cloud: Cloud) -> None:
    function = cloud.function(
        """
        import time
        def handler(event, context):
            time.sleep(event["seconds"])
            return event
        """
    )
    url, arn = cloud.queue()
    _configure(cloud, function, success=arn, MaximumRetryAttempts=0)
    cloud.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    for number in range(3):
        _send(cloud, function, {"seconds": 0.3, "number": number})
    done: list[int] = []

    def collect() -> list[int]:
        done.extend(json.loads(body)["responsePayload"]["number"] for body in cloud.messages(url))
        return done

    awaited(cloud, lambda: sorted(collect()) == [0, 1, 2])


def test_with_no_concurrency_reserved_events_go_to_the_dead_letter_queue_at_once(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    function = cloud.function(_FAILING, DeadLetterConfig={"TargetArn": arn})
    cloud.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    _send(cloud, function, {"id": 7})
    assert awaited(cloud, lambda: cloud.messages(url)) == ['{"id": 7}']


def test_sns_and_eventbridge_invoke_asynchronously(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    function = cloud.function(_FAILING, DeadLetterConfig={"TargetArn": arn})
    _configure(cloud, function, MaximumRetryAttempts=0)
    function_arn = cloud.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function_arn)
    cloud.client("sns").publish(TopicArn=topic, Message="hello")
    events, rule = cloud.client("events"), cloud.name("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "f", "Arn": function_arn}])
    events.put_events(Entries=[{"Source": rule, "DetailType": "t", "Detail": '{"a": 1}'}])
    found: list[dict[str, Any]] = []

    def collect() -> bool:
        found.extend(json.loads(body) for body in cloud.messages(url))
        return len(found) == 2

    awaited(cloud, collect)
    assert {"Records" in event or event.get("source") == rule for event in found} == {True}


def test_an_event_over_one_megabyte_is_refused(cloud: Cloud) -> None:
    function = cloud.function("def handler(event, context): return 1")
    refusal = ""
    try:
        _send(cloud, function, {"text": "x" * 1024 * 1024})
    except ClientError as error:
        refusal = error.response["Error"]["Code"]
    assert refusal == "RequestEntityTooLargeException"
    assert cloud.invoke(function, {"text": "x" * 1024 * 1024})["payload"] == 1
