"""CloudWatch: alarms, metric math, embedded metrics, the metrics of Lambda and SQS."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud


def _put(cloud: Cloud, namespace: str, name: str, value: float, *, age: float = 0, **dimensions: str) -> None:
    datum = {
        "MetricName": name,
        "Value": value,
        "Timestamp": datetime.now(UTC) - timedelta(seconds=age),
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
    }
    cloud.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])


def _alarm(cloud: Cloud, namespace: str, **settings: Any) -> str:
    name = cloud.name("alarm")
    defaults: dict[str, Any] = {
        "EvaluationPeriods": 1,
        "Threshold": 10,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    if "Metrics" not in settings:
        defaults |= {"Namespace": namespace, "MetricName": "m", "Statistic": "Maximum", "Period": 60}
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, **defaults | settings)
    return name


def _state(cloud: Cloud, alarm: str) -> str:
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    state: str = found[0]["StateValue"]
    return state


def _becomes(cloud: Cloud, alarm: str, state: str) -> None:
    awaited(cloud, lambda: _state(cloud, alarm) == state, what=f"{alarm} to be {state}")


def test_an_alarm_sees_points_that_come_after_it_and_tells_its_topic(cloud: Cloud) -> None:
    space = cloud.name("Space")
    url, arn = cloud.queue()
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    cloud.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    alarm = _alarm(
        cloud, space, Period=1, TreatMissingData="notBreaching", AlarmActions=[topic], OKActions=[topic]
    )
    _put(cloud, space, "m", 11)
    messages: list[dict[str, Any]] = []

    def states() -> list[str]:
        messages.extend(json.loads(body) for body in cloud.messages(url))
        return [message["NewStateValue"] for message in messages if message["OldStateValue"] == "ALARM"]

    # The point leaves the period of one second: without new data only a ticker can see that.
    awaited(cloud, lambda: "OK" in states())
    assert any(message["NewStateValue"] == "ALARM" for message in messages)
    assert messages[0]["AlarmName"] == alarm


def test_an_alarm_looks_at_its_own_dimensions(cloud: Cloud) -> None:
    space = cloud.name("Space")
    _put(cloud, space, "m", 99, Service="other")
    _put(cloud, space, "m", 1, Service="mine")
    alarm = _alarm(cloud, space, Dimensions=[{"Name": "Service", "Value": "mine"}])
    _becomes(cloud, alarm, "OK")
    _put(cloud, space, "m", 98, Service="other")
    time.sleep(1.2)
    assert _state(cloud, alarm) == "OK"


def test_datapoints_to_alarm_count_periods(cloud: Cloud) -> None:
    space = cloud.name("Space")
    settings = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2, "TreatMissingData": "notBreaching"}
    alarm = _alarm(cloud, space, **settings)
    _put(cloud, space, "m", 11)
    time.sleep(1.2)
    assert _state(cloud, alarm) == "OK"
    _put(cloud, space, "m", 11, age=100)
    _becomes(cloud, alarm, "ALARM")


@pytest.mark.parametrize(
    ("treat", "state"), [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA")]
)
def test_missing_data_is_treated_as_asked(cloud: Cloud, treat: str, state: str) -> None:
    space = cloud.name("Space")
    alarm = _alarm(cloud, space, Period=1, TreatMissingData=treat)
    cloud.client("cloudwatch").set_alarm_state(
        AlarmName=alarm, StateValue="OK" if state != "OK" else "ALARM", StateReason="test"
    )
    _becomes(cloud, alarm, state)


_MATH = [
    {"Id": "rate", "Expression": "100 * errors / FILL(calls, 1)", "ReturnData": True},
    {"Id": "errors", "ReturnData": False},
    {"Id": "calls", "ReturnData": False},
]


def _math(space: str) -> list[dict[str, Any]]:
    return [
        query
        if "Expression" in query
        else query
        | {
            "MetricStat": {
                "Metric": {"Namespace": space, "MetricName": query["Id"], "Dimensions": []},
                "Period": 60,
                "Stat": "Sum",
            }
        }
        for query in _MATH
    ]


def test_an_alarm_on_metric_math(cloud: Cloud) -> None:
    space = cloud.name("Space")
    alarm = _alarm(cloud, space, Metrics=_math(space))
    _put(cloud, space, "errors", 1)
    _put(cloud, space, "calls", 100)
    _becomes(cloud, alarm, "OK")
    _put(cloud, space, "errors", 19)
    _becomes(cloud, alarm, "ALARM")


def test_cloudformation_takes_an_alarm_on_metric_math(cloud: Cloud) -> None:
    space = cloud.name("Space")
    properties = {
        "Metrics": _math(space),
        "EvaluationPeriods": 1,
        "Threshold": 10,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    stack = cloud.deploy(
        {
            "Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}},
            "Outputs": {"Name": {"Value": {"Ref": "Alarm"}}},
        }
    )
    _put(cloud, space, "errors", 50)
    _put(cloud, space, "calls", 100)
    _becomes(cloud, stack["Name"], "ALARM")


def test_get_metric_data_evaluates_expressions(cloud: Cloud) -> None:
    space = cloud.name("Space")
    for age, value in ((0, 4.0), (60, 2.0), (180, 6.0)):
        _put(cloud, space, "m", value, age=age)
    _put(cloud, space, "n", 2.0)
    now = datetime.now(UTC)
    metric = {"Namespace": space, "MetricName": "m"}
    other = {"Namespace": space, "MetricName": "n"}
    expressions = {
        "plain": "m1",
        "filled": "FILL(m1, 0)",
        "both": "IF(m1 > 3, m1 * 10, 0 - 1)",
        "ratio": "m1 / n1",
        "list": "SUM([m1, n1])",
        "all": "SUM(METRICS())",
        "logic": "m1 > 1 AND n1 < 1",
    }
    answer = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
            {"Id": "n1", "MetricStat": {"Metric": other, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
            *({"Id": f"e_{name}", "Expression": text} for name, text in expressions.items()),
        ],
        StartTime=now - timedelta(minutes=4),
        EndTime=now + timedelta(seconds=1),
    )
    values = {result["Id"][2:]: result["Values"] for result in answer["MetricDataResults"]}
    assert values["plain"] == [4, 2, 6]
    assert [value for value in values["filled"] if value] == [4, 2, 6]
    assert len(values["filled"]) >= 4
    assert values["both"] == [40, -1, 60]
    assert values["ratio"] == [2]
    assert values["list"][0] == 6
    assert values["logic"] == [0]


def test_embedded_metrics_in_logs_become_metrics(cloud: Cloud) -> None:
    space = cloud.name("Space")
    function = cloud.function(
        """
        import json, time
        def handler(event, context):
            print(json.dumps({
                "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{
                    "Namespace": event["space"],
                    "Dimensions": [["service"], ["service", "stage"]],
                    "Metrics": [{"Name": "orders", "Unit": "Count", "StorageResolution": 1},
                                {"Name": "latency", "Unit": "Milliseconds"}]}]},
                "service": "shop", "stage": "test", "orders": 3, "latency": [10, 30]}))
        """
    )
    cloud.invoke(function, {"space": space})
    cloudwatch = cloud.client("cloudwatch")

    def statistics(name: str, **dimensions: str) -> dict[str, Any]:
        found = cloudwatch.get_metric_statistics(
            Namespace=space,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=datetime.now(UTC) - timedelta(minutes=5),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum", "Average", "SampleCount"],
        )["Datapoints"]
        point: dict[str, Any] = found[0] if found else {}
        return point

    orders = awaited(cloud, lambda: statistics("orders", service="shop"))
    assert (orders["Sum"], orders["Unit"]) == (3, "Count")
    latency = statistics("latency", service="shop", stage="test")
    assert (latency["SampleCount"], latency["Average"]) == (2, 20)


def _sum(cloud: Cloud, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> float:
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=datetime.now(UTC) - timedelta(minutes=5),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=3600,
        Statistics=[statistic],
    )["Datapoints"]
    return float(sum(point[statistic] for point in points))


def test_lambdas_metrics_count_asynchronous_invocations(cloud: Cloud) -> None:
    function = cloud.function("def handler(event, context): 1 / 0")
    service = cloud.client("lambda")
    service.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    service.invoke(FunctionName=function)
    service.invoke(FunctionName=function, InvocationType="Event")
    awaited(cloud, lambda: _sum(cloud, "AWS/Lambda", "Errors", FunctionName=function) == 2)
    assert _sum(cloud, "AWS/Lambda", "Invocations", FunctionName=function) == 2
    assert _sum(cloud, "AWS/Lambda", "Duration", FunctionName=function) > 0
    assert _sum(cloud, "AWS/Lambda", "Throttles", FunctionName=function) == 0


def test_a_queues_depth_is_a_metric_that_alarms(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    name = arn.rsplit(":", 1)[1]
    alarm = _alarm(
        cloud,
        "AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        Threshold=0,
        TreatMissingData="notBreaching",
    )
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="dead")
    _becomes(cloud, alarm, "ALARM")


def test_a_state_change_reaches_eventbridge(cloud: Cloud) -> None:
    space, rule = cloud.name("Space"), cloud.name("rule")
    alarm = _alarm(cloud, space)
    url, arn = cloud.queue()
    events = cloud.client("events")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [alarm], "state": {"value": ["ALARM"]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    _put(cloud, space, "m", 11)
    event = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["previousState"]["value"] in {"OK", "INSUFFICIENT_DATA"}


def test_a_streams_iterator_age_is_a_metric(cloud: Cloud) -> None:
    kinesis, name = cloud.client("kinesis"), cloud.name("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    arn = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]
    function = cloud.function("def handler(event, context): return None")
    cloud.client("lambda").create_event_source_mapping(
        FunctionName=function, EventSourceArn=arn, StartingPosition="TRIM_HORIZON"
    )
    kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    awaited(
        cloud, lambda: _sum(cloud, "AWS/Lambda", "IteratorAge", "SampleCount", FunctionName=function) == 1
    )
