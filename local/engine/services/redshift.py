"""Amazon Redshift: descriptions of clusters, which resize; there is no data plane.

`/_engine/states` (service ``redshift``, resource the cluster's identifier) sets a cluster's status.
Maintenance, resizes and their ends are events, for the topics of event subscriptions.
https://docs.aws.amazon.com/redshift/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from local.engine.authorization import Check, Request, permissions, tags
from local.engine.delivery import iso_time
from local.engine.event_subscriptions import Event, Subscriptions, event_time
from local.engine.new_services import Refusal, members, query_protocol, serve, tag_list
from local.engine.publishing import REDSHIFT
from local.engine.states import settable
from local.engine.timing import later

__all__: list[str] = []

type Cluster = dict[str, Any]
type Parameters = dict[str, Any]

_NAMESPACE = "http://redshift.amazonaws.com/doc/2012-12-01/"
# An elastic resize takes from 10 to 15 minutes:
# https://docs.aws.amazon.com/redshift/latest/mgmt/resizing-cluster.html
_RESIZED_AFTER = 600
# https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-clusters.html#rs-mgmt-cluster-status
_STATUSES = (
    "available", "maintenance", "modifying", "paused", "pausing", "rebooting", "resizing", "resuming",
    "storage-full", "updating-hsm",
)  # fmt: skip
_AT_ONCE = ("PreferredMaintenanceWindow", "AutomatedSnapshotRetentionPeriod", "MaintenanceTrackName")

_subscriptions = Subscriptions(REDSHIFT, "SubscriptionAlreadyExist", ("SNSTopicArnNotFound", 404))
_clusters: Any = AccountRegionScopedDict()  # identifier: cluster, with its tags as a mapping


def _cluster(identifier: str) -> Cluster:
    cluster: Cluster | None = _clusters.get(identifier)
    if cluster is None:
        raise Refusal("ClusterNotFound", f"Cluster {identifier} not found.", 404)
    return cluster


def _arn(identifier: str) -> str:
    return f"arn:aws:redshift:{get_region()}:{get_account_id()}:cluster:{identifier}"


def _shown(cluster: Cluster) -> Cluster:
    return cluster | {"Tags": tag_list(cluster["Tags"])}


def _given_tags(parameters: Parameters) -> dict[str, str]:
    tags_given: dict[str, str] = {}
    number = 1
    while (key := parameters.get(f"Tags.Tag.{number}.Key")) is not None:
        tags_given[key] = parameters.get(f"Tags.Tag.{number}.Value", "")
        number += 1
    return tags_given


def _create(parameters: Parameters) -> dict[str, Any]:
    identifier = parameters["ClusterIdentifier"]
    if identifier in _clusters:
        raise Refusal("ClusterAlreadyExists", "Cluster already exists")
    host = f"{identifier}.engine.{get_region()}.redshift.amazonaws.com"
    _clusters[identifier] = {
        "ClusterIdentifier": identifier,
        "NodeType": parameters["NodeType"],
        "ClusterStatus": "available",
        "ClusterAvailabilityStatus": "Available",
        "MasterUsername": parameters["MasterUsername"],
        "DBName": parameters.get("DBName", "dev"),
        "Endpoint": {"Address": host, "Port": int(parameters.get("Port", 5439))},
        "ClusterCreateTime": iso_time(),
        "PreferredMaintenanceWindow": parameters.get("PreferredMaintenanceWindow", "sun:05:00-sun:05:30"),
        "NumberOfNodes": int(parameters.get("NumberOfNodes", 1)),
        "PendingModifiedValues": {},
        "Tags": _given_tags(parameters),
    }
    return {"Cluster": _shown(_clusters[identifier])}


def _describe(parameters: Parameters) -> dict[str, Any]:
    if parameters.get("ClusterIdentifier"):
        found = [_cluster(parameters["ClusterIdentifier"])]
    else:
        found = list(_clusters.values())
    keys, values = set(members(parameters, "TagKeys.TagKey")), set(members(parameters, "TagValues.TagValue"))
    if keys or values:
        found = [each for each in found if _has_tag(each["Tags"], keys, values)]
    return {"Clusters": [_shown(each) for each in found]}


def _has_tag(given: Mapping[str, str], keys: set[str], values: set[str]) -> bool:
    """Tell whether a tag has one of the keys and one of the values."""
    return any((not keys or key in keys) and (not values or value in values) for key, value in given.items())


def _resize(parameters: Parameters) -> dict[str, Any]:
    """Have a cluster of another size after a while, in which it is resizing."""
    cluster = _cluster(parameters["ClusterIdentifier"])
    if cluster["ClusterStatus"] != "available":
        message = f"There is an operation running on the Cluster: it is {cluster['ClusterStatus']}."
        raise Refusal("InvalidClusterState", message)
    wanted: dict[str, Any] = {"NodeType": parameters.get("NodeType", cluster["NodeType"])}
    wanted["NumberOfNodes"] = int(parameters.get("NumberOfNodes") or cluster["NumberOfNodes"])
    cluster |= {"ClusterStatus": "resizing", "PendingModifiedValues": wanted}

    _tell(cluster, 2006, "Resize Started", "resize started at {}. Cluster is in read-only mode.")
    later(_RESIZED_AFTER, lambda: _end_resize(cluster))
    return {"Cluster": _shown(cluster)}


def _end_resize(cluster: Cluster) -> None:
    if cluster["ClusterStatus"] != "resizing":
        return
    cluster |= cluster["PendingModifiedValues"]
    cluster |= {"ClusterStatus": "available", "PendingModifiedValues": {}}
    words = "resize completed at {}. Cluster is available for both reads and writes."
    _tell(cluster, 3002, "Resize Completed", words, category="Monitoring")


def _modify(parameters: Parameters) -> dict[str, Any]:
    cluster = _cluster(parameters["ClusterIdentifier"])
    cluster |= {name: parameters[name] for name in _AT_ONCE if name in parameters}
    if "NodeType" in parameters or "NumberOfNodes" in parameters:
        return _resize(parameters)
    return {"Cluster": _shown(cluster)}


def _tell(cluster: Cluster, event: int, subject: str, words: str, *, category: str = "Management") -> None:
    """Publish an event of https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-event-notifications.html.

    Args:
        cluster: Whose.
        event: Number of the event.
        subject: Of the message, after severity.
        words: What happened, with the time's place.
        category: Of the event.
    """
    name, now = cluster["ClusterIdentifier"], event_time()
    guide = "http://docs.aws.amazon.com/redshift/latest/mgmt/working-with-event-notifications.html"
    console = "https://console.aws.amazon.com/redshift/home"
    message = {
        "Event Source": "cluster", "Resource": name, "Event Time": now,
        "Identifier Link": f"{console}?region={get_region()}#cluster-details:cluster={name} ",
        "Severity": "INFO", "Category": [category],
        "About this Event": f"{guide}#REDSHIFT-EVENT-{event} ",
        "Event Message": f"Cluster '{name}' {words.format(now[:16] + ' UTC')}",
    }  # fmt: skip
    head = f"[Amazon Redshift INFO] - {subject}"
    _subscriptions.publish(Event("cluster", name, _arn(name), category.lower(), head, message))


def _subscribe(parameters: Parameters) -> dict[str, Any]:
    row = _subscriptions.create(
        parameters["SubscriptionName"], parameters["SnsTopicArn"], parameters.get("SourceType", ""),
        members(parameters, "SourceIds.SourceId"), members(parameters, "EventCategories.EventCategory"),
    )  # fmt: skip
    return {"EventSubscription": row}


def _of_arn(arn: str) -> Cluster:
    cluster = _clusters.get(arn.rpartition(":")[2])
    if cluster is None or ":cluster:" not in arn:
        raise Refusal("ResourceNotFoundFault", f"The resource {arn} cannot be found.", 404)
    found: Cluster = cluster
    return found


def _create_tags(parameters: Parameters) -> dict[str, Any]:
    _of_arn(parameters["ResourceName"])["Tags"] |= _given_tags(parameters)
    return {}


def _delete_tags(parameters: Parameters) -> dict[str, Any]:
    for key in members(parameters, "TagKeys.TagKey"):
        _of_arn(parameters["ResourceName"])["Tags"].pop(key, None)
    return {}


def _describe_tags(parameters: Parameters) -> dict[str, Any]:
    arn = parameters.get("ResourceName")
    found = [_of_arn(arn)] if arn else list(_clusters.values())
    return {
        "TaggedResources": [
            {"Tag": tag, "ResourceName": _arn(each["ClusterIdentifier"]), "ResourceType": "cluster"}
            for each in found
            for tag in tag_list(each["Tags"])
        ]
    }


@settable("redshift")
def _set_state(identifier: str, state: str, _request: Mapping[str, Any]) -> None:
    if state not in _STATUSES:
        raise ValueError(f"the state must be one of {', '.join(_STATUSES)}")
    cluster = _clusters[identifier]
    if state == "available":
        _end_resize(cluster)
    before, cluster["ClusterStatus"] = cluster["ClusterStatus"], state
    if state == "maintenance":
        _tell(cluster, 2003, "Maintenance Started", "maintenance started at {}.")
    elif before == "maintenance" and state == "available":
        _tell(cluster, 2004, "Maintenance Completed", "maintenance completed at {}.")


def _check(action: str) -> Callable[[Request], list[Check]]:
    def checks(request: Request) -> list[Check]:
        name = request.parameter("ResourceName")
        resource = name or f"cluster:{request.parameter('ClusterIdentifier') or '*'}"
        return [Check(action, request.arn("redshift", resource))]

    return checks


_OPERATIONS = {
    "CreateCluster": _create,
    "DescribeClusters": _describe,
    "ModifyCluster": _modify,
    "ResizeCluster": _resize,
    "CreateTags": _create_tags,
    "DeleteTags": _delete_tags,
    "DescribeTags": _describe_tags,
    "CreateEventSubscription": _subscribe,
}
# Subscriptions are made for `*` here, and DescribeClusters is about its cluster, or about all.
for _action in _OPERATIONS.keys() - {"DescribeClusters", "CreateEventSubscription"}:
    permissions(f"redshift:{_action}")(_check(f"redshift:{_action}"))


@tags("redshift")
def _tags(arn: str) -> Mapping[str, str]:
    found: Mapping[str, str] = (_clusters.get(arn.rpartition(":")[2]) or {"Tags": {}})["Tags"]
    return found


serve(
    "redshift",
    query_protocol(
        _OPERATIONS,
        _NAMESPACE,
        {
            "Clusters": "Cluster",
            "Tags": "Tag",
            "TaggedResources": "TaggedResource",
            "SourceIdsList": "SourceId",
            "EventCategoriesList": "EventCategory",
        },
    ),
    "Clusters with tags, which are resizing for a while, and their events",
    namespace=_NAMESPACE,
)


@permissions("redshift:DescribeClusters")
def _reads_a_cluster(request: Request) -> list[Check]:
    cluster = request.parameter("ClusterIdentifier") or "*"
    return [Check("redshift:DescribeClusters", request.arn("redshift", f"cluster:{cluster}"))]
