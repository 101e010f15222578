"""The container metrics: change counts through ECS's API, and read the five-second series back."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait

__all__ = ["BESIDE", "FLOW", "NEEDS", "PAGE", "STEPS", "drive"]

FLOW = "schedule → slots of the next minute → sample → CloudWatch → alarm, dashboard"
PAGE = "insights/?app=container_metrics"
STEPS = 8
BESIDE = True  # it waits for slots of the clock
NEEDS = ("ContainerMetricsClusterNames",)  # absent where no clusters are named
SLOT = timedelta(seconds=5)
RUNNING = [1, 3]  # tasks at the first slot and at the last one
SERVICES = [0, 1]
# A slot may be sampled until the next one is due; later it is missing. So counts change when no sample of the
# first slot is under way any more, and there is time for the change before the last one.
SLOTS = 4
CHANGE_AFTER = timedelta(seconds=7)
LEAD = timedelta(seconds=3)  # of the start of an execution
TRIES = 3  # for slots that a busy machine misses
PATIENCE_S = 90.0  # a schedule is precise to a minute


def _seconds_until(moment: datetime) -> float:
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


class _Cluster:
    """The cluster that the stack has locally."""

    def __init__(self, suite: Suite, name: str) -> None:
        self.name = name
        self._ecs = suite.client("ecs")
        definition = self._ecs.register_task_definition(
            family="demo-containers", containerDefinitions=[{"name": "app", "image": "app", "memory": 64}]
        )
        self._definition = definition["taskDefinition"]["taskDefinitionArn"]

    def scale(self, running: int, services: int) -> None:
        """Have as many tasks and services, whatever there is."""
        tasks = self._ecs.list_tasks(cluster=self.name)["taskArns"]
        for task in tasks[running:]:
            self._ecs.stop_task(cluster=self.name, task=task)
        if running > len(tasks):
            self._ecs.run_task(cluster=self.name, taskDefinition=self._definition, count=running - len(tasks))
        arns = self._ecs.list_services(cluster=self.name)["serviceArns"]
        for arn in arns[services:]:
            self._ecs.delete_service(cluster=self.name, service=arn, force=True)
        for _ in range(len(arns), services):
            self._ecs.create_service(
                cluster=self.name, serviceName=f"demo-{time.time_ns():x}", desiredCount=0,
                taskDefinition=self._definition,
            )  # fmt: skip


def drive(suite: Suite, checks: Checks) -> None:
    """Sample slots of the stack's cluster, and of a cluster that is none of the stack's."""
    cluster = _Cluster(suite, suite["ContainerMetricsClusterNames"].split(",")[0])
    for _ in range(TRIES):
        slots, ended, stranger = _sample(suite, cluster)
        found = {
            metric: _series(suite, cluster.name, metric, slots)
            for metric in ("RunningTask", "ActiveServices")
        }
        if None not in [*found["RunningTask"], *found["ActiveServices"]]:
            break
    checks.equal(
        "an execution that starts late samples the slots that are left", ended["status"], "SUCCEEDED"
    )
    for metric, counts in (("RunningTask", RUNNING), ("ActiveServices", SERVICES)):
        checks.equal(f"five-second series of {metric} are what the cluster had", found[metric], counts)
    refused = _ended(suite, stranger)
    checks.true(
        "a cluster that the template does not name fails with its reason",
        refused["status"] == "FAILED" and "someone-elses: AccessDeniedException" in refused.get("cause", ""),
        str(refused.get("cause")),
    )
    checks.equal(
        "and has no zeros", _series(suite, "someone-elses", "RunningTask", slots), [None] * len(slots)
    )
    dashboard = suite.client("cloudwatch").get_dashboard(DashboardName=suite["ContainerMetricsDashboardName"])
    checks.true("the dashboard is there", json.loads(dashboard["DashboardBody"])["widgets"])
    rows = PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD).get("containers", cluster=cluster.name).json()["rows"]
    shown = {row[0]: row[1] for row in rows}
    checks.equal(
        "the page's API answers with the same series",
        [shown.get(int(slot.timestamp())) for slot in slots],
        RUNNING,
    )
    _check_schedule(suite, checks)


def _sample(suite: Suite, cluster: _Cluster) -> tuple[list[datetime], dict[str, Any], str]:
    """Change the cluster's counts between the first and the last slot of an execution.

    Returns:
        The two slots, how the execution ended, and the ARN of one for a cluster that is none of the stack's.
    """
    cluster.scale(RUNNING[0], SERVICES[0])
    # A start so late that a few slots alone are left.
    soon = datetime.now(UTC) + LEAD
    first = soon.replace(second=soon.second - soon.second % 5, microsecond=0) + SLOT
    last = first + SLOT * (SLOTS - 1)
    scheduled = last - timedelta(seconds=115)

    def start(name: str) -> str:
        given = {"scheduled": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ"), "ECSClusterName": name}
        answer = suite.client("stepfunctions").start_execution(
            stateMachineArn=suite["ContainerMetricsStateMachineArn"], input=json.dumps(given)
        )
        return str(answer["executionArn"])

    execution, stranger = start(cluster.name), start("someone-elses")
    time.sleep(_seconds_until(first + CHANGE_AFTER))
    cluster.scale(RUNNING[1], SERVICES[1])
    return [first, last], _ended(suite, execution), stranger


def _check_schedule(suite: Suite, checks: Checks) -> None:
    """Let the stack's schedule happen once more, in a moment: its own next time may be a minute away."""
    scheduler, states = suite.client("scheduler"), suite.client("stepfunctions")
    [found] = [
        each for each in scheduler.list_schedules()["Schedules"] if "ContainerMetricsSchedule" in each["Name"]
    ]
    schedule = scheduler.get_schedule(Name=found["Name"])
    soon = datetime.now(UTC) + timedelta(seconds=5)
    if soon.second == 0:  # the stack's own time
        soon += timedelta(seconds=1)
    moment = f"{soon:%Y-%m-%dT%H:%M:%S}"
    scheduler.create_schedule(
        Name=f"demo-{time.time_ns():x}", ScheduleExpression=f"at({moment})", ActionAfterCompletion="DELETE",
        FlexibleTimeWindow={"Mode": "OFF"}, Target=schedule["Target"],
    )  # fmt: skip

    def started() -> list[dict[str, Any]]:
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=suite["ContainerMetricsStateMachineArn"]
        )
        arns = [each["executionArn"] for page in pages for each in page["executions"]]
        inputs = [json.loads(states.describe_execution(executionArn=arn)["input"]) for arn in arns]
        return [given for given in inputs if given.get("scheduled") == f"{moment}Z"]

    checks.equal(
        "the schedule starts an execution, and tells it the scheduled time and the clusters",
        [given["sources"] for given in wait(started, PATIENCE_S)],
        [[{"source": "ecs", "targets": suite["ContainerMetricsClusterNames"].split(",")}]],
    )


def _ended(suite: Suite, execution: str) -> dict[str, Any]:
    """Wait until an execution has ended."""

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = suite.client("stepfunctions").describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    return wait(ended, PATIENCE_S) or {"status": "RUNNING"}


def _series(suite: Suite, cluster: str, metric: str, slots: list[datetime]) -> list[float | None]:
    """Return the value at each slot, None where there is none."""
    stat = {
        "Metric": {
            "Namespace": "ECS", "MetricName": metric,
            "Dimensions": [{"Name": "ClusterName", "Value": cluster}],
        },
        "Period": 5, "Stat": "Maximum",
    }  # fmt: skip
    answer = suite.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}], StartTime=slots[0], EndTime=slots[-1] + SLOT
    )["MetricDataResults"][0]
    found = dict(zip((each.astimezone(UTC) for each in answer["Timestamps"]), answer["Values"], strict=True))
    return [found.get(slot) for slot in slots]
