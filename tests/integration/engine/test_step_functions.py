"""Step Functions: idempotent starts, bounded and jittered retries, metrics of executions."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud


def _machine(cloud: Cloud, state: dict[str, Any], kind: str = "STANDARD") -> str:
    definition = {"StartAt": "Only", "States": {"Only": state}}
    answer = cloud.client("stepfunctions").create_state_machine(
        name=cloud.name("machine"), definition=json.dumps(definition), type=kind,
        roleArn=f"arn:aws:iam::{cloud.account}:role/any",
    )  # fmt: skip
    return str(answer["stateMachineArn"])


def _ended(cloud: Cloud, machine: str, seconds: float) -> str:
    """Run a machine; the status in which it ends within some time, or the one in which it is then."""
    client = cloud.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=machine)["executionArn"]
    end = time.monotonic() + seconds
    while (status := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return str(status)


def _failing(cloud: Cloud, **retry: Any) -> dict[str, Any]:
    function = cloud.function("def handler(event, context):\n    raise RuntimeError('never')")
    retrier = {"ErrorEquals": ["States.ALL"], "MaxAttempts": 2} | retry
    return {
        "Type": "Task", "Resource": f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:{function}",
        "Retry": [retrier], "End": True,
    }  # fmt: skip


def test_a_retrier_waits_no_longer_than_its_longest_delay(cloud: Cloud) -> None:
    machine = _machine(cloud, _failing(cloud, IntervalSeconds=60, MaxDelaySeconds=1))
    assert _ended(cloud, machine, seconds=20) == "FAILED"


def test_full_jitter_waits_shorter_than_the_interval(cloud: Cloud) -> None:
    """Of twenty waits of up to ten seconds at least one is below two, but for one time in a hundred."""
    state = _failing(cloud, IntervalSeconds=10, BackoffRate=1, MaxAttempts=1, JitterStrategy="FULL")
    client, machine = cloud.client("stepfunctions"), _machine(cloud, state)
    executions = [client.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(20)]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.2)
        states = {client.describe_execution(executionArn=each)["status"] for each in executions}
        if "FAILED" in states:
            break
    assert "FAILED" in states


def test_executions_are_counted(cloud: Cloud) -> None:
    machine = _machine(cloud, {"Type": "Succeed"})
    broken = _machine(cloud, {"Type": "Fail", "Error": "No", "Cause": "none"})
    assert (_ended(cloud, machine, 10), _ended(cloud, broken, 10)) == ("SUCCEEDED", "FAILED")

    def counted(metric: str, arn: str) -> float:
        points = cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/States", MetricName=metric, Statistics=["Sum"], Period=3600,
            Dimensions=[{"Name": "StateMachineArn", "Value": arn}],
            StartTime=time.time() - 7200, EndTime=time.time() + 60,
        )["Datapoints"]  # fmt: skip
        return float(sum(point["Sum"] for point in points))

    awaited(cloud, lambda: counted("ExecutionsFailed", broken) == 1)
    assert counted("ExecutionsStarted", broken) == counted("ExecutionsSucceeded", machine) == 1
    assert counted("ExecutionsFailed", machine) == 0


def test_express_executions_send_no_events(cloud: Cloud) -> None:
    url, queue = cloud.queue()
    events, rule = cloud.client("events"), cloud.name("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.states"]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": queue}])
    express = _machine(cloud, {"Type": "Succeed"}, "EXPRESS")
    standard = _machine(cloud, {"Type": "Succeed"})
    for machine in (express, standard):
        assert _ended(cloud, machine, 10) == "SUCCEEDED"
    seen: list[str] = []
    awaited(cloud, lambda: seen.extend(cloud.messages(url)) or any("SUCCEEDED" in each for each in seen))  # type: ignore[func-returns-value]
    machines = {json.loads(each)["detail"]["stateMachineArn"] for each in seen}
    assert standard in machines
    assert express not in machines


def test_a_start_is_repeated_while_the_execution_runs(cloud: Cloud) -> None:
    """ "The call succeeds and return the same response as the original request"; else ExecutionAlreadyExists.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    client = cloud.client("stepfunctions")
    machine = _machine(cloud, {"Type": "Wait", "Seconds": 3, "End": True})

    def start(text: str) -> tuple[str, Any]:
        answer = client.start_execution(stateMachineArn=machine, name="ride-1", input=text)
        return answer["executionArn"], answer["startDate"]

    first = start('{"ride": 1}')
    assert start('{"ride": 1}') == first
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        start('{"ride": 2}')
    awaited(cloud, lambda: client.describe_execution(executionArn=first[0])["status"] == "SUCCEEDED")
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        start('{"ride": 1}')
