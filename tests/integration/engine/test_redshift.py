"""Redshift: clusters are described, resized and tagged."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.integration.engine.answers import only, refusal, subscribed
from tests.integration.engine.doors import set_state
from tests.integration.engine.roles import as_role
from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only  # the emulator does not have the service


def _cluster(cloud: Cloud, **tags: str) -> str:
    name = cloud.name("warehouse")
    cloud.client("redshift").create_cluster(
        ClusterIdentifier=name, NodeType="ra3.large", MasterUsername="admin", NumberOfNodes=2,
        MasterUserPassword="Not-a-secret-1", Tags=[{"Key": key, "Value": tags[key]} for key in tags],
    )  # fmt: skip
    return name


def _found(cloud: Cloud, name: str) -> dict[str, Any]:
    return dict(only(cloud.client("redshift").describe_clusters(ClusterIdentifier=name)["Clusters"]))


def test_a_cluster_is_described_or_refused(cloud: Cloud) -> None:
    redshift, name = cloud.client("redshift"), _cluster(cloud, hub="yes")
    found = _found(cloud, name)
    assert (found["ClusterStatus"], found["NumberOfNodes"], found["Endpoint"]["Port"]) == (
        "available",
        2,
        5439,
    )
    assert found["Tags"] == [{"Key": "hub", "Value": "yes"}]
    assert refusal(redshift.describe_clusters, ClusterIdentifier="absent").startswith("ClusterNotFound:")
    create = partial(redshift.create_cluster, NodeType="ra3.large", MasterUsername="admin")
    assert refusal(create, ClusterIdentifier=name).startswith("ClusterAlreadyExists:")


def test_a_cluster_that_resizes_is_not_resized_again(cloud: Cloud) -> None:
    redshift, name = cloud.client("redshift"), _cluster(cloud)
    assert redshift.resize_cluster(ClusterIdentifier=name, NumberOfNodes=4)["Cluster"]["NumberOfNodes"] == 2
    assert _found(cloud, name)["ClusterStatus"] == "resizing"
    assert _found(cloud, name)["PendingModifiedValues"]["NumberOfNodes"] == 4
    for call in (redshift.resize_cluster, redshift.modify_cluster):
        assert refusal(call, ClusterIdentifier=name, NumberOfNodes=6).startswith("InvalidClusterState:")
    modify = redshift.modify_cluster
    assert refusal(modify, ClusterIdentifier=name, PreferredMaintenanceWindow="mon:01:00-mon:01:30") == ""
    assert _found(cloud, name)["PreferredMaintenanceWindow"] == "mon:01:00-mon:01:30"


def test_a_cluster_in_maintenance_is_not_resized(cloud: Cloud) -> None:
    redshift, name = cloud.client("redshift"), _cluster(cloud)
    assert set_state(cloud, "redshift", name, "maintenance") == ""
    resize = partial(redshift.resize_cluster, ClusterIdentifier=name, NumberOfNodes=4)
    assert refusal(resize).startswith("InvalidClusterState:")
    assert set_state(cloud, "redshift", name, "available") == ""
    assert refusal(resize) == ""


def test_clusters_are_found_by_their_tags(cloud: Cloud) -> None:
    redshift, value = cloud.client("redshift"), cloud.name("value")
    name = _cluster(cloud, hub=value)
    arn = f"arn:aws:redshift:{cloud.region}:{cloud.account}:cluster:{name}"
    assert only(redshift.describe_clusters(TagValues=[value])["Clusters"])["ClusterIdentifier"] == name
    redshift.create_tags(ResourceName=arn, Tags=[{"Key": "team", "Value": "data"}])
    tagged = redshift.describe_tags(ResourceName=arn)["TaggedResources"]
    assert {each["Tag"]["Key"]: each["Tag"]["Value"] for each in tagged} == {"hub": value, "team": "data"}
    redshift.delete_tags(ResourceName=arn, TagKeys=["hub"])
    assert redshift.describe_clusters(TagValues=[value])["Clusters"] == []
    absent = refusal(redshift.create_tags, ResourceName=arn + "-x", Tags=[{"Key": "a", "Value": "b"}])
    assert absent.startswith("ResourceNotFoundFault")


def test_a_role_resizes_its_cluster_and_no_other(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    mine, other = _cluster(cloud, hub="yes"), _cluster(cloud)
    arn = f"arn:aws:redshift:{cloud.region}:{cloud.account}:cluster"
    statement = {"Action": "redshift:ResizeCluster", "Resource": f"{arn}:{mine}"}
    resize = partial(as_role(cloud, [statement], "redshift").resize_cluster, NumberOfNodes=4)
    assert refusal(resize, ClusterIdentifier=other).startswith("AccessDenied")
    assert refusal(resize, ClusterIdentifier=mine) == ""
    condition = {"StringEquals": {"aws:ResourceTag/hub": "yes"}}
    tagged = {"Action": "redshift:ModifyCluster", "Resource": "*", "Condition": condition}
    modify = partial(
        as_role(cloud, [tagged], "redshift").modify_cluster, PreferredMaintenanceWindow="mon:01:00-mon:01:30"
    )
    assert refusal(modify, ClusterIdentifier=other).startswith("AccessDenied")
    assert refusal(modify, ClusterIdentifier=mine) == ""


MESSAGE = {
    "Event Source", "Resource", "Event Time", "Identifier Link", "Severity", "Category", "About this Event",
    "Event Message",
}  # fmt: skip


def test_a_subscribed_topic_hears_of_maintenance_and_resizes(cloud: Cloud) -> None:
    topic, url = subscribed(cloud)
    redshift, name, other = cloud.client("redshift"), _cluster(cloud), _cluster(cloud)
    answer = redshift.create_event_subscription(
        SubscriptionName=cloud.name("hub"), SnsTopicArn=topic, SourceType="cluster", SourceIds=[name]
    )
    assert answer["EventSubscription"]["SourceIdsList"] == [name]
    for each in (other, name):
        assert set_state(cloud, "redshift", each, "maintenance") == ""
        assert set_state(cloud, "redshift", each, "available") == ""
    redshift.resize_cluster(ClusterIdentifier=name, NumberOfNodes=4)
    assert set_state(cloud, "redshift", name, "available") == ""
    assert _found(cloud, name)["NumberOfNodes"] == 4
    envelopes = [json.loads(body) for body in cloud.messages(url)]
    messages = [json.loads(envelope["Message"]) for envelope in envelopes]
    assert all(message.keys() == MESSAGE and message["Resource"] == name for message in messages)
    events = [message["About this Event"].rpartition("-")[2].strip() for message in messages]
    assert events == ["2003", "2004", "2006", "3002"]
    assert envelopes[0]["Subject"] == "[Amazon Redshift INFO] - Maintenance Started"
