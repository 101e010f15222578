"""A database of RDS runs out of storage: grow it.

"You can't reduce the amount of storage", and it grows by at least 10 %
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ..facts import DatabaseEvent, Fact
from ..hub import Action, Hub, NothingError, tags_of
from ..settings import Config
from .notify import Notify

__all__ = ["GrowStorage", "Growth", "growth", "plan"]

LOW = {"RDS-EVENT-0007", "RDS-EVENT-0089"}
CLUSTER_LOW = {"RDS-EVENT-0227"}
CHANGES_A_DAY = 4


class Growth(NamedTuple):
    """How much, and when.

    Attributes:
        gib: The new `AllocatedStorage`.
        at_once: Whether outside the maintenance window.
    """

    gib: int
    at_once: bool


@dataclass(frozen=True)
class GrowStorage(Action):
    """Grow the storage of a database instance."""

    REACTION: ClassVar[str] = "grow"
    database: str
    identity: str

    @property
    def key(self) -> str:
        """The event."""
        return f"grow#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Grow it; a growth that is pending or that Amazon RDS does by itself is enough."""
        with hub.exclusive(f"grow#{self.database}"):  # SNS's and EventBridge's times may differ
            return self._grow(hub)

    def _grow(self, hub: Hub) -> Mapping[str, Any]:
        rds = hub.client("rds")
        found = rds.describe_db_instances(DBInstanceIdentifier=self.database)["DBInstances"][0]
        hub.permit(f"grow {self.database}", tags=tags_of(found.get("TagList")))
        change = growth(found, hub.config)
        if change is None:
            text = f"{self.database} is low on storage, and at its cap of {hub.config.storage_cap_gib} GiB."
            hub.notify(self.key, f"Storage of {self.database}", text)
            return {"at_cap": True}
        hub.limit(self.database, most=CHANGES_A_DAY, seconds=86_400)
        rds.modify_db_instance(
            DBInstanceIdentifier=self.database,
            AllocatedStorage=change.gib,
            ApplyImmediately=change.at_once,
        )
        return {"from": found["AllocatedStorage"], "to": change.gib, "at_once": change.at_once}


def growth(database: Mapping[str, Any], config: Config) -> Growth | None:
    """How a database grows; not at all if the cap is too near for the 10 % that are the least.

    It grows by 10 %, at least by 10 GiB, up to the cap; in the maintenance window, unless it is full.

    Raises:
        NothingError: It grows already, or is not in a state to.
    """
    status, size = database["DBInstanceStatus"], int(database["AllocatedStorage"])
    if database["Engine"].startswith("aurora"):
        raise NothingError("the storage of Aurora cannot be allocated")
    if status not in ("available", "storage-full"):
        raise NothingError(f"it is {status}")
    if database.get("PendingModifiedValues", {}).get("AllocatedStorage"):
        raise NothingError("a growth is pending")
    if database.get("MaxAllocatedStorage"):
        raise NothingError("its storage grows by itself (autoscaling)")
    least = math.ceil(size * 11 / 10)
    gib = min(max(least, size + 10), config.storage_cap_gib)
    return Growth(gib, config.storage_at_once or status == "storage-full") if gib >= least else None


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """Growth for an instance; word for a cluster."""
    if not isinstance(fact, DatabaseEvent):
        return ()
    if fact.event in CLUSTER_LOW:
        text = (
            f"The cluster {fact.name} is low on storage. The storage of Aurora cannot be allocated: "
            "delete data, or split the cluster."
        )
        return (Notify(f"Storage of {fact.name}", text, fact.identity),)
    return (GrowStorage(fact.name, fact.identity),) if fact.event in LOW else ()
