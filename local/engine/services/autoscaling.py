"""Amazon EC2 Auto Scaling: hooks that hold instances, notifications of groups, and instances of EC2.

An instance that a hook holds is ``Pending:Wait`` or ``Terminating:Wait`` until CompleteLifecycleAction or the
end of the heartbeat time-out, in AWS's seconds (see :mod:`local.engine.timing`). Messages are those of
https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html and
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-sns-notifications.html
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id
from ministack.services import autoscaling as service
from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from local.engine.aws_events import emit
from local.engine.delivery import iso_time, to_queue, to_topic
from local.engine.patching import pin, replaces
from local.engine.services.cloudformation import after
from local.engine.timing import later

__all__: list[str] = []

type Group = dict[str, Any]
type Instance = dict[str, Any]
type Action = dict[str, Any]
type Parameters = dict[str, Any]

_SERVICE = {"Service": "AWS Auto Scaling"}
# Timers and requests meet at a group's instances; nothing is published under the lock.
_lock = threading.Lock()
_TYPE = "AWS::AutoScaling::AutoScalingGroup"
_TEST = "autoscaling:TEST_NOTIFICATION"
# https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Filter.html
_TAG_FILTERS = {
    "auto-scaling-group": "ResourceId", "key": "Key", "value": "Value",
    "propagate-at-launch": "PropagateAtLaunch",
}  # fmt: skip
_REPLACED_AFTER = 30  # seconds until a group replaces an instance whose launch was abandoned
# "The maximum is 172800 seconds (48 hours) or 100 times HeartbeatTimeout, whichever is smaller":
# https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html
_MOST_HEARTBEATS = 100
_GLOBAL_TIMEOUT = 172_800


@dataclass(frozen=True)
class _Transition:
    """What happens to an instance: its words in states, subjects and events."""

    hook: str
    state: str
    word: str
    noun: str
    notification: str
    origin: str
    destination: str


_GROUP, _EC2 = "AutoScalingGroup", "EC2"
_LAUNCH = _Transition(
    "autoscaling:EC2_INSTANCE_LAUNCHING", "Pending", "Launch", "launch",
    "autoscaling:EC2_INSTANCE_LAUNCH", _EC2, _GROUP,
)  # fmt: skip
_TERMINATE = _Transition(
    "autoscaling:EC2_INSTANCE_TERMINATING", "Terminating", "Terminate", "termination",
    "autoscaling:EC2_INSTANCE_TERMINATE", _GROUP, _EC2,
)  # fmt: skip


def _send(arn: str, message: dict[str, Any], subject: str) -> None:
    """Put a message into a hook's or a group's topic or queue."""
    body = json.dumps(message)
    if parse_arn(arn).service == "sqs":
        to_queue(arn, body)
    else:
        to_topic(arn, body, subject=subject)


def _send_test(group: Group, arn: str) -> None:
    """Tell a new target that it is one."""
    name = group["AutoScalingGroupName"]
    message = _SERVICE | {
        "AutoScalingGroupName": name,
        "AccountId": get_account_id(),
        "Time": iso_time(),
        "RequestId": str(uuid.uuid4()),
        "Event": _TEST,
        "AutoScalingGroupARN": group["AutoScalingGroupARN"],
    }
    _send(arn, message, f'Auto Scaling: test notification for group "{name}"')


def _tell_hook(group: Group, instance: Instance, action: Action) -> None:
    """Publish that a hook holds an instance, to its target and to EventBridge."""
    hook, transition = action["Hook"], action["Transition"]
    fact = {
        "LifecycleActionToken": action["Token"],
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "LifecycleHookName": hook["LifecycleHookName"],
        "EC2InstanceId": instance["InstanceId"],
        "LifecycleTransition": transition.hook,
        "Origin": transition.origin,
        "Destination": transition.destination,
    }
    if hook["NotificationMetadata"]:
        fact["NotificationMetadata"] = hook["NotificationMetadata"]
    if hook["NotificationTargetARN"]:
        rest = {"AccountId": get_account_id(), "RequestId": str(uuid.uuid4()), "Time": iso_time()}
        what = transition.hook.rpartition("_")[2]
        subject = (
            f"Auto Scaling:  Lifecycle action '{what}' for instance {instance['InstanceId']} in progress."
        )
        _send(hook["NotificationTargetARN"], _SERVICE | fact | rest, subject)
    detail_type = f"EC2 Instance-{transition.word.lower()} Lifecycle Action"
    emit("aws.autoscaling", detail_type, fact, [group["AutoScalingGroupARN"]])


def _tell_group(group: Group, instance: Instance, transition: _Transition, *, failed: bool = False) -> None:
    """Publish the end of a launch or of a termination, to the group's topics and to EventBridge."""
    name, identifier = group["AutoScalingGroupName"], instance["InstanceId"]
    activity, now = str(uuid.uuid4()), iso_time()
    verb = "Launching a new" if transition is _LAUNCH else "Terminating"
    fact = {
        "AutoScalingGroupName": name,
        "ActivityId": activity,
        "RequestId": activity,
        "Description": f"{verb} EC2 instance: {identifier}",
        "StatusCode": "Failed" if failed else "InProgress",
        "StatusMessage": "The lifecycle action was abandoned." if failed else "",
        "StartTime": instance.get("Since", now),
        "EndTime": now,
        "EC2InstanceId": identifier,
        "Cause": f"At {now} the capacity of the group {name} was changed to {group['DesiredCapacity']}.",
        "Details": {"Availability Zone": instance["AvailabilityZone"]},
    }
    kind = transition.notification + ("_ERROR" if failed else "")
    message = _SERVICE | fact | {
        "Progress": 100 if failed else 50,
        "AccountId": get_account_id(),
        "AutoScalingGroupARN": group["AutoScalingGroupARN"],
        "Time": now,
        "Event": kind,
    }  # fmt: skip
    subject = f'Auto Scaling: {"failed " if failed else ""}{transition.noun} for group "{name}"'
    for topic, kinds in group.get("Notifications", {}).items():
        if kind in kinds:
            _send(topic, message, subject)
    ends = {"Origin": transition.origin, "Destination": transition.destination}
    emit(
        "aws.autoscaling",
        f"EC2 Instance {transition.word} {'Unsuccessful' if failed else 'Successful'}",
        fact | ends,
        [group["AutoScalingGroupARN"], _instance_arn(identifier)],
    )


def _instance_arn(identifier: str) -> str:
    return f"arn:aws:ec2:{service.get_region()}:{get_account_id()}:instance/{identifier}"


def _launched(group: Group) -> Instance:
    """Add an instance of EC2 to a group, and return it."""
    configuration = service._launch_configs.get(group["LaunchConfigurationName"]) or {}
    image, kind = configuration.get("ImageId", "ami-00000000"), configuration.get("InstanceType", "t3.micro")
    [machine] = ec2._launch_instances_internal(image, kind, ec2._DEFAULT_SUBNET_ID, 1)
    zones = group["AvailabilityZones"]
    machine["Placement"]["AvailabilityZone"] = zones[len(group["Instances"]) % len(zones)]
    ec2._tags[machine["InstanceId"]] = [
        {"Key": tag["Key"], "Value": tag["Value"]} for tag in group["Tags"] if tag["PropagateAtLaunch"]
    ] + [{"Key": "aws:autoscaling:groupName", "Value": group["AutoScalingGroupName"]}]
    instance = {
        "InstanceId": machine["InstanceId"],
        "LifecycleState": "Pending",
        "HealthStatus": "Healthy",
        "AvailabilityZone": machine["Placement"]["AvailabilityZone"],
        "ProtectedFromScaleIn": group["NewInstancesProtectedFromScaleIn"],
        "LaunchTemplate": group["LaunchTemplate"],
        "LaunchConfigurationName": group["LaunchConfigurationName"],
    }
    group["Instances"].append(instance)
    return instance


def _begin(group: Group, instance: Instance, transition: _Transition) -> None:
    """Hold an instance for the hooks of a transition, or finish it if there are none."""
    instance["Since"] = iso_time()
    actions: dict[str, Action] = {
        hook["LifecycleHookName"]: {
            "Token": str(uuid.uuid4()), "Hook": hook, "Transition": transition, "Heartbeats": 0,
        }
        for hook in service._hooks.values()
        if hook["AutoScalingGroupName"] == group["AutoScalingGroupName"]
        and hook["LifecycleTransition"] == transition.hook
    }  # fmt: skip
    instance["Actions"] = actions  # in place of those of an earlier transition
    if not actions:
        _finish(group, instance, transition)
        return
    instance["LifecycleState"] = f"{transition.state}:Wait"
    for action in list(actions.values()):
        _await(group, instance, action)
        _tell_hook(group, instance, action)


def _await(group: Group, instance: Instance, action: Action) -> None:
    """Begin a heartbeat's time; when the last one is over, the hook's default result counts."""
    timeout = action["Hook"]["HeartbeatTimeout"]
    if action["Heartbeats"] >= min(_MOST_HEARTBEATS, _GLOBAL_TIMEOUT // timeout):
        return
    action["Heartbeats"] += 1
    heartbeat = action["Heartbeats"]

    def expire() -> None:
        if action["Heartbeats"] == heartbeat and service._asgs.get(group["AutoScalingGroupName"]) is group:
            _complete(group, instance, action, action["Hook"]["DefaultResult"])

    later(timeout, expire)


def _complete(group: Group, instance: Instance, action: Action, result: str) -> None:
    """End an action once; the instance goes on when no other hook holds it, or when one abandons."""
    with _lock:
        actions = instance["Actions"]
        if actions.get(action["Hook"]["LifecycleHookName"]) is not action:
            return
        del actions[action["Hook"]["LifecycleHookName"]]
        if result == "ABANDON":
            actions.clear()
        if actions:
            return
    if action["Transition"] is _LAUNCH and result == "ABANDON":
        _tell_group(group, instance, _LAUNCH, failed=True)
        _begin(group, instance, _TERMINATE)
        later(_REPLACED_AFTER, lambda: service._reconcile_instances(group))
    else:
        _finish(group, instance, action["Transition"])


def _finish(group: Group, instance: Instance, transition: _Transition) -> None:
    if transition is _LAUNCH:
        instance["LifecycleState"] = "InService"
    else:
        group["Instances"].remove(instance)
        ec2._terminate_instances({"InstanceId.1": instance["InstanceId"]})
    _tell_group(group, instance, transition)


@replaces(service, "_reconcile_instances", digest="2272358babf7")
def _reconcile_instances(_original: Callable[..., Any], group: Group) -> None:
    """Instances are EC2's; lifecycle hooks hold them, publish to their targets and to EventBridge"""
    with _lock:
        if service._asgs.get(group["AutoScalingGroupName"]) is not group:
            return  # deleted meanwhile
        wanted = group["DesiredCapacity"]
        staying = [each for each in group["Instances"] if not _is_terminating(each)]
        surplus = staying[wanted:]
        for instance in surplus:
            instance["LifecycleState"] = _TERMINATE.state
        launched = [_launched(group) for _ in range(wanted - len(staying))]
    for instance in surplus:
        _begin(group, instance, _TERMINATE)
    for instance in launched:
        _begin(group, instance, _LAUNCH)


def _is_terminating(instance: Instance) -> bool:
    return str(instance["LifecycleState"]).startswith(_TERMINATE.state)


def _unknown(name: str) -> Any:
    return service._error(
        "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
    )


@replaces(service, "_put_lifecycle_hook", digest="b52b514f0ae7")
def _put_lifecycle_hook(original: Callable[..., Any], parameters: Parameters) -> Any:
    """Hooks are refused without a group, and beyond 30 to 7,200 seconds; targets get a test message"""
    name, target = (service._p(parameters, key) for key in ("AutoScalingGroupName", "NotificationTargetARN"))
    group = service._asgs.get(name)
    if group is None:
        return _unknown(name)
    # "The range is from 30 to 7200 seconds": API_PutLifecycleHook
    if not 30 <= int(service._p(parameters, "HeartbeatTimeout") or 3600) <= 7200:
        return service._error("ValidationError", "HeartbeatTimeout must be between 30 and 7200 seconds")
    answer = original(parameters)
    if target:
        _send_test(group, target)
    return answer


@replaces(service, "_describe_lifecycle_hooks", digest="004ef57d179d")
def _describe_lifecycle_hooks(_original: Callable[..., Any], parameters: Parameters) -> Any:
    """DescribeLifecycleHooks: only the hooks asked for, with target, role and global time-out"""
    wanted = service._parse_member_list(parameters, "LifecycleHookNames")
    members = [
        {key: value for key, value in hook.items() if value != ""}
        | {"GlobalTimeout": min(_GLOBAL_TIMEOUT, _MOST_HEARTBEATS * hook["HeartbeatTimeout"])}
        for hook in service._hooks.values()
        if hook["AutoScalingGroupName"] == service._p(parameters, "AutoScalingGroupName")
        and (not wanted or hook["LifecycleHookName"] in wanted)
    ]
    return _answer("DescribeLifecycleHooks", {"LifecycleHooks": members})


def _answer(action: str, result: dict[str, Any]) -> Any:
    return service._xml(200, f"{action}Response", service._member_xml({f"{action}Result": result}))


def _active(parameters: Parameters) -> tuple[Group, Instance, Action] | None:
    """Return the action that a request names by token or by instance, if it is not over."""
    group = service._asgs.get(service._p(parameters, "AutoScalingGroupName")) or {"Instances": []}
    hook, token, identifier = (
        service._p(parameters, key) for key in ("LifecycleHookName", "LifecycleActionToken", "InstanceId")
    )
    for instance in group["Instances"]:
        action = instance.get("Actions", {}).get(hook)
        if action and (action["Token"] == token if token else instance["InstanceId"] == identifier):
            return group, instance, action
    return None


def _not_active(parameters: Parameters) -> Any:
    token, identifier = (service._p(parameters, key) for key in ("LifecycleActionToken", "InstanceId"))
    which = f"token {token}" if token else f"instance ID {identifier}"
    return service._error("ValidationError", f"No active Lifecycle Action found with {which}")


@replaces(service, "_complete_lifecycle_action", digest="5c87fc3a042b")
def _complete_lifecycle_action(original: Callable[..., Any], parameters: Parameters) -> Any:
    """CompleteLifecycleAction lets an instance go on; it is refused where no action is active"""
    result = service._p(parameters, "LifecycleActionResult")
    if result not in ("CONTINUE", "ABANDON"):
        return service._error("ValidationError", f"Invalid LifecycleActionResult: {result}")
    found = _active(parameters)
    if found is None:
        return _not_active(parameters)
    _complete(*found, result)
    return original(parameters)


@replaces(service, "_record_lifecycle_heartbeat", digest="53c8b9917a9c")
def _record_lifecycle_heartbeat(original: Callable[..., Any], parameters: Parameters) -> Any:
    """RecordLifecycleActionHeartbeat begins the time-out anew; refused where no action is active"""
    found = _active(parameters)
    if found is None:
        return _not_active(parameters)
    _await(*found)
    return original(parameters)


@replaces(service, "_delete_asg", digest="139107c11e88")
def _delete_asg(original: Callable[..., Any], parameters: Parameters) -> Any:
    """A group with instances is deleted by ForceDelete alone, and its instances end with it"""
    group = service._asgs.get(service._p(parameters, "AutoScalingGroupName"))
    if group and group["Instances"] and service._p(parameters, "ForceDelete") != "true":
        message = "You cannot delete an AutoScalingGroup while there are instances still in the group."
        return service._error("ResourceInUse", message)
    _end_instances(group)
    return original(parameters)


def _end_instances(group: Group | None) -> None:
    for instance in (group or {}).get("Instances", []):
        ec2._terminate_instances({"InstanceId.1": instance["InstanceId"]})


def _terminate_instance(parameters: Parameters) -> Any:
    """Answer TerminateInstanceInAutoScalingGroup, of one instance."""
    identifier = service._p(parameters, "InstanceId")
    for group in service._asgs.values():
        for instance in group["Instances"]:
            if instance["InstanceId"] == identifier:
                if _is_terminating(instance):
                    message = f"Instance {identifier} is terminating already."
                    return service._error("ScalingActivityInProgress", message)
                if service._p(parameters, "ShouldDecrementDesiredCapacity") == "true":
                    group["DesiredCapacity"] -= 1
                _begin(group, instance, _TERMINATE)
                service._reconcile_instances(group)
                activity = {
                    "ActivityId": str(uuid.uuid4()),
                    "AutoScalingGroupName": group["AutoScalingGroupName"],
                    "Cause": "a user request", "StartTime": iso_time(), "StatusCode": "InProgress",
                }  # fmt: skip
                return _answer("TerminateInstanceInAutoScalingGroup", {"Activity": activity})
    return service._error(
        "ValidationError", f"Instance Id not found - No managed instance found {identifier}"
    )


@replaces(service, "_describe_tags", digest="bd62e4fb1981")
def _describe_tags(_original: Callable[..., Any], parameters: Parameters) -> Any:
    """DescribeTags heeds its filters"""
    wanted: dict[str, list[str]] = {}
    while name := service._p(parameters, f"Filters.member.{len(wanted) + 1}.Name"):
        prefix = f"Filters.member.{len(wanted) + 1}.Values"
        wanted[name] = service._parse_member_list(parameters, prefix)
    if unknown := wanted.keys() - _TAG_FILTERS.keys():
        return service._error("ValidationError", f"Invalid filter: {', '.join(unknown)}")
    found = [
        tag
        for tags in service._tags.values()
        for tag in tags
        if all(service._member_xml(tag[_TAG_FILTERS[name]]) in wanted[name] for name in wanted)
    ]
    return _answer("DescribeTags", {"Tags": found})


def _put_notification_configuration(parameters: Parameters) -> Any:
    """Answer PutNotificationConfiguration."""
    name, topic = (service._p(parameters, key) for key in ("AutoScalingGroupName", "TopicARN"))
    group = service._asgs.get(name)
    if group is None:
        return _unknown(name)
    group.setdefault("Notifications", {})[topic] = service._parse_member_list(parameters, "NotificationTypes")
    _send_test(group, topic)
    return service._xml(200, "PutNotificationConfigurationResponse", "")


def _describe_notification_configurations(parameters: Parameters) -> Any:
    """Answer DescribeNotificationConfigurations."""
    wanted = service._parse_member_list(parameters, "AutoScalingGroupNames")
    rows = [
        {"AutoScalingGroupName": name, "TopicARN": topic, "NotificationType": kind}
        for name, group in service._asgs.items()
        for topic, kinds in group.get("Notifications", {}).items()
        for kind in kinds
        if not wanted or name in wanted
    ]
    return _answer("DescribeNotificationConfigurations", {"NotificationConfigurations": rows})


def _delete_notification_configuration(parameters: Parameters) -> Any:
    """Answer DeleteNotificationConfiguration."""
    group = service._asgs.get(service._p(parameters, "AutoScalingGroupName")) or {}
    group.get("Notifications", {}).pop(service._p(parameters, "TopicARN"), None)
    return service._xml(200, "DeleteNotificationConfigurationResponse", "")


@after(_TYPE, "Lifecycle hooks, notifications and instances")
def _with_instances(name: str, properties: dict[str, Any]) -> None:
    group = service._asgs[name]
    for each in properties.get("LifecycleHookSpecificationList") or []:
        hook = each["LifecycleHookName"]
        service._hooks[f"{name}/{hook}"] = service._hook_record(name, hook, each)
    group["Notifications"] = {
        topic: each.get("NotificationTypes") or []
        for each in properties.get("NotificationConfigurations") or []
        for topic in ([each["TopicARN"]] if isinstance(each["TopicARN"], str) else each["TopicARN"])
    }
    service._reconcile_instances(group)


@replaces(provisioners, "_asg_delete", digest="cb9fd42fba4b")
def _asg_delete(original: Callable[..., Any], name: str, properties: dict[str, Any]) -> Any:
    """CloudFormation: a group's instances end with it"""
    _end_instances(service._asgs.get(name))
    return original(name, properties)


provisioners._RESOURCE_HANDLERS[_TYPE]["delete"] = provisioners._asg_delete

# The emulator's table of actions was made of the functions as they were.
service._ACTION_MAP |= {
    "PutLifecycleHook": service._put_lifecycle_hook,
    "DescribeLifecycleHooks": service._describe_lifecycle_hooks,
    "CompleteLifecycleAction": service._complete_lifecycle_action,
    "RecordLifecycleActionHeartbeat": service._record_lifecycle_heartbeat,
    "DeleteAutoScalingGroup": service._delete_asg,
    "DescribeTags": service._describe_tags,
    "TerminateInstanceInAutoScalingGroup": _terminate_instance,
    "PutNotificationConfiguration": _put_notification_configuration,
    "DescribeNotificationConfigurations": _describe_notification_configurations,
    "DeleteNotificationConfiguration": _delete_notification_configuration,
}

pin(ec2, "_launch_instances_internal", "fc79c2498aff")
pin(ec2, "_terminate_instances", "2cd7b7d0c4d1")
pin(service, "_create_asg", "ffb7c5314e52")
pin(service, "_hook_record", "719590590005")
