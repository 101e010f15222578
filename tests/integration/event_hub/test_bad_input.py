"""Every kind of bad input, and its documented outcome, on the deployed suite."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from datagen.hostile_documents import REFUSED
from event_hub.documents import libreoffice
from local.clients.hub import Owner
from local.clients.recorded import settle
from local.suite import Suite
from tests.support.waiting import wait_until

LIFECYCLE = {
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "AutoScalingGroupName": "shop",
    "LifecycleHookName": "hub",
    "EC2InstanceId": "i-0a1b2c3d4e5f60718",
    "LifecycleActionToken": "5d3c8e0a-9f64-4f0d-b1c2-7e6a5d4c3b2a",
    "Time": "2026-11-20T09:15:41.018Z",
}
ALARM = {
    "AlarmName": "slow",
    "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:slow",
    "NewStateValue": "ALARM",
    "StateChangeTime": "2026-11-20T09:15:41.902+0000",
}
STORAGE = {
    "Event Source": "db-instance",
    "Event Time": "2026-11-20 09:15:38.004",
    "Source ID": "missing",
    "Event ID": "http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html#RDS-EVENT-0089",
    "Event Message": "The free storage capacity is low.",
}


def without(message: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != name}


MALFORMED: dict[str, Any] = {
    "text of nobody": "Dear all",
    "object of nobody": {"hello": "world"},
    "number": "7",
    "list": "[1]",
    "half an object": '{"AlarmName": ',
    "wait without a token": without(LIFECYCLE, "LifecycleActionToken"),
    "wait of no instance": LIFECYCLE | {"EC2InstanceId": "i-1; reboot"},
    "wait that is neither launch nor end": LIFECYCLE | {"LifecycleTransition": "autoscaling:OTHER"},
    "wait with a time that is none": LIFECYCLE | {"Time": "yesterday"},
    "alarm without an ARN": without(ALARM, "AlarmArn"),
    "alarm in a state that is none": ALARM | {"NewStateValue": "RED"},
    "database without a name": without(STORAGE, "Source ID"),
    "database with a name that is none": STORAGE | {"Source ID": "../other"},
    "cache cluster with a name that is none": {"ElastiCache:AddCacheNodeComplete": "a b"},
    "cache cluster that is a list": {"ElastiCache:AddCacheNodeComplete": ["a"]},
}


def set_aside(owner: Owner, body: str) -> str | None:
    """The reason with which a message was set aside; none if it was not."""
    return owner.dead_letters().get(body)


def delivered(owner: Owner, message: Any, topic: str = "") -> str:
    """Deliver a message as SNS does; the notification."""
    body = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": topic or owner.suite["HubTopicArn"],
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-20T09:15:42.317Z",
    }
    return queued(owner, json.dumps(body))


def queued(owner: Owner, body: str) -> str:
    sqs, url = owner.suite.client("sqs"), owner.suite["HubEventsQueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    return body


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_message_is_set_aside_with_its_reason(owner: Owner, name: str) -> None:
    body = delivered(owner, MALFORMED[name])
    assert wait_until(lambda: set_aside(owner, body), seconds=20, what=f"a dead letter about {name}")


@pytest.mark.parametrize(
    "body",
    [
        '{"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:000000000000:x", "Message": 7}',
        '{"Records": [{"Sns": null}]}',
        '{"source": "aws.rds", "detail-type": "RDS DB Instance Event", "detail": "text"}',
        '{"source": 7, "detail-type": "RDS DB Instance Event", "detail": {}}',
    ],
    ids=["message that is a number", "no notification", "detail that is a text", "source that is a number"],
)
def test_broken_envelope_is_set_aside_with_its_reason(owner: Owner, body: str) -> None:
    marked = body[:-1] + f', "marked": "{owner.prefix}"}}'
    queued(owner, marked)
    assert wait_until(lambda: set_aside(owner, marked), seconds=20, what="a dead letter")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (STORAGE, "GrowStorage: DescribeDBInstances: DBInstanceNotFound"),
        ({"ElastiCache:AddCacheNodeComplete": "missing"}, "PublishNodes: ListTagsForResource"),
    ],
    ids=["database", "cache cluster"],
)
def test_resource_that_is_missing_is_set_aside_by_name(owner: Owner, message: Any, reason: str) -> None:
    body = delivered(owner, message)
    found = wait_until(lambda: set_aside(owner, body), seconds=20, what="a dead letter")
    assert found is not None
    assert found.startswith(reason)


@pytest.mark.parametrize(
    "arn",
    ["arn:aws:sns:us-east-1:999999999999:hub", "arn:aws:sns:eu-west-1:000000000000:hub"],
    ids=["account", "region"],
)
def test_message_about_another_place_is_set_aside(owner: Owner, arn: str) -> None:
    body = delivered(owner, STORAGE, topic=arn)
    found = wait_until(lambda: set_aside(owner, body), seconds=20, what="a dead letter")
    assert found == "DatabaseEvent of another account or region"


def test_resource_without_the_tag_is_left_alone(stranger: Owner, suite: Suite) -> None:
    database = stranger.database(200)
    stranger.storage_is_low(database)
    settle(suite)
    assert stranger.storage(database) == (200, None)
    assert not any(database in body for body in stranger.dead_letters())


def test_known_message_without_a_reaction_changes_nothing(owner: Owner, suite: Suite) -> None:
    database = owner.database(200)
    owner.storage_is_low(database, "RDS-EVENT-0002")  # a backup has ended
    settle(suite)
    assert owner.storage(database) == (200, None)
    assert not any(database in body for body in owner.dead_letters())


def test_message_out_of_order_leaves_the_newer_state(owner: Owner, suite: Suite) -> None:
    check = str(uuid.uuid4())
    alarm = owner.alarm("AWS/Route53", "HealthCheckStatus", HealthCheckId=check)
    trigger = {
        "Namespace": "AWS/Route53",
        "MetricName": "HealthCheckStatus",
        "Dimensions": [{"name": "HealthCheckId", "value": check}],
    }
    for state, minute in (("OK", 21), ("ALARM", 15)):
        change = {
            "AlarmName": alarm,
            "AlarmArn": f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{alarm}",
            "NewStateValue": state,
            "StateChangeTime": f"2026-11-20T09:{minute}:41.902+0000",
            "Trigger": trigger,
        }
        delivered(owner, change)
        settle(suite)
    assert owner.statuses()[alarm]["state"] == "up"


@pytest.mark.skipif(
    libreoffice.program() is None, reason="no LibreOffice: 'apt install libreoffice-writer-nogui' gets it"
)
@pytest.mark.parametrize("name", REFUSED)
def test_hostile_document_is_refused_by_name(owner: Owner, suite: Suite, name: str) -> None:
    make, reason = REFUSED[name]
    key = f"{owner.prefix}/a.docx"
    before = owner.refused_documents()
    suite.client("s3").put_object(Bucket=suite["HubInboxBucketName"], Key=key, Body=make())

    def refused() -> list[str]:
        return [why for body, why in owner.refused_documents().items() if body not in before]

    assert wait_until(refused, seconds=30, what=f"the refusal of {name}") == [reason]
    assert owner.fetched(f"pdf/{key}.pdf") is None
