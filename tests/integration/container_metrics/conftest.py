from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.suite import Suite
from tests.support.permissions import function
from tests.support.waiting import wait_until

SLOT = timedelta(seconds=5)
CONTAINER = {"name": "app", "image": "app", "memory": 64}
# The app waits for the database's health check, for longer than any test runs: the task stays pending.
PENDING = [
    CONTAINER | {"dependsOn": [{"containerName": "database", "condition": "HEALTHY"}]},
    CONTAINER | {"name": "database", "healthCheck": {"command": ["true"], "startPeriod": 300}},
]


class Containers:
    """Clusters, executions and series as a test sees them; what a test makes has its prefix."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.prefix = f"t{uuid.uuid4().hex[:8]}"
        self.machine = suite["ContainerMetricsStateMachineArn"]
        self._ecs = suite.client("ecs")
        self._tasks: dict[tuple[str, str], list[str]] = {}
        self._definitions = {
            kind: self._ecs.register_task_definition(
                family=f"{self.prefix}-{kind}", containerDefinitions=containers
            )["taskDefinition"]["taskDefinitionArn"]
            for kind, containers in (("running", [CONTAINER]), ("pending", PENDING))
        }
        # The template's role reads the stack's own clusters alone; a test's are allowed while it runs.
        configuration = suite.client("lambda").get_function_configuration(
            FunctionName=function(suite, "ContainerMetricsFunction")
        )
        self.role_arn: str = configuration["Role"]
        self.role = self.role_arn.rpartition("/")[2]
        statement = {
            "Effect": "Allow",
            "Action": ["ecs:DescribeClusters", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
            "Resource": [f"arn:aws:ecs:*:*:cluster/{self.prefix}-*", f"arn:aws:sqs:*:*:{self.prefix}-*"],
        }
        suite.client("iam").put_role_policy(
            RoleName=self.role,
            PolicyName=self.prefix,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    @contextmanager
    def assuming(self, reader: str) -> Iterator[None]:
        """Let the function assume a role of another account, as the template's parameter does."""
        functions, iam = self.suite.client("lambda"), self.suite.client("iam")
        name = function(self.suite, "ContainerMetricsFunction")
        before = functions.get_function_configuration(FunctionName=name)["Environment"]
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": reader}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=self.role, PolicyName="assume", PolicyDocument=document)
        variables = before["Variables"] | {"READER_ROLES": reader}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment=before)
            iam.delete_role_policy(RoleName=self.role, PolicyName="assume")

    def close(self) -> None:
        """Take the permission back, and stop what runs."""
        self.suite.client("iam").delete_role_policy(RoleName=self.role, PolicyName=self.prefix)
        for (cluster, _), tasks in self._tasks.items():
            for task in tasks:
                self._ecs.stop_task(cluster=cluster, task=task)

    # ---- clusters

    def name(self, part: str) -> str:
        """Return a name of this test."""
        return f"{self.prefix}-{part}"

    def cluster(self, part: str, **counts: int) -> str:
        """Create a cluster with `running` and `pending` tasks and `services`; its name."""
        name = self.name(part)
        self._ecs.create_cluster(clusterName=name)
        self.scale(name, **counts)
        return name

    def scale(self, cluster: str, *, running: int = 0, pending: int = 0, services: int = 0) -> None:
        """Run and stop tasks, create and delete services, until there are as many."""
        for kind, wanted in (("running", running), ("pending", pending)):
            tasks = self._tasks.setdefault((cluster, kind), [])
            if wanted > len(tasks):
                more = self._ecs.run_task(
                    cluster=cluster, taskDefinition=self._definitions[kind], count=wanted - len(tasks)
                )
                tasks += [task["taskArn"] for task in more["tasks"]]
            while wanted < len(tasks):
                self._ecs.stop_task(cluster=cluster, task=tasks.pop())
        arns = self._ecs.list_services(cluster=cluster)["serviceArns"]
        for number in range(len(arns), services):
            self._ecs.create_service(
                cluster=cluster, serviceName=f"service-{number}-{uuid.uuid4().hex[:6]}", desiredCount=0,
                taskDefinition=self._definitions["running"],
            )  # fmt: skip
        for arn in arns[services:]:
            self._ecs.delete_service(cluster=cluster, service=arn, force=True)

    # ---- executions

    def start(self, given: dict[str, Any], slots: int, machine: str = "") -> str:
        """Start an execution so late that some slots alone are left; its ARN."""
        while datetime.now(UTC).timestamp() % 5 > 4:  # not a moment before a slot
            time.sleep(0.1)
        now = datetime.now(UTC)
        grid = now.replace(second=now.second - now.second % 5, microsecond=0)
        scheduled = grid + SLOT * slots - timedelta(seconds=115)
        return self.run(given | {"scheduled": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ")}, machine)

    def run(self, given: dict[str, Any], machine: str = "") -> str:
        """Start an execution; its ARN."""
        answer = self.suite.client("stepfunctions").start_execution(
            stateMachineArn=machine or self.machine, input=json.dumps(given)
        )
        return str(answer["executionArn"])

    def ended(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until an execution has ended; its description, with the output decoded."""
        client = self.suite.client("stepfunctions")

        def done() -> dict[str, Any]:
            found: dict[str, Any] = client.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else {}

        found = wait_until(done, seconds=seconds, every=0.2, what="the end of the execution")
        return found | {"output": json.loads(found.get("output") or "null")}

    def sampled(self, given: dict[str, Any], slots: int = 1) -> dict[str, Any]:
        """Sample some slots, and return how that ended."""
        return self.ended(self.start(given, slots))

    def invoke(self, event: Any) -> dict[str, Any]:
        """Invoke the function; its answer, or its error."""
        answer = self.suite.client("lambda").invoke(
            FunctionName=self.suite["ContainerMetricsFunctionName"], Payload=json.dumps(event).encode()
        )
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found

    # ---- CloudWatch

    def series(
        self, target: str, metric: str, *, statistic: str = "Maximum", namespace: str = "ECS",
        dimension: str = "ClusterName", **more: str,
    ) -> dict[datetime, float]:  # fmt: skip
        """Return the five-second series of a metric in the last minutes; `more` are further dimensions."""
        now = datetime.now(UTC)
        stat = {
            "Metric": {
                "Namespace": namespace, "MetricName": metric,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in {dimension: target, **more}.items()
                ],
            },
            "Period": 5, "Stat": statistic,
        }  # fmt: skip
        answer = self.suite.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
        )["MetricDataResults"][0]
        times = [moment.astimezone(UTC) for moment in answer["Timestamps"]]
        return dict(sorted(zip(times, answer["Values"], strict=True)))

    def metrics(self, target: str) -> set[str]:
        """Return the names of the metrics that a target has."""
        pages = self.suite.client("cloudwatch").get_paginator("list_metrics").paginate(Namespace="ECS")
        return {
            metric["MetricName"]
            for page in pages
            for metric in page["Metrics"]
            if target in [each["Value"] for each in metric["Dimensions"]]
        }


def moments(slots: list[str]) -> list[datetime]:
    """Return the slots of an execution's output as times."""
    return [datetime.fromisoformat(slot) for slot in slots]


@pytest.fixture
def containers(suite: Suite) -> Iterator[Containers]:
    made = Containers(suite)
    yield made
    made.close()
