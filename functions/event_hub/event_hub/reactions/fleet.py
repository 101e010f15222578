"""What launched and ending instances share: a command on the instance, and the end of its wait.

Auto Scaling holds an instance until the lifecycle action is completed or times out
(https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html). The action is always
completed, with CONTINUE, whatever became of the command: an instance is never held past `lifecycle_seconds`.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from botocore.exceptions import ClientError

from shared.batches import PermanentError

from ..hub import Action, Hub, NothingError, PostponedError, code_of, tags_of

__all__ = ["CompleteLifecycleAction", "SendCommand", "group_tags", "heartbeat", "until"]

DOCUMENT = "AWS-RunShellScript"
COMMANDS_AN_HOUR = 200
_PENDING = {"Pending", "InProgress", "Delayed"}


def group_tags(hub: Hub, group: str) -> dict[str, str]:
    """The tags of an Auto Scaling group."""
    answer = hub.client("autoscaling").describe_tags(
        Filters=[{"Name": "auto-scaling-group", "Values": [group]}]
    )
    return tags_of(answer["Tags"])


def _must_belong(hub: Hub, instance: str, group: str) -> None:
    """The tag of a group allows its own instances."""
    answer = hub.client("autoscaling").describe_auto_scaling_instances(InstanceIds=[instance])
    if all(each["AutoScalingGroupName"] != group for each in answer["AutoScalingInstances"]):
        raise NothingError("the instance is none of the group's")


@dataclass(frozen=True)
class SendCommand(Action):
    """Run a command on an instance, by Systems Manager.

    At launch the instance's agent needs a minute or two to register; until then Systems Manager answers
    InvalidInstanceId, and the command is sent later, with heartbeats in between.

    Attributes:
        purpose: Which command.
        group: The instance's group, whose tag allows it.
        instance: The instance.
        once: What makes the command the same command: the instance, or its wait.
        until: Seconds since the epoch; later it is not sent any more.
        hook: The hook in which the instance waits; empty if it does not.
        token: Of the wait.
    """

    REACTION: ClassVar[str] = "fleet"
    purpose: Literal["warm", "logs"]
    group: str
    instance: str
    once: str
    until: float
    hook: str = ""
    token: str = ""

    @property
    def key(self) -> str:
        """One command for each purpose and instance, or wait."""
        return f"{self.purpose}#{self.once}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Send it; its id is kept."""
        command = self._command(hub)
        hub.permit(f"{self.purpose} {self.instance}", tags=group_tags(hub, self.group))
        _must_belong(hub, self.instance, self.group)
        hub.limit(self.group, most=COMMANDS_AN_HOUR, seconds=3600)
        try:
            answer = hub.client("ssm").send_command(
                DocumentName=DOCUMENT,
                InstanceIds=[self.instance],
                Parameters={"commands": [command]},
                Comment=f"event hub: {self.purpose}",
                TimeoutSeconds=60,
            )
        except ClientError as error:
            if hub.clock().timestamp() >= self.until:  # whatever it is, the instance has to go on
                raise PermanentError(f"no command until the end of the wait: {code_of(error)}") from None
            if code_of(error) != "InvalidInstanceId":
                raise
            if self.hook:
                heartbeat(hub, self.group, self.hook, self.token, self.instance)
            raise PostponedError("the agent has not registered", hub.config.poll_seconds) from None
        return {"command": answer["Command"]["CommandId"]}

    def _command(self, hub: Hub) -> str:
        text = hub.config.warm_command if self.purpose == "warm" else hub.config.logs_command
        if not text:
            raise NothingError(f"no command is set for {self.purpose}")
        where = f"s3://{hub.config.output_bucket}/logs/{self.group}/{self.instance}/"
        return f"export HUB_LOGS_URI={shlex.quote(where)}\n{text}" if self.purpose == "logs" else text


@dataclass(frozen=True)
class CompleteLifecycleAction(Action):
    """Let an instance go on, as soon as its command has ended.

    Attributes:
        group: The group.
        hook: The hook.
        instance: The instance.
        token: Of the wait.
        command_key: Key of the command.
        until: Seconds since the epoch; then it goes on, whatever the command does.
    """

    REACTION: ClassVar[str] = "fleet"
    ALWAYS: ClassVar[bool] = True
    group: str
    hook: str
    instance: str
    token: str
    command_key: str
    until: float

    @property
    def key(self) -> str:
        """The wait."""
        return f"complete#{self.token}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Complete it; that there is no such action any more is as good."""
        hub.permit(f"complete {self.instance}", tags=group_tags(hub, self.group))
        command = hub.ledger.result(self.command_key)
        status = self._status(hub, command["command"]) if command else "NotSent"
        if status in _PENDING and hub.clock().timestamp() < self.until:
            heartbeat(hub, self.group, self.hook, self.token, self.instance)
            raise PostponedError(f"the command is {status}", hub.config.poll_seconds)
        try:
            hub.client("autoscaling").complete_lifecycle_action(
                AutoScalingGroupName=self.group,
                LifecycleHookName=self.hook,
                LifecycleActionToken=self.token,
                InstanceId=self.instance,
                LifecycleActionResult="CONTINUE",
            )
        except ClientError as error:
            if not _is_over(error):
                raise
            return {"command": status, "over": True}
        return {"command": status}

    def _status(self, hub: Hub, command: str) -> str:
        try:
            answer = hub.client("ssm").get_command_invocation(CommandId=command, InstanceId=self.instance)
        except ClientError as error:
            if code_of(error) != "InvocationDoesNotExist":
                raise
            return "Pending"  # it takes a moment to appear
        return str(answer["Status"])


def heartbeat(hub: Hub, group: str, hook: str, token: str, instance: str) -> None:
    """Prolong a wait by the hook's time-out; one that is over needs no more."""
    try:
        hub.client("autoscaling").record_lifecycle_action_heartbeat(
            AutoScalingGroupName=group,
            LifecycleHookName=hook,
            LifecycleActionToken=token,
            InstanceId=instance,
        )
    except ClientError as error:
        if not _is_over(error):
            raise


def _is_over(error: ClientError) -> bool:
    return code_of(error) == "ValidationError" and "No active Lifecycle Action" in str(error)


def until(began: datetime, seconds: int) -> float:
    """When a wait must end, in seconds since the epoch."""
    return began.astimezone(UTC).timestamp() + seconds
