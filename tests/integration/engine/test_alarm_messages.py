"""Alarms' messages and events are those of AWS: compared with recorded ones in `recorded/`.

The recorded messages have account 123456789012 and region eu-west-1; what they say of alarms is set up here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

_RECORDED = Path(__file__).parent / "recorded"
_REGION = "eu-west-1"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
_VARYING = {"AlarmActions", "NewStateReason"}


def _recorded(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((_RECORDED / f"{name}.json").read_text())
    return document


def _comparable(document: dict[str, Any], account: str) -> Any:
    """Return a document without what differs between two alarms: times, account, topic, reason."""
    kept = {name: value for name, value in document.items() if name not in _VARYING}
    return json.loads(_TIME.sub("TIME", json.dumps(kept).replace(account, "ACCOUNT")))


class _Inbox:
    """A queue that a topic and a rule about an alarm write to."""

    def __init__(self, cloud: Cloud, alarm: str) -> None:
        self.cloud = cloud
        self.sqs = cloud.client("sqs", _REGION)
        name = cloud.name("queue")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{_REGION}:{cloud.account}:{name}"
        sns = cloud.client("sns", _REGION)
        self.topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        events = cloud.client("events", _REGION)
        rule = cloud.name("rule")
        pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [alarm]}}
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
        self.messages: list[dict[str, Any]] = []

    def _receive(self) -> None:
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.messages.append(json.loads(message["Body"]))
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def notification(self, state: str) -> dict[str, Any]:
        """Return the envelope of the message about a state."""

        def found() -> dict[str, Any] | None:
            self._receive()
            for each in self.messages:
                if "Message" in each and json.loads(each["Message"])["NewStateValue"] == state:
                    return each
            return None

        envelope = awaited(self.cloud, found)
        assert envelope is not None
        return envelope

    def event(self, state: str) -> dict[str, Any]:
        """Return the event about a state."""

        def found() -> dict[str, Any] | None:
            self._receive()
            for each in self.messages:
                if "detail" in each and each["detail"]["state"]["value"] == state:
                    return each
            return None

        event = awaited(self.cloud, found)
        assert event is not None
        return event


def _names(query: dict[str, Any]) -> dict[str, Any]:
    """Return a query of a message as the API takes it: dimensions by Name and Value."""
    if "MetricStat" not in query:
        return query
    metric = query["MetricStat"]["Metric"]
    dimensions = [{"Name": each["name"], "Value": each["value"]} for each in metric["Dimensions"]]
    return query | {"MetricStat": query["MetricStat"] | {"Metric": metric | {"Dimensions": dimensions}}}


def _put(cloud: Cloud, message: dict[str, Any], topic: str, **settings: Any) -> None:
    """Put the alarm that a recorded message is about."""
    trigger = message["Trigger"]
    given = {name: trigger.get(name) for name in ("MetricName", "Namespace", "Unit", "ExtendedStatistic")}
    given |= {name: trigger.get(name) for name in ("Threshold", "ThresholdMetricId", "DatapointsToAlarm")}
    given |= {name: trigger[name] for name in ("EvaluationPeriods", "ComparisonOperator", "TreatMissingData")}
    if "Metrics" in trigger:
        given["Metrics"] = [_names(query) for query in trigger["Metrics"]]
    else:
        given["Period"] = trigger["Period"]
        given["Statistic"] = trigger["Statistic"] and trigger["Statistic"].title()
        given["Dimensions"] = [
            {"Name": each["name"], "Value": each["value"]} for each in trigger["Dimensions"]
        ]
    given = {name: value for name, value in given.items() if value is not None} | settings
    cloud.client("cloudwatch", _REGION).put_metric_alarm(
        AlarmName=message["AlarmName"], AlarmActions=[topic], **given
    )


def _set(cloud: Cloud, alarm: str, *states: str) -> None:
    for state in states:
        cloud.client("cloudwatch", _REGION).set_alarm_state(
            AlarmName=alarm, StateValue=state, StateReason="a test"
        )


@pytest.mark.parametrize(
    "name", ["alarm_efs_percent_io_limit", "alarm_alb_p95", "alarm_metric_math", "alarm_anomaly_latency"]
)
def test_a_message_is_the_recorded_one(cloud: Cloud, name: str) -> None:
    recorded = _recorded(name)
    inbox = _Inbox(cloud, recorded["AlarmName"])
    _put(cloud, recorded, inbox.topic)
    _set(cloud, recorded["AlarmName"], "OK", "ALARM")
    envelope = inbox.notification("ALARM")
    assert envelope["Subject"] == f'ALARM: "{recorded["AlarmName"]}" in EU (Ireland)'
    message = json.loads(envelope["Message"])
    assert message["AlarmActions"] == [inbox.topic]
    assert message["NewStateReason"] == "a test"
    assert _comparable(message, cloud.account) == _comparable(recorded, "123456789012")


def test_a_composite_alarms_message_is_the_recorded_one(cloud: Cloud) -> None:
    recorded, child = _recorded("alarm_composite"), _recorded("alarm_efs_percent_io_limit")
    inbox = _Inbox(cloud, recorded["AlarmName"])
    for name in ("shop-latency", "deploying"):
        _put(cloud, child | {"AlarmName": name}, inbox.topic)
        _set(cloud, name, "OK")
    cloud.client("cloudwatch", _REGION).put_composite_alarm(
        AlarmName=recorded["AlarmName"], AlarmRule=recorded["AlarmRule"], AlarmActions=[inbox.topic]
    )
    _set(cloud, "shop-latency", "ALARM")

    def message(alarm: str) -> dict[str, Any] | None:
        inbox._receive()
        found = [json.loads(each["Message"]) for each in inbox.messages if "Message" in each]
        return next((each for each in found if each["AlarmName"] == alarm), None)

    composite = awaited(cloud, lambda: message(recorded["AlarmName"]))
    assert composite is not None
    assert _comparable(composite, cloud.account) == _comparable(recorded, "123456789012")
    metric = message("shop-latency")
    assert metric is not None
    [triggering] = composite["TriggeringChildren"]
    assert triggering["State"]["Timestamp"] == metric["StateChangeTime"]


def test_an_event_is_the_recorded_one_with_the_messages_time(cloud: Cloud) -> None:
    recorded, metric = _recorded("alarm_eventbridge_efs"), _recorded("alarm_efs_percent_io_limit")
    inbox = _Inbox(cloud, metric["AlarmName"])
    _put(cloud, metric, inbox.topic, Period=10, TreatMissingData="notBreaching")
    _set(cloud, metric["AlarmName"], "OK")
    [dimension] = metric["Trigger"]["Dimensions"]
    datum = {
        "MetricName": "PercentIOLimit",
        "Value": 97.25,
        "Unit": "Percent",
        "Timestamp": datetime.now(UTC),
        "Dimensions": [{"Name": dimension["name"], "Value": dimension["value"]}],
    }
    cloud.client("cloudwatch", _REGION).put_metric_data(Namespace="AWS/EFS", MetricData=[datum])
    event, message = inbox.event("ALARM"), json.loads(inbox.notification("ALARM")["Message"])
    assert event["detail"]["state"]["timestamp"] == message["StateChangeTime"]
    assert event["resources"] == [message["AlarmArn"]]
    assert event["detail"]["state"]["reason"] == message["NewStateReason"]
    assert event.keys() == recorded.keys()
    assert event["detail"].keys() == recorded["detail"].keys()
    [found], [expected] = (each["detail"]["configuration"]["metrics"] for each in (event, recorded))
    expected["metricStat"]["period"] = 10
    assert found | {"id": ""} == expected | {"id": ""}
    assert event["detail"]["state"].keys() == recorded["detail"]["state"].keys()
    data, expected = (json.loads(each["detail"]["state"]["reasonData"]) for each in (event, recorded))
    assert data.keys() >= expected.keys()
    for name in ("version", "statistic", "recentDatapoints", "threshold"):
        assert data[name] == expected[name]
    assert event["detail"]["previousState"].keys() >= {"value", "timestamp"}


def test_an_event_of_metric_math_has_its_queries(cloud: Cloud) -> None:
    # Shape: "Alarm events and EventBridge" of the CloudWatch user guide, tab "Metric Math Alarm".
    recorded = _recorded("alarm_metric_math")
    inbox = _Inbox(cloud, recorded["AlarmName"])
    _put(cloud, recorded, inbox.topic)
    _set(cloud, recorded["AlarmName"], "OK", "ALARM")
    [expression, metric, _] = inbox.event("ALARM")["detail"]["configuration"]["metrics"]
    assert expression == {
        "id": "e1", "expression": "100*m1/m2", "label": "error rate", "returnData": True,
    }  # fmt: skip
    assert metric == {
        "id": "m1",
        "metricStat": {
            "metric": {
                "dimensions": {"LoadBalancerName": "shop-classic"},
                "name": "HTTPCode_Backend_5XX",
                "namespace": "AWS/ELB",
            },
            "period": 60,
            "stat": "Sum",
        },
        "returnData": False,
    }


def test_an_event_of_a_composite_alarm_has_its_rule(cloud: Cloud) -> None:
    # Shape: as above, tab "Composite Alarm".
    child, name = cloud.name("child"), cloud.name("composite")
    inbox = _Inbox(cloud, name)
    _put(cloud, _recorded("alarm_efs_percent_io_limit") | {"AlarmName": child}, inbox.topic)
    _set(cloud, child, "OK")
    cloud.client("cloudwatch", _REGION).put_composite_alarm(
        AlarmName=name, AlarmRule=f"ALARM({child})", AlarmDescription="of one"
    )
    _set(cloud, child, "ALARM")
    detail = inbox.event("ALARM")["detail"]
    assert detail["configuration"] == {"alarmRule": f"ALARM({child})", "description": "of one"}
    [triggering] = json.loads(detail["state"]["reasonData"])["triggeringAlarms"]
    assert triggering["arn"].endswith(f":alarm:{child}")
    assert triggering["state"]["value"] == "ALARM"
    assert detail["previousState"].keys() >= {"value", "reason", "timestamp"}


def _as_texts(query: dict[str, Any]) -> dict[str, Any]:
    """Return a query as templates often have it: flags and numbers are texts."""
    query = query | {"ReturnData": str(query["ReturnData"]).lower()}
    if "MetricStat" in query:
        query["MetricStat"] = query["MetricStat"] | {"Period": str(query["MetricStat"]["Period"])}
    return query


def test_an_alarm_of_a_template_has_the_same_message(cloud: Cloud) -> None:
    recorded = _recorded("alarm_metric_math")
    trigger = recorded["Trigger"]
    url, arn = cloud.queue()
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    properties = {
        "AlarmName": recorded["AlarmName"],
        "AlarmActions": [topic],
        "Metrics": [_as_texts(_names(query)) for query in trigger["Metrics"]],
        **{name: str(trigger[name]) for name in ("EvaluationPeriods", "DatapointsToAlarm", "Threshold")},
        **{name: trigger[name] for name in ("ComparisonOperator", "TreatMissingData")},
    }
    cloud.deploy({"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}})
    cloud.client("cloudwatch").set_alarm_state(
        AlarmName=recorded["AlarmName"], StateValue="ALARM", StateReason="a test"
    )
    [envelope] = awaited(cloud, lambda: cloud.messages(url))
    assert json.loads(json.loads(envelope)["Message"])["Trigger"] == trigger


def test_a_reason_of_an_evaluation_is_worded_as_recorded(cloud: Cloud) -> None:
    recorded = _recorded("alarm_efs_percent_io_limit")
    name = cloud.name("alarm")
    inbox = _Inbox(cloud, name)
    trigger = recorded["Trigger"] | {"Dimensions": [{"name": "FileSystemId", "value": name}]}
    _put(cloud, recorded | {"AlarmName": name, "Trigger": trigger}, inbox.topic)
    _set(cloud, name, "OK")
    datum = {
        "MetricName": "PercentIOLimit",
        "Value": 97.25,
        "Dimensions": [{"Name": "FileSystemId", "Value": name}],
    }
    cloud.client("cloudwatch", _REGION).put_metric_data(Namespace="AWS/EFS", MetricData=[datum])
    message = json.loads(inbox.notification("ALARM")["Message"])
    moment = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d")
    assert moment.sub("TIME", message["NewStateReason"]) == moment.sub("TIME", recorded["NewStateReason"])
