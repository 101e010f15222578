"""A file system of EFS is at its limit of operations: give it Elastic throughput.

AWS advises against the performance mode Max I/O, and Elastic is the default
(https://docs.aws.amazon.com/efs/latest/ug/performance.html).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..facts import AlarmChange, Fact
from ..hub import Action, Hub, NothingError, PostponedError, tags_of
from ..settings import Config

__all__ = ["UpdateFileSystem", "plan", "problem"]

FILE_SYSTEM = re.compile(r"fs-[0-9a-f]{8,40}")
CHANGES_A_DAY = 10


@dataclass(frozen=True)
class UpdateFileSystem(Action):
    """Set a file system's throughput mode to elastic."""

    REACTION: ClassVar[str] = "throughput"
    file_system: str
    identity: str

    @property
    def key(self) -> str:
        """The alarm's change."""
        return f"elastic#{self.file_system}#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Set it, if the file system is General Purpose and not elastic yet."""
        efs = hub.client("efs")
        found = efs.describe_file_systems(FileSystemId=self.file_system)["FileSystems"][0]
        hub.permit(f"elastic throughput for {self.file_system}", tags=tags_of(found.get("Tags")))
        reason = problem(found)
        if reason:
            raise NothingError(reason)
        if found["LifeCycleState"] != "available":
            raise PostponedError(f"the file system is {found['LifeCycleState']}", 60)
        hub.limit(self.file_system, most=CHANGES_A_DAY, seconds=86_400)
        efs.update_file_system(FileSystemId=self.file_system, ThroughputMode="elastic")
        return {"before": found["ThroughputMode"]}


def problem(file_system: Mapping[str, Any]) -> str:
    """Why a file system is left as it is; empty if it is not.

    "Elastic throughput is only available for file systems with General Purpose performance mode"
    (https://docs.aws.amazon.com/efs/latest/ug/performance.html).
    """
    if file_system["ThroughputMode"] == "elastic":
        return "its throughput is elastic already"
    if file_system["PerformanceMode"] != "generalPurpose":
        return f"its performance mode is {file_system['PerformanceMode']}"
    return ""


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """Elastic throughput on the change to ALARM of an alarm on PercentIOLimit."""
    if not isinstance(fact, AlarmChange) or fact.state != "ALARM":
        return ()
    file_system = fact.dimension("AWS/EFS", "PercentIOLimit", "FileSystemId") or ""
    return (UpdateFileSystem(file_system, fact.identity),) if FILE_SYSTEM.fullmatch(file_system) else ()
