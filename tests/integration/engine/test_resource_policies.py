"""Policies of topics and queues bind CloudWatch, EventBridge and SNS as they bind everybody."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import role
from tests.support.cloud import Cloud


def _policy(service: str, action: str, resource: str, source: str = "") -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
    }
    if source:
        statement["Condition"] = {"ArnEquals": {"aws:SourceArn": source}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _queue(cloud: Cloud, service: str, source: str) -> tuple[str, str]:
    """Create a queue that a service may send to for a resource; URL and ARN."""
    url, arn = cloud.queue()
    policy = _policy(service, "sqs:SendMessage", arn, source)
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def _topic(cloud: Cloud, policy_for: str, source: str = "") -> tuple[str, str]:
    """Create a topic that a service may publish to, and a queue that it sends to; ARN and URL."""
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    policy = _policy(policy_for, "sns:Publish", topic, source)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    url, arn = _queue(cloud, "sns.amazonaws.com", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic, url


def _rule(cloud: Cloud, *targets: dict[str, Any], name: str = "") -> str:
    rule = name or cloud.name("rule")
    events = cloud.client("events")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    events.put_targets(
        Rule=rule, Targets=[{"Id": str(number)} | target for number, target in enumerate(targets)]
    )
    return rule


def _send(cloud: Cloud, source: str) -> None:
    entry = {"Source": source, "DetailType": "t", "Detail": "{}"}
    cloud.client("events").put_events(Entries=[entry])


def test_an_alarm_publishes_where_the_topics_policy_lets_it(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    name = cloud.name("alarm")
    arn = f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:{name}"
    allowed, url = _topic(cloud, "cloudwatch.amazonaws.com", arn)
    other_alarm, other_url = _topic(cloud, "cloudwatch.amazonaws.com", f"{arn}-other")
    other_service, service_url = _topic(cloud, "s3.amazonaws.com")
    cloudwatch = cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[other_alarm, other_service, allowed],
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert len(awaited(cloud, lambda: cloud.messages(url))) == 1
    assert (cloud.messages(other_url), cloud.messages(service_url)) == ([], [])


def test_an_event_reaches_queues_and_topics_that_let_it(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    name = cloud.name("rule")
    arn = f"arn:aws:events:{cloud.region}:{cloud.account}:rule/{name}"
    dead_url, dead_arn = _queue(cloud, "events.amazonaws.com", arn)
    closed_dead_url, closed_dead_arn = cloud.queue()
    url, allowed = _queue(cloud, "events.amazonaws.com", arn)
    other_url, other_rule = _queue(cloud, "events.amazonaws.com", f"{arn}-other")
    topic, topic_url = _topic(cloud, "events.amazonaws.com")
    conditional, conditional_url = _topic(cloud, "events.amazonaws.com", arn)
    dead = {"DeadLetterConfig": {"Arn": dead_arn}}
    _rule(
        cloud,
        {"Arn": other_rule} | dead,
        {"Arn": conditional, "DeadLetterConfig": {"Arn": closed_dead_arn}},
        {"Arn": allowed},
        {"Arn": topic},
        name=name,
    )
    _send(cloud, name)
    for found in (url, topic_url):
        assert len(awaited(cloud, partial(cloud.messages, found))) == 1
    [letter] = awaited(
        cloud,
        lambda: (
            cloud.client("sqs")
            .receive_message(QueueUrl=dead_url, MessageAttributeNames=["All"])
            .get("Messages", [])
        ),
    )
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    for nothing in (other_url, conditional_url, closed_dead_url):
        assert cloud.messages(nothing) == []


def test_a_topics_dead_letter_queue_has_to_let_it(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    dead_url, dead_arn = _queue(cloud, "sns.amazonaws.com", topic)
    closed_url, closed_arn = _queue(cloud, "sns.amazonaws.com", f"{topic}-other")
    for queue in (closed_arn, dead_arn):
        endpoint = cloud.queue()[1]  # its policy lets nobody send
        redrive = json.dumps({"deadLetterTargetArn": queue})
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes={"RedrivePolicy": redrive}
        )
    sns.publish(TopicArn=topic, Message="text")
    assert len(awaited(cloud, lambda: cloud.messages(dead_url))) == 1
    assert cloud.messages(closed_url) == []


def _function(cloud: Cloud, url: str, arn: str) -> tuple[str, str]:
    """Create a function that sends its events to a queue; name and ARN."""
    allowed = {"Action": "sqs:SendMessage", "Resource": arn}
    principal = {"Principal": {"Service": "lambda.amazonaws.com"}}
    source = """
        import boto3, json, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    """
    name = cloud.function(
        source,
        Role=role(cloud, [allowed], trust=principal),
        Environment={"Variables": {"QUEUE": url}},
    )
    return name, f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:{name}"


def _permit(cloud: Cloud, function: str, service: str, source: str) -> None:
    cloud.client("lambda").add_permission(
        FunctionName=function,
        StatementId=cloud.name("s"),
        Action="lambda:InvokeFunction",
        Principal=service,
        SourceArn=source,
    )


def test_functions_are_invoked_by_whom_their_policy_names(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    url, queue = cloud.queue()
    (name, function), (other_name, other) = (_function(cloud, url, queue) for _ in range(2))
    sns, rule, alarm = cloud.client("sns"), cloud.name("rule"), cloud.name("alarm")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    prefix = f"{cloud.region}:{cloud.account}"
    sources = {
        "sns.amazonaws.com": topic,
        "events.amazonaws.com": f"arn:aws:events:{prefix}:rule/{rule}",
        "lambda.alarms.cloudwatch.amazonaws.com": f"arn:aws:cloudwatch:{prefix}:alarm:{alarm}",
    }
    for service, source in sources.items():
        _permit(cloud, name, service, source)
        _permit(cloud, other_name, service, f"{source}-other")
    dead_url, dead = _queue(cloud, "sns.amazonaws.com", topic)
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})}
    for each in (other, function):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=each, Attributes=redrive)
    _rule(cloud, {"Arn": other}, {"Arn": function}, name=rule)
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm, Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[other, function],
    )  # fmt: skip
    sns.publish(TopicArn=topic, Message="text")
    _send(cloud, rule)
    cloud.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
    events: list[dict[str, Any]] = []

    def all_are_there() -> bool:
        events.extend(json.loads(body) for body in cloud.messages(url))
        return len(events) >= len(sources)

    awaited(cloud, all_are_there, bare=5)
    assert len(awaited(cloud, lambda: cloud.messages(dead_url))) == 1
    time.sleep(1)  # enough for a function that should not have been invoked
    found = sorted(
        [
            event["Records"][0]["EventSource"] if "Records" in event else event["source"]
            for event in events + [json.loads(body) for body in cloud.messages(url)]
        ]
    )
    assert found == sorted(["aws:sns", rule, "aws.cloudwatch"])


def test_messages_of_eventbridge_have_no_subject(cloud: Cloud) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    url, arn = cloud.queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    _send(cloud, _rule(cloud, {"Arn": topic}))
    [envelope] = awaited(cloud, lambda: cloud.messages(url))
    assert "Subject" not in json.loads(envelope)
