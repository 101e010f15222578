"""The nodes of a cache cluster changed: push the list of all to the subscribed HTTP endpoints.

SNS is the fan-out: it signs, retries and has dead letters
(https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..facts import CacheEvent, Fact
from ..hub import Action, Hub, tags_of
from ..settings import Config

__all__ = ["PublishNodes", "plan"]

CHANGED = {
    "AddCacheNodeComplete",
    "RemoveCacheNodeComplete",
    "CacheNodeReplaceComplete",
    "CacheClusterProvisioningComplete",
    "CacheClusterScalingComplete",
}
PUSHES_AN_HOUR = 120


@dataclass(frozen=True)
class PublishNodes(Action):
    """Publish the whole node list of a cluster, with a version: a higher one is newer."""

    REACTION: ClassVar[str] = "nodes"
    cluster: str
    identity: str

    @property
    def key(self) -> str:
        """The event."""
        return f"nodes#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Look, number and publish, one at a time: else an older list could have the higher number."""
        elasticache = hub.client("elasticache")
        arn = hub.config.arn("elasticache", f"cluster:{self.cluster}")
        tags = elasticache.list_tags_for_resource(ResourceName=arn)["TagList"]
        hub.permit(f"push nodes of {self.cluster}", tags=tags_of(tags))
        hub.limit(self.cluster, most=PUSHES_AN_HOUR, seconds=3600)
        with hub.exclusive(f"nodes#{self.cluster}"):
            found = elasticache.describe_cache_clusters(CacheClusterId=self.cluster, ShowCacheNodeInfo=True)
            version = hub.ledger.next_version(f"nodes#{self.cluster}")
            nodes = _nodes(found["CacheClusters"][0])
            hub.publish({"kind": "cache-nodes", "cluster": self.cluster, "version": version, "nodes": nodes})
        return {"version": version, "nodes": len(nodes)}


def _nodes(cluster: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Nodes that have an address, by their ids; one that is being made has none yet."""
    nodes = [
        {
            "id": node["CacheNodeId"],
            "address": node["Endpoint"]["Address"],
            "port": node["Endpoint"]["Port"],
            "status": node["CacheNodeStatus"],
        }
        for node in cluster.get("CacheNodes", [])
        if node.get("Endpoint")
    ]
    return sorted(nodes, key=lambda node: str(node["id"]))


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """A list whenever it has changed; none for what failed."""
    if not isinstance(fact, CacheEvent) or fact.event not in CHANGED:
        return ()
    return (PublishNodes(fact.cluster, fact.identity),)
