"""Auto Scaling: hooks hold instances and publish, groups notify, CompleteLifecycleAction refuses.

Messages are compared with recorded ones, member by member.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.integration.engine.answers import events_of, only, refusal, subscribed
from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

# Members of messages of AWS: the SNS message of a hook, the detail of its event, the message of a group.
HOOK = {
    "Origin", "LifecycleHookName", "Destination", "AutoScalingGroupName", "AccountId", "RequestId",
    "LifecycleTransition", "Service", "Time", "EC2InstanceId", "NotificationMetadata", "LifecycleActionToken",
}  # fmt: skip
EVENT = {
    "LifecycleActionToken", "AutoScalingGroupName", "LifecycleHookName", "EC2InstanceId",
    "LifecycleTransition", "NotificationMetadata", "Origin", "Destination",
}  # fmt: skip
GROUP = {
    "Progress", "AccountId", "Description", "RequestId", "EndTime", "AutoScalingGroupARN", "ActivityId",
    "StartTime", "Service", "Time", "EC2InstanceId", "StatusCode", "StatusMessage", "Details",
    "AutoScalingGroupName", "Cause", "Event",
}  # fmt: skip


class Fleet:
    """A group with a topic whose messages are in a queue."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.client = cloud, cloud.client("autoscaling")
        self.name = cloud.name("group")
        self.topic, self.url = subscribed(cloud)
        self.client.create_launch_configuration(
            LaunchConfigurationName=self.name, ImageId="ami-12345678", InstanceType="t3.micro"
        )
        self.client.create_auto_scaling_group(
            AutoScalingGroupName=self.name, LaunchConfigurationName=self.name, MinSize=0, MaxSize=5,
            AvailabilityZones=[f"{cloud.region}a"],
            Tags=[{"Key": "hub", "Value": "yes", "PropagateAtLaunch": True}],
        )  # fmt: skip

    def hook(self, transition: str, **settings: Any) -> None:
        self.client.put_lifecycle_hook(
            AutoScalingGroupName=self.name, LifecycleHookName=transition.lower(),
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}", **settings,
        )  # fmt: skip

    def scale(self, count: int) -> None:
        self.client.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=count)

    def states(self) -> list[str]:
        [group] = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])[
            "AutoScalingGroups"
        ]
        return [each["LifecycleState"] for each in group["Instances"]]

    def identifiers(self) -> list[str]:
        rows = self.client.describe_auto_scaling_instances()["AutoScalingInstances"]
        return [row["InstanceId"] for row in rows if row["AutoScalingGroupName"] == self.name]

    def told(self) -> list[dict[str, Any]]:
        """Messages since the last time; without those that say that a target is one."""
        bodies = [json.loads(body) for body in self.cloud.messages(self.url)]
        return [each for each in bodies if "TEST_NOTIFICATION" not in each["Message"]]

    def complete(self, hook: str, result: str = "CONTINUE", **which: str) -> None:
        self.client.complete_lifecycle_action(
            AutoScalingGroupName=self.name, LifecycleHookName=hook, LifecycleActionResult=result, **which
        )


def test_a_hook_holds_a_launch_until_it_is_completed(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", NotificationTargetARN=fleet.topic, NotificationMetadata='{"warm":["prices"]}')
    fleet.scale(1)
    assert fleet.states() == ["Pending:Wait"]
    envelope = only(fleet.told())
    message = json.loads(envelope["Message"])
    assert message.keys() == HOOK
    identifier = message["EC2InstanceId"]
    assert envelope["Subject"] == (
        f"Auto Scaling:  Lifecycle action 'LAUNCHING' for instance {identifier} in progress."
    )
    assert message["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert (message["Origin"], message["Destination"]) == ("EC2", "AutoScalingGroup")
    assert message["NotificationMetadata"] == '{"warm":["prices"]}'
    fleet.complete("launching", LifecycleActionToken=message["LifecycleActionToken"])
    assert fleet.states() == ["InService"]


def test_a_hooks_target_gets_a_test_message_first(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", NotificationTargetARN=fleet.topic)
    body = only(cloud.messages(fleet.url))
    envelope = json.loads(body)
    message = json.loads(envelope["Message"])
    assert envelope["Subject"] == f'Auto Scaling: test notification for group "{fleet.name}"'
    assert message["Event"] == "autoscaling:TEST_NOTIFICATION"
    assert message.keys() == {
        "AutoScalingGroupName", "AccountId", "Service", "Time", "RequestId", "Event", "AutoScalingGroupARN",
    }  # fmt: skip


def test_a_hook_reaches_eventbridge_with_the_same_token(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", NotificationTargetARN=fleet.topic, NotificationMetadata="m")
    events = events_of(cloud, "aws.autoscaling", {"AutoScalingGroupName": [fleet.name]})
    fleet.scale(1)
    event = only(events())
    assert event["detail-type"] == "EC2 Instance-launch Lifecycle Action"
    assert event["detail"].keys() == EVENT
    assert event["resources"][0].endswith(f"autoScalingGroupName/{fleet.name}")
    envelope = only(fleet.told())
    assert json.loads(envelope["Message"])["LifecycleActionToken"] == event["detail"]["LifecycleActionToken"]


def test_a_termination_is_held_and_its_instance_ends_in_ec2(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("TERMINATING", NotificationTargetARN=fleet.topic)
    fleet.scale(2)
    fleet.scale(1)
    assert sorted(fleet.states()) == ["InService", "Terminating:Wait"]
    envelope = only(fleet.told())
    message = json.loads(envelope["Message"])
    assert (message["Origin"], message["Destination"]) == ("AutoScalingGroup", "EC2")
    assert "NotificationMetadata" not in message
    identifier = message["EC2InstanceId"]

    def state() -> str:
        [found] = cloud.client("ec2").describe_instances(InstanceIds=[identifier])["Reservations"]
        return str(found["Instances"][0]["State"]["Name"])

    assert state() == "running"
    fleet.complete("terminating", InstanceId=identifier)
    assert fleet.states() == ["InService"]
    assert state() == "terminated"


def test_no_active_action_is_refused_with_awss_words(cloud: Cloud) -> None:
    """The words: https://github.com/convox/rack/issues/2432, by token spacelift-io's pull request 197."""
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", NotificationTargetARN=fleet.topic)
    fleet.scale(1)
    envelope = only(fleet.told())
    message = json.loads(envelope["Message"])
    identifier, token = message["EC2InstanceId"], message["LifecycleActionToken"]
    missing = "ValidationError: No active Lifecycle Action found with"
    wrong = "00000000-0000-0000-0000-000000000000"
    heartbeat = fleet.client.record_lifecycle_action_heartbeat
    names = {"AutoScalingGroupName": fleet.name, "LifecycleHookName": "launching"}
    completed = {"hook": "launching", "LifecycleActionToken": token}
    assert (
        refusal(fleet.complete, **(completed | {"LifecycleActionToken": wrong})) == f"{missing} token {wrong}"
    )
    assert refusal(fleet.complete, **(completed | {"hook": "other"})) == f"{missing} token {token}"
    assert refusal(heartbeat, **names, InstanceId="i-1") == f"{missing} instance ID i-1"
    assert refusal(heartbeat, **names, LifecycleActionToken=token) == ""
    assert refusal(fleet.complete, **completed) == ""
    assert refusal(fleet.complete, **completed) == f"{missing} token {token}"
    gone = f"{missing} instance ID {identifier}"
    assert refusal(fleet.complete, hook="launching", InstanceId=identifier) == gone


def test_an_instance_that_ends_while_it_is_held_has_no_action_left(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", HeartbeatTimeout=30, DefaultResult="CONTINUE")
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"]
    fleet.client.put_notification_configuration(
        AutoScalingGroupName=fleet.name, TopicARN=fleet.topic, NotificationTypes=kinds
    )
    fleet.scale(1)
    identifier = fleet.identifiers()[0]
    fleet.scale(0)
    assert fleet.states() == []
    assert json.loads(only(fleet.told())["Message"])["Event"] == kinds[1]
    late = refusal(fleet.complete, hook="launching", InstanceId=identifier)
    assert late == f"ValidationError: No active Lifecycle Action found with instance ID {identifier}"
    time.sleep(3.5)  # the heartbeat's time, of which nothing may come
    assert fleet.told() == []


def test_the_default_result_counts_when_the_heartbeat_is_over(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", HeartbeatTimeout=30, DefaultResult="CONTINUE")
    fleet.scale(1)
    assert fleet.states() == ["Pending:Wait"]
    awaited(cloud, lambda: fleet.states() == ["InService"])


def test_a_heartbeat_begins_the_time_anew(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", HeartbeatTimeout=30, DefaultResult="CONTINUE")
    fleet.scale(1)
    time.sleep(1.5)  # half of it: the engines of these tests take a tenth of AWS's time
    identifier = fleet.identifiers()[0]
    begun = time.monotonic()
    fleet.client.record_lifecycle_action_heartbeat(
        AutoScalingGroupName=fleet.name, LifecycleHookName="launching", InstanceId=identifier
    )
    awaited(cloud, lambda: fleet.states() == ["InService"])
    assert time.monotonic() - begun > 2.9


@pytest.mark.parametrize(("result", "left"), [("CONTINUE", ["Terminating:Wait"]), ("ABANDON", [])])
def test_every_hook_holds_unless_one_abandons(cloud: Cloud, result: str, left: list[str]) -> None:
    """ABANDON stops what remains to be done, other hooks too: the guide's "Complete a lifecycle action"."""
    fleet = Fleet(cloud)
    for name in ("one", "two"):
        fleet.client.put_lifecycle_hook(
            AutoScalingGroupName=fleet.name, LifecycleHookName=name,
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        )  # fmt: skip
    fleet.scale(1)
    identifier = fleet.identifiers()[0]
    fleet.scale(0)
    assert fleet.states() == ["Terminating:Wait"]
    fleet.complete("one", result, InstanceId=identifier)
    assert fleet.states() == left


def test_an_abandoned_launch_is_replaced(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.hook("LAUNCHING", NotificationTargetARN=fleet.topic)
    fleet.scale(1)
    envelope = only(fleet.told())
    first = json.loads(envelope["Message"])["EC2InstanceId"]
    fleet.complete("launching", "ABANDON", InstanceId=first)
    assert fleet.states() == []
    second = only(awaited(cloud, fleet.told))
    assert json.loads(second["Message"])["EC2InstanceId"] != first
    assert fleet.states() == ["Pending:Wait"]


def test_a_group_notifies_its_topic_of_launches_and_terminations(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"]
    fleet.client.put_notification_configuration(
        AutoScalingGroupName=fleet.name, TopicARN=fleet.topic, NotificationTypes=kinds
    )
    rows = fleet.client.describe_notification_configurations(AutoScalingGroupNames=[fleet.name])
    assert [row["NotificationType"] for row in rows["NotificationConfigurations"]] == kinds
    fleet.scale(1)
    fleet.scale(0)
    envelopes = fleet.told()
    messages = [json.loads(envelope["Message"]) for envelope in envelopes]
    assert [message["Event"] for message in messages] == kinds
    assert all(message.keys() == GROUP for message in messages)
    assert envelopes[0]["Subject"] == f'Auto Scaling: launch for group "{fleet.name}"'
    fleet.client.delete_notification_configuration(AutoScalingGroupName=fleet.name, TopicARN=fleet.topic)
    fleet.scale(1)
    assert fleet.told() == []


def test_an_instance_is_one_of_ec2_with_the_groups_tags(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.scale(1)
    wanted = [
        {"Name": "tag:hub", "Values": ["yes"]},
        {"Name": "tag:aws:autoscaling:groupName", "Values": [fleet.name]},
    ]
    found = only(cloud.client("ec2").describe_instances(Filters=wanted)["Reservations"])
    assert found["Instances"][0]["ImageId"] == "ami-12345678"


def test_tags_are_those_of_the_group_that_is_asked_for(cloud: Cloud) -> None:
    fleet, _other = Fleet(cloud), Fleet(cloud)
    group = {"Name": "auto-scaling-group", "Values": [fleet.name]}
    tag = only(fleet.client.describe_tags(Filters=[group])["Tags"])
    assert (tag["ResourceId"], tag["Key"], tag["Value"]) == (fleet.name, "hub", "yes")
    for other in ({"Name": "key", "Values": ["other"]}, {"Name": "propagate-at-launch", "Values": ["false"]}):
        assert fleet.client.describe_tags(Filters=[group, other])["Tags"] == []
    wrong = {"Name": "tag", "Values": ["hub"]}
    assert refusal(fleet.client.describe_tags, Filters=[wrong]).startswith("ValidationError")


def test_a_terminated_instance_is_replaced_unless_the_group_shrinks(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    fleet.scale(2)
    terminate = fleet.client.terminate_instance_in_auto_scaling_group

    first, second = fleet.identifiers()
    terminate(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    assert len(fleet.identifiers()) == 2
    assert first not in fleet.identifiers()
    terminate(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    assert len(fleet.identifiers()) == 1


def test_a_group_with_instances_needs_force_to_be_deleted(cloud: Cloud) -> None:
    """API_DeleteAutoScalingGroup: ResourceInUse, "while there are instances"."""
    fleet = Fleet(cloud)
    fleet.scale(1)
    delete = fleet.client.delete_auto_scaling_group
    assert refusal(delete, AutoScalingGroupName=fleet.name).startswith("ResourceInUse")
    assert refusal(delete, AutoScalingGroupName=fleet.name, ForceDelete=True) == ""


def test_a_hook_without_a_group_or_beyond_the_range_is_refused(cloud: Cloud) -> None:
    fleet = Fleet(cloud)
    hook = fleet.client.put_lifecycle_hook
    names = {"LifecycleHookName": "h", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
    assert refusal(hook, AutoScalingGroupName="absent", **names).startswith("ValidationError")
    for seconds in (29, 7201):
        refused = refusal(hook, AutoScalingGroupName=fleet.name, HeartbeatTimeout=seconds, **names)
        assert refused.startswith("ValidationError")


def test_a_template_gives_a_group_its_hooks_and_instances(cloud: Cloud) -> None:
    topic, url = subscribed(cloud)
    hook = {
        "LifecycleHookName": "launching", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "NotificationTargetARN": topic,
    }  # fmt: skip
    properties = {
        "MinSize": "1", "MaxSize": "2", "AvailabilityZones": [f"{cloud.region}a"],
        "LifecycleHookSpecificationList": [hook],
    }  # fmt: skip
    group = {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": properties}
    cloud.deploy({"Resources": {"Group": group}, "Outputs": {"Name": {"Value": {"Ref": "Group"}}}})
    body = only(cloud.messages(url))
    assert json.loads(json.loads(body)["Message"])["LifecycleHookName"] == "launching"
