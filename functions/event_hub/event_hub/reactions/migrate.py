"""A replication task of DMS failed: have the rows of its source encoded anew, and then resume it.

Encoders take orders from a queue, as in the article; when one is done it puts an event (`hub.encoder`, see
docs/event_hub.md), and the task is resumed. A task that failed for good is never restarted blindly.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from shared.batches import PermanentError

from ..facts import EncodingFinished, Fact, TaskEvent
from ..hub import Action, Hub, NothingError, PostponedError, code_of, tags_of
from ..settings import Config

__all__ = ["OrderEncoding", "ReportFailure", "ResumeTask", "is_about_encoding", "plan"]

FAILED = "DMS-EVENT-0078"
ORDERS_AN_HOUR = 3
_ENCODING = re.compile(
    r"character set|charset|code ?page|encoding|encoded|collation|invalid (?:byte|utf)|\butf-?8|\butf8mb",
    re.I,
)
_FATAL = re.compile(r"\bFATAL(?:_ERROR)?\b", re.I)


@dataclass(frozen=True)
class _OnFailure(Action):
    """What follows from a task's failure.

    Attributes:
        task: ARN of the task, or its identifier.
        message: What DMS says.
        identity: Of the event.
    """

    REACTION: ClassVar[str] = "migrate"
    task: str
    message: str
    identity: str


class OrderEncoding(_OnFailure):
    """Order an encoder for the source of a task that failed."""

    @property
    def key(self) -> str:
        """The message; which run of the task failed, its description says."""
        return f"order#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Send the order, one for each run of the task."""
        found = _task(hub, self.task)
        arn = found["ReplicationTaskArn"]
        hub.permit(f"encode the source of {arn}", tags=_tags(hub, arn))
        if found["Status"] != "failed":
            raise NothingError(f"the task is {found['Status']}")
        run = f"order#{_run(found)}"
        with hub.exclusive(run):
            if hub.ledger.recall(run):
                raise NothingError("an encoder has the order")
            hub.limit(arn, most=ORDERS_AN_HOUR, seconds=3600)
            token = secrets.token_hex(16)
            hub.ledger.remember(f"encoding#{token}", {"task": arn})
            hub.send(
                hub.config.encoder_queue,
                {
                    "task_arn": arn,
                    "task": found["ReplicationTaskIdentifier"],
                    "message": self.message,
                    "token": token,
                },
            )
            hub.ledger.remember(run, {"token": token})
        return {"task": arn}


@dataclass(frozen=True)
class ResumeTask(Action):
    """Resume a task whose source was encoded."""

    REACTION: ClassVar[str] = "migrate"
    task_arn: str
    token: str

    @property
    def key(self) -> str:
        """The order."""
        return f"resume#{self.token}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Resume it, if the hub ordered this."""
        if hub.ledger.recall(f"encoding#{self.token}").get("task") != self.task_arn:
            raise PermanentError("an encoding that the hub did not order")
        found = _task(hub, self.task_arn)
        hub.permit(f"resume {self.task_arn}", tags=_tags(hub, self.task_arn))
        if found["Status"] == "running":
            raise NothingError("the task is running")
        if found["Status"] not in ("failed", "stopped"):
            raise PostponedError(f"the task is {found['Status']}", 30)
        try:
            hub.client("dms").start_replication_task(
                ReplicationTaskArn=self.task_arn, StartReplicationTaskType="resume-processing"
            )
        except ClientError as error:
            if code_of(error) != "InvalidResourceStateFault":
                raise
            raise PostponedError("the task is being changed", 30) from None
        return {"task": self.task_arn}


class ReportFailure(_OnFailure):
    """Tell the operators of a failure that no encoder repairs, once for each run of the task."""

    @property
    def key(self) -> str:
        """The message; which run of the task failed, its description says."""
        return f"report#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Tell them."""
        found = _task(hub, self.task)
        name = found["ReplicationTaskIdentifier"]
        hub.permit(f"report {name}", tags=_tags(hub, found["ReplicationTaskArn"]))
        text = f"The replication task {name} failed, and is not restarted: {self.message[:500]}"
        hub.notify(_run(found), f"Replication task {name} failed", text)
        return {"task": name}


def _run(task: Mapping[str, Any]) -> str:
    """Names a run of a task."""
    return f"{task['ReplicationTaskArn']}#{task.get('ReplicationTaskStartDate', '')}"


def _task(hub: Hub, task: str) -> dict[str, Any]:
    kind = "replication-task-arn" if task.startswith("arn:") else "replication-task-id"
    answer = hub.client("dms").describe_replication_tasks(
        Filters=[{"Name": kind, "Values": [task]}], WithoutSettings=True
    )
    if not answer["ReplicationTasks"]:
        raise PermanentError("the replication task does not exist")
    found: dict[str, Any] = answer["ReplicationTasks"][0]
    return found


def _tags(hub: Hub, arn: str) -> dict[str, str]:
    return tags_of(hub.client("dms").list_tags_for_resource(ResourceArn=arn)["TagList"])


def is_about_encoding(message: str) -> bool:
    """Whether a failure is about the encoding of rows, and can be recovered from."""
    return bool(_ENCODING.search(message)) and not _FATAL.search(message)


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """An order for a failure of encoding, word of any other, and the end of an order."""
    if isinstance(fact, EncodingFinished):
        return (ResumeTask(fact.task_arn, fact.token),)
    if not isinstance(fact, TaskEvent) or fact.event != FAILED:
        return ()
    if is_about_encoding(fact.message):
        return (OrderEncoding(fact.task, fact.message, fact.identity),)
    return (ReportFailure(fact.task, fact.message, fact.identity),)
