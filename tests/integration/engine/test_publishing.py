"""Services publish where the topic's policy lets them; ElastiCache by the owner's key alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.engine.answers import subscribed
from tests.integration.engine.doors import set_state
from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only  # the emulator publishes nothing of theirs

OWNER = {"StringEquals": {"aws:SourceOwner": "000000000000"}}
ACCOUNT = {"StringEquals": {"aws:SourceAccount": "000000000000"}}


def _topic(cloud: Cloud, principal: dict[str, str], condition: dict[str, Any]) -> tuple[str, str]:
    """Make a topic that a principal may publish to, with a queue that it may send to; ARN and URL."""
    topic, url = subscribed(cloud)
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{url.rpartition('/')[2]}"
    to_queue = {"Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(to_queue)})
    statement = {"Principal": principal, "Action": "sns:Publish", "Resource": topic, "Condition": condition}
    cloud.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=_policy(statement)
    )
    return topic, url


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})


@pytest.mark.parametrize(("condition", "messages"), [(OWNER, 1), (ACCOUNT, 0)], ids=["owner", "account"])
def test_elasticache_publishes_by_the_owners_key_alone(
    cloud_with_iam: Cloud, condition: dict[str, Any], messages: int
) -> None:
    """https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ElastiCacheSNS.html"""
    cloud = cloud_with_iam
    topic, url = _topic(cloud, {"AWS": "*"}, condition)
    cloud.client("elasticache").create_cache_cluster(
        CacheClusterId=cloud.name("cache")[:20], Engine="memcached", CacheNodeType="cache.t3.micro",
        NumCacheNodes=1, NotificationTopicArn=topic,
    )  # fmt: skip
    assert len(cloud.messages(url)) == messages


@pytest.mark.parametrize(
    ("principal", "messages"), [("events.rds.amazonaws.com", 1), ("s3.amazonaws.com", 0)]
)
def test_rds_publishes_as_its_service_principal(cloud_with_iam: Cloud, principal: str, messages: int) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html"""
    cloud, name = cloud_with_iam, cloud_with_iam.name("db")
    arn = f"arn:aws:rds:{cloud.region}:{cloud.account}:db:{name}"
    topic, url = _topic(cloud, {"Service": principal}, {"ArnEquals": {"aws:SourceArn": arn}})
    rds = cloud.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=name, Engine="mysql", DBInstanceClass="db.t3.micro", AllocatedStorage=100,
        MasterUsername="admin", MasterUserPassword="not-a-secret",
    )  # fmt: skip
    rds.create_event_subscription(
        SubscriptionName=cloud.name("hub"), SnsTopicArn=topic, SourceType="db-instance", SourceIds=[name]
    )
    assert set_state(cloud, "rds", name, "storage-full") == ""
    assert len(cloud.messages(url)) == messages
