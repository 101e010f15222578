"""Amazon ElastiCache: nodes of Memcached clusters that come and go, and notifications of it.

Changes are done at once, or stay pending without ``ApplyImmediately``; each node is a notification:
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ElastiCacheSNS.html. `/_engine/states` (service
``elasticache``, resource the cluster's id) sets a cluster's status.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import elasticache as service

from local.engine.authorization import Check, Request, permissions
from local.engine.new_services import members
from local.engine.patching import pin, replaces
from local.engine.publishing import ELASTICACHE, publish
from local.engine.states import settable

__all__: list[str] = []

type Cluster = dict[str, Any]
type Parameters = dict[str, Any]

_STATUSES = ("available", "creating", "deleting", "modifying", "rebooting cluster nodes", "snapshotting")
_MOST_NODES = (
    40  # "For clusters running Memcached, this value must be between 1 and 40": API_ModifyCacheCluster
)


def _publish(cluster: Cluster, event: str) -> None:
    """Publish an event to the cluster's topic, if it has an active one."""
    topic = cluster.get("NotificationTopicArn")
    if topic and cluster.get("NotificationTopicStatus", "active") == "active":
        message = json.dumps({f"ElastiCache:{event}": cluster["CacheClusterId"]})
        arn = cluster["CacheClusterArn"]
        publish(ELASTICACHE, topic, arn, message, subject="ElastiCache notification")


def _node(cluster: Cluster, identifier: str) -> dict[str, Any]:
    """Return a node with an endpoint of its own, as each has on AWS."""
    port = cluster["_endpoint"]["Port"]
    host = f"{cluster['CacheClusterId']}.{identifier}.cache.localhost"
    return {
        "CacheNodeId": identifier,
        "CacheNodeStatus": "available",
        "CacheNodeCreateTime": time.time(),
        "Endpoint": {"Address": host, "Port": port},
        "ParameterGroupStatus": "in-sync",
        "SourceCacheNodeId": "",
    }


def _keep_topic(cluster: Cluster, parameters: Parameters) -> None:
    for name in ("NotificationTopicArn", "NotificationTopicStatus"):
        if service._p(parameters, name):
            cluster[name] = service._p(parameters, name)


@replaces(service, "_create_cache_cluster", digest="6d451625297b")
def _create_cache_cluster(original: Callable[..., Any], parameters: Parameters) -> Any:
    """Each node has an endpoint of its own; a new cluster is a notification"""
    answer = original(parameters)
    if answer[0] != 200:
        return answer
    cluster = service._clusters[service._p(parameters, "CacheClusterId")]
    if cluster["Engine"] == "memcached":
        cluster["CacheNodes"] = [_node(cluster, node["CacheNodeId"]) for node in cluster["CacheNodes"]]
    _keep_topic(cluster, parameters)
    _publish(cluster, "CacheClusterProvisioningComplete")
    return service._xml_cluster_response("CreateCacheClusterResponse", "CreateCacheClusterResult", cluster)


@replaces(service, "_describe_cache_clusters", digest="8def4ce9b0a9")
def _describe_cache_clusters(original: Callable[..., Any], parameters: Parameters) -> Any:
    """DescribeCacheClusters has the nodes where ShowCacheNodeInfo asks for them"""
    status, headers, body = original(parameters)
    if service._p(parameters, "ShowCacheNodeInfo") != "true":
        body = re.sub(rb"<CacheNodes>.*?</CacheNodes>", b"", body)
    return status, headers, body


@replaces(service, "_cluster_xml_inner", digest="63df4b03f272")
def _cluster_xml_inner(original: Callable[..., Any], cluster: Cluster) -> Any:
    """A cluster's description has its topic and its pending number of nodes"""
    shown = original(cluster)
    if topic := cluster.get("NotificationTopicArn"):
        status = cluster.get("NotificationTopicStatus", "active")
        shown += (
            f"<NotificationConfiguration><TopicArn>{topic}</TopicArn>"
            f"<TopicStatus>{status}</TopicStatus></NotificationConfiguration>"
        )
    if pending := cluster.get("PendingNodes"):
        shown += f"<PendingModifiedValues><NumCacheNodes>{pending}</NumCacheNodes></PendingModifiedValues>"
    return shown


def _nodes_refusal(cluster: Cluster, wanted: int, removed: list[str]) -> tuple[str, str] | None:
    """Return code and message of a refusal of a number of nodes, if there is one."""
    if cluster["Engine"] != "memcached" and wanted != 1:
        return "InvalidParameterValue", "A Redis or Valkey cluster has one node."
    if not 1 <= wanted <= _MOST_NODES:
        return "InvalidParameterValue", f"The number of nodes must be between 1 and {_MOST_NODES}."
    here = {node["CacheNodeId"] for node in cluster["CacheNodes"]}
    if len(removed) != max(len(here) - wanted, 0) or not here.issuperset(removed):
        return "InvalidParameterCombination", (
            "The number of cache node IDs to remove must match the difference between the existing and the "
            "requested number of nodes."
        )
    return None


def _change_nodes(cluster: Cluster, wanted: int, removed: list[str]) -> None:
    """Remove nodes, add others with the next identifiers, and publish each."""
    nodes = [node for node in cluster["CacheNodes"] if node["CacheNodeId"] not in removed]
    last = max((int(node["CacheNodeId"]) for node in cluster["CacheNodes"]), default=0)
    added = [_node(cluster, f"{last + 1 + number:04d}") for number in range(wanted - len(nodes))]
    cluster |= {"CacheNodes": nodes + added, "NumCacheNodes": wanted}
    for event, count in (("RemoveCacheNodeComplete", len(removed)), ("AddCacheNodeComplete", len(added))):
        for _ in range(count):
            _publish(cluster, event)


@replaces(service, "_modify_cache_cluster", digest="e02f3c00c841")
def _modify_cache_cluster(original: Callable[..., Any], parameters: Parameters) -> Any:
    """ModifyCacheCluster: nodes are removed by their ids, pending until applied, each with a notification"""
    cluster = service._clusters.get(service._p(parameters, "CacheClusterId"))
    if cluster is None:
        return original(parameters)
    if cluster["CacheClusterStatus"] != "available":
        return service._error("InvalidCacheClusterState", "The cluster is not in the available state.", 400)
    number = service._p(parameters, "NumCacheNodes")
    given = {name: service._p(parameters, name) for name in parameters}
    removed = members(given, "CacheNodeIdsToRemove.CacheNodeId")
    refusal = _nodes_refusal(cluster, int(number), removed) if number else None
    if refusal:
        return service._error(*refusal, 400)
    _keep_topic(cluster, parameters)
    original({name: value for name, value in parameters.items() if name != "NumCacheNodes"})
    if number:
        if service._p(parameters, "ApplyImmediately") == "true":
            cluster.pop("PendingNodes", None)
            _change_nodes(cluster, int(number), removed)
        else:
            cluster["PendingNodes"] = int(number)
    return service._xml_cluster_response("ModifyCacheClusterResponse", "ModifyCacheClusterResult", cluster)


@permissions("elasticache:ListTagsForResource")
def _listing_tags(request: Request) -> list[Check]:
    return [Check("elasticache:ListTagsForResource", request.parameter("ResourceName") or "*")]


@settable("elasticache")
def _set_state(identifier: str, state: str, _request: Mapping[str, Any]) -> None:
    if state not in _STATUSES:
        raise ValueError(f"the state must be one of {', '.join(_STATUSES)}")
    service._clusters[identifier]["CacheClusterStatus"] = state


pin(service, "_xml_cluster_response", "26078f7d17c3")
