"""DMS: replication tasks start, stop, fail and resume only where their state allows it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.integration.engine.answers import events_of, only, refusal, subscribed
from tests.integration.engine.doors import set_state
from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import as_role
from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only  # the emulator does not have the service


def _task(cloud: Cloud, **settings: Any) -> tuple[str, str]:
    """Create a task; return its identifier and its ARN."""
    name, arn = cloud.name("task"), f"arn:aws:dms:{cloud.region}:{cloud.account}"
    answer = cloud.client("dms").create_replication_task(
        **({
            "ReplicationTaskIdentifier": name, "SourceEndpointArn": f"{arn}:endpoint:SOURCE{name.upper()}",
            "TargetEndpointArn": f"{arn}:endpoint:TARGET", "ReplicationInstanceArn": f"{arn}:rep:ONE",
            "MigrationType": "full-load-and-cdc", "TableMappings": "{}",
        } | settings)
    )  # fmt: skip
    return name, str(answer["ReplicationTask"]["ReplicationTaskArn"])


def _found(cloud: Cloud, name: str, value: str) -> list[dict[str, Any]]:
    answer = cloud.client("dms").describe_replication_tasks(Filters=[{"Name": name, "Values": [value]}])
    return list(answer["ReplicationTasks"])


def _status(cloud: Cloud, arn: str) -> str:
    return str(only(_found(cloud, "replication-task-arn", arn))["Status"])


def test_a_task_starts_once_and_resumes_after_a_failure(cloud: Cloud) -> None:
    """API_StartReplicationTask: "start-replication is the only valid action [...] for the first time"."""
    dms = cloud.client("dms")
    name, arn = _task(cloud)
    start = partial(dms.start_replication_task, ReplicationTaskArn=arn)
    for kind in ("resume-processing", "reload-target"):
        assert refusal(start, StartReplicationTaskType=kind).startswith("InvalidResourceStateFault")
    assert refusal(start, StartReplicationTaskType="start-replication") == ""
    assert refusal(start, StartReplicationTaskType="resume-processing").startswith(
        "InvalidResourceStateFault"
    )
    awaited(cloud, lambda: _status(cloud, arn) == "running")
    assert "absent" in set_state(cloud, "dms", "absent", "failed")
    assert set_state(cloud, "dms", arn, "failed", message="Last Error") == ""
    assert only(_found(cloud, "replication-task-id", name))["LastFailureMessage"] == "Last Error"
    again = refusal(start, StartReplicationTaskType="start-replication")
    assert again.startswith("InvalidParameterCombinationException")
    assert refusal(start, StartReplicationTaskType="resume-processing") == ""
    assert "LastFailureMessage" not in only(_found(cloud, "replication-task-id", name))


def test_a_task_that_does_not_run_cannot_be_stopped(cloud: Cloud) -> None:
    dms = cloud.client("dms")
    _, arn = _task(cloud)
    stop = partial(dms.stop_replication_task, ReplicationTaskArn=arn)
    assert refusal(stop).startswith("InvalidResourceStateFault")
    dms.start_replication_task(ReplicationTaskArn=arn, StartReplicationTaskType="start-replication")
    assert refusal(stop) == ""
    assert _status(cloud, arn) == "stopped"
    assert refusal(stop).startswith("InvalidResourceStateFault")
    reload = partial(dms.start_replication_task, StartReplicationTaskType="reload-target")
    assert refusal(reload, ReplicationTaskArn=arn) == ""
    assert refusal(reload, ReplicationTaskArn=arn + "X").startswith("ResourceNotFoundFault")


def test_a_failure_is_an_event_with_awss_members(cloud: Cloud) -> None:
    name, arn = _task(cloud)
    events = events_of(cloud, "aws.dms", {"type": ["REPLICATION_TASK"]})
    reason = "Replication task has failed.\nReason: Last Error Failed to convert from character set."
    assert set_state(cloud, "dms", name, "failed", message=reason) == ""
    event = only([each for each in events() if each["resources"] == [arn]])
    assert event["detail-type"] == "DMS Replication Task State Change"
    assert event["detail"].pop("resourceLink").endswith(f"#taskDetails/{name}")
    assert event["detail"] == {
        "eventId": "DMS-EVENT-0078", "eventType": "REPLICATION_TASK_FAILED", "category": "Failure",
        "type": "REPLICATION_TASK", "detailMessage": reason,
    }  # fmt: skip


def test_filters_find_tasks_and_refuse_when_there_are_none(cloud: Cloud) -> None:
    name, arn = _task(cloud, MigrationType="cdc")
    source = f"arn:aws:dms:{cloud.region}:{cloud.account}:endpoint:SOURCE{name.upper()}"
    for key, value in (
        ("replication-task-id", name),
        ("replication-task-arn", arn),
        ("endpoint-arn", source),
    ):
        assert only(_found(cloud, key, value))["ReplicationTaskArn"] == arn
    assert arn in [each["ReplicationTaskArn"] for each in _found(cloud, "migration-type", "cdc")]
    missing = refusal(partial(_found, cloud, "replication-task-id", "absent"))
    assert missing == "ResourceNotFoundFault: No Tasks found matching filter"
    twice = refusal(partial(_task, cloud, ReplicationTaskIdentifier=name))
    assert twice.startswith("ResourceAlreadyExistsFault")


def test_tags_are_added_and_listed(cloud: Cloud) -> None:
    dms = cloud.client("dms")
    _, arn = _task(cloud, Tags=[{"Key": "hub", "Value": "yes"}])
    dms.add_tags_to_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "data"}])
    listed = dms.list_tags_for_resource(ResourceArn=arn)["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in listed} == {"hub": "yes", "team": "data"}


def test_a_role_starts_the_tasks_with_its_tag_alone(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    condition = {"StringEquals": {"aws:ResourceTag/hub": "yes"}}
    statement = {"Action": "dms:StartReplicationTask", "Resource": "*", "Condition": condition}
    role = as_role(cloud, [statement], "dms")
    start = partial(role.start_replication_task, StartReplicationTaskType="start-replication")
    _, mine = _task(cloud, Tags=[{"Key": "hub", "Value": "yes"}])
    _, other = _task(cloud)
    assert refusal(start, ReplicationTaskArn=other).startswith("AccessDenied")
    assert refusal(start, ReplicationTaskArn=mine) == ""


MESSAGE = {
    "Event Source", "Event Time", "Identifier Link", "SourceId", "Event ID", "Event Message",
    "Notification time",
}  # fmt: skip


def test_a_subscribed_topic_hears_of_failures_alone(cloud: Cloud) -> None:
    topic, url = subscribed(cloud)
    name, _ = _task(cloud)
    subscribe = partial(
        cloud.client("dms").create_event_subscription, SubscriptionName=cloud.name("hub"),
        SourceType="replication-task", SourceIds=[name], EventCategories=["failure"],
    )  # fmt: skip
    assert refusal(subscribe, SnsTopicArn=topic + "-absent").startswith("SNSInvalidTopicFault")
    assert refusal(subscribe, SnsTopicArn=topic) == ""
    for state in ("stopped", "failed"):
        assert set_state(cloud, "dms", name, state, message="Last Error") == ""
    envelope = json.loads(only(cloud.messages(url)))
    message = json.loads(envelope["Message"])
    assert envelope["Subject"] == "DMS Notification Message"
    assert message.keys() == MESSAGE
    assert message["SourceId"] == name
    assert message["Event ID"].endswith("#DMS-EVENT-0078 ")
