"""RDS: storage grows by a tenth at least and never shrinks; pending changes; Aurora; states."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.integration.engine.answers import events_of, only, refusal, subscribed
from tests.integration.engine.doors import set_state
from tests.support.cloud import Cloud

COMBINATION = "InvalidParameterCombination"


def _database(cloud: Cloud, **settings: Any) -> str:
    name = cloud.name("db")
    cloud.client("rds").create_db_instance(
        **({
            "DBInstanceIdentifier": name, "Engine": "mysql", "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": 100, "MasterUsername": "admin", "MasterUserPassword": "not-a-secret",
        } | settings)
    )  # fmt: skip
    return name


def _found(cloud: Cloud, name: str) -> dict[str, Any]:
    return dict(cloud.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def test_storage_shrinks_never_and_grows_by_a_tenth_at_least(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name, ApplyImmediately=True)
    for size in (50, 99, 101, 109):
        assert refusal(modify, AllocatedStorage=size).startswith(COMBINATION)
    assert _found(cloud, name)["AllocatedStorage"] == 100
    assert refusal(modify, AllocatedStorage=110) == ""
    assert _found(cloud, name)["AllocatedStorage"] == 110


def test_storage_cannot_grow_again_while_it_is_optimized(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name, ApplyImmediately=True)
    modify(AllocatedStorage=200)
    assert _found(cloud, name)["DBInstanceStatus"] == "storage-optimization"
    assert refusal(modify, AllocatedStorage=300).startswith(COMBINATION)
    assert refusal(modify, BackupRetentionPeriod=3) == ""


def test_a_change_for_the_window_stays_pending_beside_earlier_ones(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name)
    modify(AllocatedStorage=120)
    modify(DBInstanceClass="db.t3.small")
    found = _found(cloud, name)
    assert found["PendingModifiedValues"] == {"AllocatedStorage": 120, "DBInstanceClass": "db.t3.small"}
    assert (found["AllocatedStorage"], found["DBInstanceStatus"]) == (100, "available")
    modify(ApplyImmediately=True)  # applies what is pending, too
    found = _found(cloud, name)
    assert found["PendingModifiedValues"] == {}
    assert (found["AllocatedStorage"], found["DBInstanceClass"]) == (120, "db.t3.small")


def test_the_limit_of_autoscaling_is_kept_and_bounds_the_storage(cloud: Cloud) -> None:
    name = _database(cloud, MaxAllocatedStorage=200)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name, ApplyImmediately=True)
    assert refusal(modify, AllocatedStorage=300).startswith(COMBINATION)
    assert refusal(modify, AllocatedStorage=200) == ""
    assert _found(cloud, name)["MaxAllocatedStorage"] == 200


def test_storage_of_aurora_cannot_be_allocated(cloud: Cloud) -> None:
    cluster = cloud.name("cluster")
    cloud.client("rds").create_db_cluster(
        DBClusterIdentifier=cluster,
        Engine="aurora-mysql",
        MasterUsername="admin",
        MasterUserPassword="not-a-secret",
    )
    name = cloud.name("db")
    cloud.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBClusterIdentifier=cluster,
        Engine="aurora-mysql",
        DBInstanceClass="db.t3.medium",
    )
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name)
    assert refusal(modify, AllocatedStorage=500).startswith(COMBINATION)


def test_a_full_instance_grows_and_a_busy_one_does_not(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(
        cloud.client("rds").modify_db_instance,
        DBInstanceIdentifier=name,
        AllocatedStorage=110,
        ApplyImmediately=True,
    )
    assert set_state(cloud, "rds", name, "backing-up") == ""
    assert refusal(modify).startswith("InvalidDBInstanceState")
    assert set_state(cloud, "rds", name, "storage-full") == ""
    assert _found(cloud, name)["DBInstanceStatus"] == "storage-full"
    assert refusal(modify) == ""


def test_a_full_storage_is_an_event_with_awss_members(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-cloud-watch-events.html"""
    name = _database(cloud)
    events = events_of(cloud, "aws.rds", {"SourceIdentifier": [name]})
    assert set_state(cloud, "rds", name, "storage-full") == ""
    event = only(events())
    arn = _found(cloud, name)["DBInstanceArn"]
    assert (event["detail-type"], event["resources"]) == ("RDS DB Instance Event", [arn])
    assert event["detail"].keys() == {
        "EventCategories", "SourceType", "SourceArn", "Date", "Message", "SourceIdentifier", "EventID",
    }  # fmt: skip
    assert event["detail"]["EventID"] == "RDS-EVENT-0007"


@pytest.mark.ours_only
def test_the_door_names_what_it_does_not_know(cloud: Cloud) -> None:
    name = _database(cloud)
    assert "there is no 'absent'" in set_state(cloud, "rds", "absent", "available")
    assert "storage-full" in set_state(cloud, "rds", name, "sleepy")
    assert "rds" in set_state(cloud, "nothing", name, "available")


MESSAGE = {
    "Event Source", "Event Time", "Identifier Link", "Source ID", "Source ARN", "Event ID", "Event Message",
}  # fmt: skip


def test_a_subscribed_topic_hears_of_a_full_storage(cloud: Cloud) -> None:
    topic, url = subscribed(cloud)
    name, other = _database(cloud), _database(cloud)
    subscribe = partial(
        cloud.client("rds").create_event_subscription, SubscriptionName=cloud.name("hub"),
        SourceType="db-instance", SourceIds=[name], EventCategories=["low storage"],
    )  # fmt: skip
    assert refusal(subscribe, SnsTopicArn=topic + "-absent").startswith("SNSTopicArnNotFound")
    assert refusal(subscribe, SnsTopicArn=topic) == ""
    assert refusal(subscribe, SnsTopicArn=topic).startswith("SubscriptionAlreadyExist")
    for each in (other, name):
        assert set_state(cloud, "rds", each, "storage-full") == ""
    envelope = json.loads(only(cloud.messages(url)))
    message = json.loads(envelope["Message"])
    assert envelope["Subject"] == "RDS Notification Message"
    assert message.keys() == MESSAGE
    assert message["Source ID"] == name
    assert message["Event ID"].endswith("#RDS-EVENT-0007")
