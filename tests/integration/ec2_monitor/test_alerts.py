"""What alerts: the root user, a security group open to the world, sign-ins, a burst of terminations."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datagen.ec2_calls import Event, recorded
from local.suite import Suite
from tests.integration.ec2_monitor.conftest import Alerts, Ec2
from tests.support.alarms import alarms_of
from tests.support.waiting import wait_until

OPENED = [name for name in recorded("alerts") if name.startswith(("ingress", "modify"))]


def told(alerts: Alerts, event: Event) -> str:
    """Wait for the one alert about an event, and return its text."""
    [text] = wait_until(lambda: alerts.of(event), what="an alert")
    return text


@pytest.mark.parametrize("name", OPENED)
def test_a_security_group_that_is_opened_to_the_world_alerts(ec2: Ec2, alerts: Alerts, name: str) -> None:
    event = ec2.ours(recorded("alerts")[name])
    ec2.happen([event])
    text = told(alerts, event)
    parameters = json.dumps(event["detail"]["requestParameters"])
    group = text.removeprefix('"Security group ').partition(" was opened to the world: account 123456789012")[
        0
    ]
    assert f'"{group}"' in parameters
    assert event["detail"]["userIdentity"]["arn"] in text
    assert event["detail"]["sourceIPAddress"] in text


@pytest.mark.parametrize("name", ["root_call", "root_sign_in"])
def test_the_root_user_alerts_whatever_the_service_and_once(ec2: Ec2, alerts: Alerts, name: str) -> None:
    event = ec2.ours(recorded("alerts")[name])
    ec2.happen([event])
    text = told(alerts, event)
    assert text.startswith('"The root user of account 123456789012 was used: us-east-1, ')
    assert f"{event['detail']['eventName']} of {event['detail']['eventSource']}" in text


@pytest.mark.parametrize(("name", "result"), [("sign_in", "Success"), ("sign_in_failed", "Failure")])
def test_a_sign_in_alerts_and_says_how_it_ended(ec2: Ec2, alerts: Alerts, name: str, result: str) -> None:
    event = ec2.ours(recorded("alerts")[name])
    ec2.happen([event])
    text = told(alerts, event)
    assert f"account 123456789012: {result}, " in text
    assert "IAMUser carol" in text


def widened(**changes: Any) -> Event:
    event = recorded("alerts")["ingress_ipv4"]
    event["detail"] |= changes
    return event


def by_root_for(service: str | None, **changes: Any) -> Event:
    """The root user's call, made by a service in its name."""
    event = recorded("alerts")["root_call"]
    event["detail"] |= {"eventID": "11111111-2222-4333-8444-555555555555"} | changes
    if service:
        event["detail"]["userIdentity"]["invokedBy"] = service
    return event


QUIET = recorded("quiet") | {
    "call of another service of that name": widened(eventSource="example.amazonaws.com"),
    "a range that ends in a nought": widened(requestParameters={"cidrIp": "10.0.0.0/10"}),
    "parameters that are null": widened(requestParameters=None),
    "what a service did in the root user's name": by_root_for("cloudformation.amazonaws.com"),
    "a service's event about the root user": by_root_for(None, eventType="AwsServiceEvent"),
    "an opening towards others": widened(eventName="AuthorizeSecurityGroupEgress"),
} | {name: recorded("calls")[name] for name in ("RunInstances", "DeleteSecurityGroup")}  # fmt: skip


@pytest.mark.parametrize("name", QUIET)
def test_what_only_looks_like_it_does_not_alert(ec2: Ec2, alerts: Alerts, name: str) -> None:
    event, loud = ec2.ours(QUIET[name]), ec2.ours(recorded("alerts")["root_call"])
    ec2.happen([event, loud])
    told(alerts, loud)  # rules are asked in order: what comes last is told last
    assert alerts.of(event) == []


def burst_alarm(suite: Suite) -> dict[str, Any]:
    alarms = alarms_of(suite)
    [alarm] = [each for each in alarms if "Ec2TerminationsAlarm" in each["AlarmName"]]
    return dict(alarm)


def terminated(suite: Suite) -> float:
    """Return how many instances the metric has counted in the last hours."""
    alarm, now = burst_alarm(suite), datetime.now(UTC)
    points = suite.client("cloudwatch").get_metric_statistics(
        Namespace=alarm["Namespace"], MetricName=alarm["MetricName"], Dimensions=alarm["Dimensions"],
        Period=60, Statistics=["Sum"], StartTime=now - timedelta(hours=3), EndTime=now + timedelta(minutes=1),
    )["Datapoints"]  # fmt: skip
    return float(sum(point["Sum"] for point in points))


def test_ten_instances_terminated_by_one_call_fire_the_alarm(suite: Suite, ec2: Ec2, alerts: Alerts) -> None:
    # What other tests let happen is counted once a later call of our own is in the record.
    ec2.happen([ec2.ours(recorded("calls")["CreateVpc"])])
    ec2.wait_for(1)
    before = terminated(suite)
    ids = [f"i-{number:017x}" for number in range(10)]
    event = ec2.ours(recorded("calls")["TerminateInstances"])
    event["detail"] |= {
        "requestParameters": {"instancesSet": {"items": [{"instanceId": each} for each in ids]}},
        "responseElements": {
            "instancesSet": {
                "items": [{"instanceId": each, "previousState": {"name": "running"}} for each in ids]
            }
        },
    }
    ec2.happen([event, event])
    wait_until(
        lambda: terminated(suite) == before + 10, seconds=30, every=0.2, what="ten instances, each once"
    )
    alarm = burst_alarm(suite)
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (10, "GreaterThanOrEqualToThreshold")
    # Other tests terminate instances too: whatever state they left, from here on the alarm has to fire again.
    suite.client("cloudwatch").set_alarm_state(
        AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="a test begins"
    )
    texts = wait_until(
        lambda: [text for text in alerts.received() if '"NewStateValue": "ALARM"' in text],
        seconds=60, every=0.3, what="the alarm's alert",
    )  # fmt: skip
    assert json.loads(texts[0])["AlarmName"] == alarm["AlarmName"]
