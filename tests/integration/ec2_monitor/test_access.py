"""What roles and policies allow, with the engine's IAM enforcement on."""

from __future__ import annotations

from datagen.ec2_calls import recorded
from local.suite import Suite
from tests.integration.ec2_monitor.conftest import Alerts, Ec2
from tests.support.permissions import BY_LAMBDA, allowed, refused, unused
from tests.support.waiting import wait_until


def test_shape_may_write_its_logs_and_needs_nothing(suite: Suite, ec2: Ec2) -> None:
    ec2.happen([ec2.ours(recorded("calls")["TerminateInstances"])])
    ec2.wait_for(1)
    assert refused(suite, "Ec2ShapeFunction") == []
    assert allowed(suite, "Ec2ShapeFunction")[1] <= BY_LAMBDA
    assert unused(suite, "Ec2ShapeFunction") == set()


def test_alerts_reach_a_subscriber_by_the_topics_policy(ec2: Ec2, alerts: Alerts) -> None:
    event = ec2.ours(recorded("alerts")["root_call"])
    ec2.happen([event])
    assert wait_until(lambda: alerts.of(event), what="an alert")
