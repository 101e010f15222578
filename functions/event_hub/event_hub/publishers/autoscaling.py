"""Auto Scaling: lifecycle actions and notifications of a group.

Shapes: https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
and ec2-auto-scaling-sns-notifications.html. The API reference of PutLifecycleHook says that SNS
gets "email key-value pair format": the text has the members of the JSON.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..envelopes import MalformedError
from ..facts import Fact, GroupNotification, Ignored, LifecycleAction
from .reading import identifier, moment, optional, required

__all__ = ["from_event", "from_message"]

INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
GROUP = re.compile(r"[^\x00-\x1f\x7f:]{1,255}")  # "cannot contain a colon": CreateAutoScalingGroup
HOOK = re.compile(r"[A-Za-z0-9_/-]{1,255}")
TOKEN = re.compile(r"[0-9a-fA-F-]{36}")
_TRANSITIONS = {
    "autoscaling:EC2_INSTANCE_LAUNCHING": "launching",
    "autoscaling:EC2_INSTANCE_TERMINATING": "terminating",
}
_LIFECYCLE = {"EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"}


def from_message(body: Mapping[str, Any]) -> Fact | None:
    """A message of SNS, if it is one of Auto Scaling's.

    Raises:
        MalformedError: It is, but lacks what it needs.
    """
    if "LifecycleTransition" in body:
        return _lifecycle(body, body.get("Time"))
    event = optional(body, "Event")
    if not event.startswith("autoscaling:"):
        return None
    if event == "autoscaling:TEST_NOTIFICATION":
        return Ignored("autoscaling:TEST_NOTIFICATION")
    if event != "autoscaling:EC2_INSTANCE_LAUNCH" and not optional(body, "EC2InstanceId"):
        return Ignored(event[:80])  # what could not be launched has no id
    return GroupNotification(
        event.removeprefix("autoscaling:"),
        identifier(required(body, "AutoScalingGroupName"), GROUP, "AutoScalingGroupName"),
        identifier(required(body, "EC2InstanceId"), INSTANCE, "EC2InstanceId"),
        required(body, "ActivityId"),
        moment(body.get("Time"), "Time"),
    )


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.autoscaling`.

    Raises:
        MalformedError: It lacks what it needs.
    """
    if event["detail-type"] not in _LIFECYCLE:
        return Ignored(f"aws.autoscaling: {event['detail-type']}")
    return _lifecycle(event["detail"], event.get("time"))


def _lifecycle(body: Mapping[str, Any], began: Any) -> Fact:
    transition = _TRANSITIONS.get(required(body, "LifecycleTransition"))
    if transition is None:
        raise MalformedError("LifecycleTransition is none")
    if optional(body, "LifecycleHookName").startswith("CodeDeploy-managed-"):
        return Ignored("autoscaling: a hook of CodeDeploy's")
    return LifecycleAction(
        transition,  # type: ignore[arg-type]
        identifier(required(body, "AutoScalingGroupName"), GROUP, "AutoScalingGroupName"),
        identifier(required(body, "LifecycleHookName"), HOOK, "LifecycleHookName"),
        identifier(required(body, "EC2InstanceId"), INSTANCE, "EC2InstanceId"),
        identifier(required(body, "LifecycleActionToken"), TOKEN, "LifecycleActionToken"),
        moment(began, "Time"),
    )
