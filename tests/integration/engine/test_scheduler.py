"""EventBridge Scheduler: the context attributes of an input, and starts that fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud


def _soon(cloud: Cloud, **target: Any) -> tuple[str, datetime]:
    """Make a schedule that fires once, in a second; its ARN and when."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    arn = cloud.client("scheduler").create_schedule(
        Name=cloud.name("schedule"),
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"RoleArn": f"arn:aws:iam::{cloud.account}:role/any"} | target,
    )["ScheduleArn"]
    return str(arn), moment


def _received(cloud: Cloud, url: str, bare: float = 1.0) -> dict[str, Any]:
    """Return the one message of a queue with its attributes."""
    sqs = cloud.client("sqs")
    [message] = awaited(
        cloud,
        lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"),
        bare=bare,
    )
    found: dict[str, Any] = message
    return found


def test_an_input_knows_the_scheduled_time_the_schedule_and_the_execution(cloud: Cloud) -> None:
    url, queue = cloud.queue()
    given = {"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>",
             "id": "<aws.scheduler.execution-id>", "attempt": "<aws.scheduler.attempt-number>"}  # fmt: skip
    arn, moment = _soon(cloud, Arn=queue, Input=json.dumps(given))
    body = json.loads(_received(cloud, url, bare=14.0)["Body"])  # the bare one looks every 10 s
    assert (body["at"], body["by"], body["attempt"]) == (f"{moment:%Y-%m-%dT%H:%M:%SZ}", arn, "1")
    assert len(body["id"]) == 36


def test_a_start_without_its_target_is_dead_lettered_unchanged(cloud: Cloud) -> None:
    url, queue = cloud.queue()
    missing = f"arn:aws:states:{cloud.region}:{cloud.account}:stateMachine:absent"
    arn, moment = _soon(
        cloud, Arn=missing, Input='{"at": "<aws.scheduler.scheduled-time>"}', DeadLetterConfig={"Arn": queue}
    )
    message = _received(cloud, url)
    assert json.loads(message["Body"]) == {"at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    why = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (why["SCHEDULE_ARN"], why["TARGET_ARN"]) == (arn, missing)
