"""ElastiCache: nodes come and go by their ids, each with an endpoint and a notification."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from tests.integration.engine.answers import only, refusal, subscribed
from tests.integration.engine.doors import set_state
from tests.support.cloud import Cloud


def _cluster(cloud: Cloud, nodes: int = 2, **settings: Any) -> str:
    name = cloud.name("cache")[:20]
    cloud.client("elasticache").create_cache_cluster(
        CacheClusterId=name,
        Engine="memcached",
        CacheNodeType="cache.t3.micro",
        NumCacheNodes=nodes,
        **settings,
    )
    return name


def _found(cloud: Cloud, name: str, **wanted: bool) -> dict[str, Any]:
    answer = cloud.client("elasticache").describe_cache_clusters(CacheClusterId=name, **wanted)
    return dict(only(answer["CacheClusters"]))


def _nodes(cloud: Cloud, name: str) -> list[str]:
    return [node["CacheNodeId"] for node in _found(cloud, name, ShowCacheNodeInfo=True)["CacheNodes"]]


def _told(cloud: Cloud, url: str) -> list[dict[str, str]]:
    return [json.loads(json.loads(body)["Message"]) for body in cloud.messages(url)]


def test_nodes_are_shown_on_request_each_with_its_endpoint(cloud: Cloud) -> None:
    name = _cluster(cloud)
    assert not _found(cloud, name).get("CacheNodes")
    nodes = _found(cloud, name, ShowCacheNodeInfo=True)["CacheNodes"]
    assert [node["CacheNodeId"] for node in nodes] == ["0001", "0002"]
    assert len({node["Endpoint"]["Address"] for node in nodes}) == 2


def test_an_added_node_is_a_notification(cloud: Cloud) -> None:
    topic, url = subscribed(cloud)
    name = _cluster(cloud, NotificationTopicArn=topic)
    assert _told(cloud, url) == [{"ElastiCache:CacheClusterProvisioningComplete": name}]
    assert _found(cloud, name)["NotificationConfiguration"] == {"TopicArn": topic, "TopicStatus": "active"}
    modify = partial(
        cloud.client("elasticache").modify_cache_cluster, CacheClusterId=name, ApplyImmediately=True
    )
    modify(NumCacheNodes=4)
    assert _told(cloud, url) == [{"ElastiCache:AddCacheNodeComplete": name}] * 2
    assert _nodes(cloud, name) == ["0001", "0002", "0003", "0004"]
    modify(NumCacheNodes=5, NotificationTopicStatus="inactive")
    assert _told(cloud, url) == []


def test_nodes_are_removed_by_their_ids(cloud: Cloud) -> None:
    """API_ModifyCacheCluster, CacheNodeIdsToRemove: "must match the difference"."""
    topic, url = subscribed(cloud)
    name = _cluster(cloud, 3, NotificationTopicArn=topic)
    _told(cloud, url)
    modify = partial(
        cloud.client("elasticache").modify_cache_cluster, CacheClusterId=name, ApplyImmediately=True
    )
    for removed in ([], ["0001", "0002"], ["0009"]):
        wrong = refusal(modify, NumCacheNodes=2, CacheNodeIdsToRemove=removed)
        assert wrong.startswith("InvalidParameterCombination")
    modify(NumCacheNodes=2, CacheNodeIdsToRemove=["0001"])
    assert _nodes(cloud, name) == ["0002", "0003"]
    assert _told(cloud, url) == [{"ElastiCache:RemoveCacheNodeComplete": name}]
    assert refusal(modify, NumCacheNodes=41).startswith("InvalidParameterValue")


def test_a_change_that_waits_for_the_window_stays_pending(cloud: Cloud) -> None:
    name = _cluster(cloud)
    cloud.client("elasticache").modify_cache_cluster(CacheClusterId=name, NumCacheNodes=3)
    assert _nodes(cloud, name) == ["0001", "0002"]
    assert _found(cloud, name)["PendingModifiedValues"]["NumCacheNodes"] == 3


def test_a_cluster_that_is_not_available_is_left_alone(cloud: Cloud) -> None:
    name = _cluster(cloud)
    assert set_state(cloud, "elasticache", name, "modifying") == ""
    modify = partial(cloud.client("elasticache").modify_cache_cluster, CacheClusterId=name, NumCacheNodes=3)
    assert refusal(modify).startswith("InvalidCacheClusterState")
