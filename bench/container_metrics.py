"""The container metrics: simulated days, what a day costs, slots on the engine.

`make bench BENCH=container_metrics`; it writes the table of costs in docs/container_metrics.md too.
"""

import json
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.container_costs import MIXES, ORIGINAL, costs, custom_metrics, table
from bench.deployed import deployed_suite
from bench.harness import ROOT, Suite
from datagen.container_day import SLOT, simulate
from local.suite import Suite as Deployed

SEEDS = 3
AT_ONCE = 4  # executions; on AWS there is one
BAR_DAY = 0.16
BEGIN, END = "<!-- costs: `make bench BENCH=container_metrics` writes this table -->", "<!-- /costs -->"
PAGE = ROOT / "docs/container_metrics.md"


def _simulate(suite: Suite) -> None:
    gaps = duplicates = 0
    for seed in range(SEEDS):
        for scheduled in (True, False):
            day = simulate(seed, scheduled=scheduled)
            gaps, duplicates = gaps + day.gaps, duplicates + day.duplicates
    days = 2 * SEEDS
    suite.add(f"{days} simulated days, starts 0 to 59 s late: gaps", gaps, "slots", 0)
    suite.add(f"{days} simulated days, starts 0 to 59 s late: duplicates", duplicates, "slots", 0)


def _cost(suite: Suite) -> None:
    for mix in MIXES:
        cheapest = mix.workflow == "EXPRESS" and mix.by_minute
        what = f"a day of {mix.workflow}, put by the {mix.put}"
        suite.add(what, costs(mix).total, "$", BAR_DAY if cheapest else None)
    suite.add("a day of the article's original, with PutMetricData", ORIGINAL.total, "$")
    suite.add("custom metrics apart, one cluster, a day", custom_metrics(), "$")
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


def _errors(deployed: Deployed, executions: list[str]) -> list[float]:
    """Seconds from each slot to the end of its sample, by the history of the executions."""
    client, errors = deployed.client("stepfunctions"), []
    for execution in executions:
        pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
        for event in (event for page in pages for event in page["events"]):
            if event["type"] == "TaskSucceeded":
                answer: dict[str, Any] = json.loads(event["taskSucceededEventDetails"]["output"])["Payload"]
                slot = datetime.fromisoformat(answer["slot"])
                errors.append((event["timestamp"].astimezone(UTC) - slot).total_seconds())
    return errors


def _slots(suite: Suite) -> None:
    """Sample a minute on the engine by several executions at once, and see how late each sample was."""
    suite.step("sam build, sam deploy")
    with deployed_suite() as deployed:
        suite.step("a minute on the engine")
        now = datetime.now(UTC)
        scheduled = now - timedelta(seconds=now.second % 5 + 50)
        given = {
            "ECSClusterName": deployed["ContainerMetricsClusterNames"],
            "scheduled": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        client = deployed.client("stepfunctions")
        executions = [
            client.start_execution(
                stateMachineArn=deployed["ContainerMetricsStateMachineArn"], input=json.dumps(given)
            )["executionArn"]
            for _ in range(AT_ONCE)
        ]
        end = time.monotonic() + 120
        while time.monotonic() < end and any(
            client.describe_execution(executionArn=each)["status"] == "RUNNING" for each in executions
        ):
            time.sleep(1)
        errors = sorted(_errors(deployed, executions))
        what = f"{AT_ONCE} executions at once, {SLOT.seconds} s a slot"
        suite.add(f"{what}: slots sampled", len(errors), f"of {12 * AT_ONCE}", 12 * AT_ONCE, "higher")
        late = statistics.quantiles(errors, n=100, method="inclusive")
        suite.add(f"{what}: from the slot to the published sample, p99", late[98], "s", 1)
        suite.add(f"{what}: from the slot to the published sample, p50", late[49], "s")


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("container_metrics", steps=4)
    suite.step("simulated days")
    _simulate(suite)
    suite.step("costs")
    _cost(suite)
    _slots(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
