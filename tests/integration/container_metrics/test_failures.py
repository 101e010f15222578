"""What fails between the schedule and CloudWatch, and where that shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.suite import Suite
from tests.conftest import Faults
from tests.integration.container_metrics.conftest import Containers
from tests.support.alarms import alarms_of
from tests.support.permissions import function
from tests.support.waiting import wait_until


def test_cloudwatch_that_throttles_for_a_moment_loses_nothing(containers: Containers, faults: Faults) -> None:
    cluster = containers.cluster("put", running=1)
    faults.inject({"match": "monitoring.PutMetricData", "status": 400, "type": "Throttling", "times": 2})
    ended = containers.sampled({"ECSClusterName": cluster})
    assert ended["status"] == "SUCCEEDED", ended
    assert list(containers.series(cluster, "RunningTask").values()) == [1]


def test_a_function_that_cannot_run_misses_its_slots_and_says_why(
    suite: Suite, containers: Containers
) -> None:
    functions, name = suite.client("lambda"), function(suite, "ContainerMetricsFunction")
    handler = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="container_metrics.gone.handler")
    try:
        ended = containers.sampled({"ECSClusterName": "suite-local-containers"}, slots=2)
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=handler)
    assert ended["error"] == "SamplesMissing"
    assert "ecs suite-local-containers: Runtime.ImportModuleError" in ended["cause"]


@pytest.mark.timeout(180)
def test_a_start_that_fails_is_dead_lettered_and_fires_the_alarm(suite: Suite) -> None:
    """A schedule as the stack's own, of a state machine that is not there."""
    scheduler, name = suite.client("scheduler"), "orphan-of-tests"
    every = scheduler.list_schedules()["Schedules"]
    [own] = [each["Name"] for each in every if "ContainerMetricsSchedule" in each["Name"]]
    target = scheduler.get_schedule(Name=own)["Target"]
    moment = datetime.now(UTC) + timedelta(seconds=2)
    scheduler.create_schedule(
        Name=name, ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})", FlexibleTimeWindow={"Mode": "OFF"},
        Target=target | {"Arn": target["Arn"] + "-gone"},
    )  # fmt: skip
    sqs, queue = suite.client("sqs"), suite["ContainerMetricsDeadLetterQueueUrl"]
    try:
        [message] = wait_until(
            lambda: sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages"),
            seconds=30, what="the start that failed",
        )  # fmt: skip
        scheduled = json.loads(message["Body"])["scheduled"]
        assert scheduled == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"].endswith("-gone")
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

        def fires() -> bool:
            alarms = alarms_of(suite, StateValue="ALARM")
            return any("ContainerMetricsDeadLetterAlarm" in alarm["AlarmName"] for alarm in alarms)

        wait_until(fires, seconds=30, what="the alarm")
    finally:
        scheduler.delete_schedule(Name=name)
        sqs.purge_queue(QueueUrl=queue)
