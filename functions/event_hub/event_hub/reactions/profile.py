"""A load balancer is slow: run the latency profiling task."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from shared.batches import PermanentError

from ..facts import AlarmChange, Fact
from ..hub import Action, Hub, NothingError, PostponedError, tags_of
from ..settings import Config

__all__ = ["RunTask", "plan"]

LATENCY = {("AWS/ELB", "Latency"), ("AWS/ApplicationELB", "TargetResponseTime")}
TASKS_AN_HOUR = 10
_FULL = ("RESOURCE:", "AGENT", "CAPACITY")


@dataclass(frozen=True)
class RunTask(Action):
    """Run a task of ECS once.

    Attributes:
        alarm: ARN of the alarm, which the task gets as `ALARM_ARN`.
        identity: Of the alarm's change.
    """

    REACTION: ClassVar[str] = "profile"
    alarm: str
    identity: str

    @property
    def key(self) -> str:
        """The alarm's change."""
        return f"task#{self.identity}"

    @property
    def client_token(self) -> str:
        """Of alarm and time of the change; ECS takes 64 characters."""
        return hashlib.sha256(self.identity.encode()).hexdigest()

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Run it; the task's ARN is kept. RunTask answers 200 with `failures` where it could not."""
        config, ecs = hub.config, hub.client("ecs")
        definition = ecs.describe_task_definition(taskDefinition=config.profile_task, include=["TAGS"])
        container = definition["taskDefinition"]["containerDefinitions"][0]["name"]
        hub.permit(f"profile for {self.alarm}", tags=tags_of(definition.get("tags")))
        if not hub.has_place(self.alarm, most=1, seconds=config.cool_down_seconds):
            raise NothingError("the alarm was profiled lately")
        hub.limit("tasks", most=TASKS_AN_HOUR, seconds=3600)
        answer = ecs.run_task(
            cluster=config.profile_cluster,
            taskDefinition=config.profile_task,
            clientToken=self.client_token,
            startedBy="event-hub",
            count=1,
            overrides={
                "containerOverrides": [
                    {"name": container, "environment": [{"name": "ALARM_ARN", "value": self.alarm}]}
                ]
            },
            **_network(config),
        )
        if answer["failures"]:
            reason = str(answer["failures"][0].get("reason", "unknown"))
            if reason.upper().startswith(_FULL):
                raise PostponedError(f"RunTask: {reason}", 60)
            raise PermanentError(f"RunTask: {reason}")
        return {"task": answer["tasks"][0]["taskArn"]}


def _network(config: Config) -> dict[str, Any]:
    if not config.profile_subnets:
        return {}
    return {
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": list(config.profile_subnets),
                "securityGroups": list(config.profile_security_groups),
                "assignPublicIp": "DISABLED",
            }
        }
    }


def plan(fact: Fact, config: Config) -> tuple[Action, ...]:
    """A task for the change to ALARM of an alarm on latency, or of one that is configured by name."""
    if not isinstance(fact, AlarmChange) or fact.state != "ALARM":
        return ()
    slow = any((metric.namespace, metric.name) in LATENCY for metric in fact.metrics)
    return (RunTask(fact.arn, fact.identity),) if slow or fact.name in config.profile_alarms else ()
