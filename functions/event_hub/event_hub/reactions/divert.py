"""A warehouse of Redshift takes no writes: hold the clickstream back, and replay it afterwards.

Firehose has no pause. What feeds its delivery stream is a function with a queue, so the queue holds the
records as long as the function's event source mapping is disabled, up to 14 days, and enabling it replays
them. A mapping that somebody else has disabled stays so. Maintenance and resizing may overlap: the producer
is diverted as long as any reason is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from ..facts import Fact, WarehouseEvent
from ..hub import Action, Hub, PostponedError, code_of, tags_of
from ..settings import Config

__all__ = ["ReportResize", "SetReason", "plan"]

# https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-event-notifications.html
REASONS = {
    "2003": ("maintenance", True),
    "2004": ("maintenance", False),
    "2006": ("resize", True),
    "3002": ("resize", False),
}
RESIZE_FAILED = "3500"
CHANGES_AN_HOUR = 20


@dataclass(frozen=True)
class SetReason(Action):
    """Open or close a reason to divert, and have the producer's mappings follow.

    Attributes:
        cluster: The cluster.
        reason: Why.
        opened: Whether it begins.
        happened: When, ISO 8601 in UTC to the microsecond: what comes late closes or opens nothing newer.
        identity: Of the event.
    """

    REACTION: ClassVar[str] = "divert"
    cluster: str
    reason: str
    opened: bool
    happened: str
    identity: str

    @property
    def key(self) -> str:
        """The event."""
        return f"divert#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Keep the reason, and disable or enable the mappings."""
        name = f"{self.cluster}#{self.reason}"
        if self.opened or name not in hub.ledger.open_reasons():
            _permit(hub, f"divert for {self.cluster}", self.cluster)
            hub.limit(self.cluster, most=CHANGES_AN_HOUR, seconds=3600)
        else:  # what the hub has opened it closes, whatever became of the cluster's tags
            hub.permit(f"end of {name}", among=[name])
        with hub.exclusive("divert"):
            hub.ledger.set_reason(name, self.opened, self.happened)
            reasons = hub.ledger.open_reasons()
            try:
                _follow(hub, held=bool(reasons))
            except ClientError as error:
                if code_of(error) != "ResourceInUseException":
                    raise
                raise PostponedError("the mapping is being changed", 5) from None
        return {"reasons": reasons}


@dataclass(frozen=True)
class ReportResize(Action):
    """Tell the operators of a resize that failed: Redshift retries it, and nothing is closed."""

    REACTION: ClassVar[str] = "divert"
    cluster: str
    identity: str

    @property
    def key(self) -> str:
        """The event."""
        return f"resize#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Tell them."""
        _permit(hub, f"report {self.cluster}", self.cluster)
        text = f"The resize of {self.cluster} failed; Redshift retries it. The clickstream stays diverted."
        hub.notify(self.key, f"Resize of {self.cluster} failed", text)
        return {}


def _permit(hub: Hub, what: str, cluster: str) -> None:
    """Go on only if a cluster's tag allows it."""
    found = hub.client("redshift").describe_clusters(ClusterIdentifier=cluster)["Clusters"][0]
    hub.permit(what, tags=tags_of(found.get("Tags")))


def _follow(hub: Hub, *, held: bool) -> None:
    """Disable the producer's mappings, or enable those that the hub has disabled, and no other."""
    lambda_ = hub.client("lambda")
    pages = lambda_.get_paginator("list_event_source_mappings")
    for page in pages.paginate(FunctionName=hub.config.producer_function):
        for mapping in page["EventSourceMappings"]:
            uuid, state = mapping["UUID"], mapping["State"]
            ours = hub.ledger.recall(f"held#{uuid}").get("held", False)
            if state in ("Creating", "Updating") and (held or ours):
                raise PostponedError("a mapping is being changed", 5)
            if held and state in ("Enabled", "Enabling"):
                hub.ledger.remember(f"held#{uuid}", {"held": True})
                lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
            elif not held and ours:
                if state not in ("Enabled", "Enabling"):
                    lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
                hub.ledger.remember(f"held#{uuid}", {"held": False})


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """Begin and end of maintenance and resizing; a resize that failed is retried, so nothing is closed."""
    if not isinstance(fact, WarehouseEvent):
        return ()
    if fact.event == RESIZE_FAILED:
        return (ReportResize(fact.cluster, fact.identity),)
    if fact.event not in REASONS:
        return ()
    reason, opened = REASONS[fact.event]
    happened = fact.happened.isoformat(timespec="microseconds")
    return (SetReason(fact.cluster, reason, opened, happened, fact.identity),)
