"""What a day of the container metrics costs at list prices of us-east-1, beside the article's original.

Transitions are counted by walking the definition with its own expressions; durations follow from the slots,
calls from what the function does. One cluster, no failures, no free tiers. docs/container_metrics.md has it.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from datagen.container_day import DEFINITION, MINUTES, definition, evaluate

__all__ = ["MIXES", "ORIGINAL", "Costs", "Mix", "costs", "custom_metrics", "table", "transitions"]

# https://aws.amazon.com/step-functions/pricing/
TRANSITION = 0.025 / 1_000
EXPRESS_REQUEST = 1.00 / 1_000_000
EXPRESS_GB_SECOND = 0.06 / 3600  # the first tier; billed in 100 ms and 64 MB
EXPRESS_BASE_MB, EXPRESS_CHUNK_MB = 50, 64
# https://aws.amazon.com/lambda/pricing/ (arm64)
INVOCATION = 0.20 / 1_000_000
LAMBDA_GB_SECOND = 0.0000133334
# https://aws.amazon.com/cloudwatch/pricing/
PUT_METRIC_DATA = 0.01 / 1_000
METRIC_MONTH = 0.30
# https://aws.amazon.com/eventbridge/pricing/ (Scheduler)
SCHEDULED_INVOCATION = 1.00 / 1_000_000

DAYS = 30
SLOTS = 12
MEAN_JITTER_S = 30.0
FIRST_SLOT_S, LAST_SLOT_S = 60, 115  # after the scheduled time
# What the article measured for its function, with the same two calls and memory: rather too much by now.
FUNCTION_S = 0.25
METRICS_OF_A_CLUSTER, METRICS_OF_THE_STACK = 4, 1


@dataclass(frozen=True)
class Mix:
    """One of the four ways to run it."""

    workflow: str
    put: str

    @property
    def by_minute(self) -> bool:
        """Whether a minute is published at once."""
        return self.put == "minute"


@dataclass(frozen=True)
class Costs:
    """A day in dollars, without custom metrics.

    Attributes:
        counted: What it was computed from.
    """

    workflow: float
    function: float
    puts: float
    schedule: float
    counted: str

    @property
    def total(self) -> float:
        """All of it."""
        return self.workflow + self.function + self.puts + self.schedule


MIXES = tuple(Mix(workflow, put) for workflow in ("STANDARD", "EXPRESS") for put in ("slot", "minute"))

# The article: 26 transitions a minute. Its $0.444 "a day" of Lambda is of 535,680 slots, a month of 31 days;
# its sum leaves PutMetricData out.
ORIGINAL = Costs(
    workflow=26 * MINUTES * 0.000025,
    function=0.444 / 31,
    puts=SLOTS * MINUTES * PUT_METRIC_DATA,
    schedule=0.0,
    counted="26 transitions a minute; $0.444 of Lambda is a month's, not a day's; 17,280 puts",
)


def _slot(by_minute: bool) -> dict[str, Any]:
    """What the function answers for a slot of one cluster."""
    reading = {
        "slot": "2026-11-25T12:01:00Z",
        "source": "ecs",
        "values": {"cluster": [3.0, 0.0, 1.0, 0.0]},
        "missing": {},
    }
    return {
        "slot": reading["slot"],
        "put": 0 if by_minute else 5,
        "missing": [],
        "readings": [reading] if by_minute else [],
    }


def transitions(by_minute: bool) -> int:
    """State transitions of one execution in which all goes well, of Standard workflows."""
    machine = definition()
    document: Any = {"ECSClusterName": "cluster"}
    count, name = 0, machine["StartAt"]
    while True:
        state = machine["States"][name]
        count += 1
        if state["Type"] == "Map":
            count += SLOTS * _inner(state["ItemProcessor"])
            results = [_slot(by_minute)] * SLOTS
            document = {
                key: evaluate(text, result=results, input=document) for key, text in state["Output"].items()
            }
        elif state["Type"] == "Task":
            document = evaluate(state["Output"], input=document, result={"Payload": {"put": 60}})
        elif state["Type"] == "Choice":
            taken = [each["Next"] for each in state["Choices"] if evaluate(each["Condition"], input=document)]
            name = [*taken, state["Default"]][0]
            continue
        if state["Type"] == "Succeed":
            return count
        name = state["Next"]


def _inner(machine: dict[str, Any]) -> int:
    """States that an item passes."""
    count, state = 1, machine["States"][machine["StartAt"]]
    while "Next" in state:
        state = machine["States"][state["Next"]]
        count += 1
    return count


def _memory_gb() -> float:
    """Memory of the function, as the template gives it."""
    text = (DEFINITION.parents[1] / "template.yaml").read_text()
    block = text.split("\n  ContainerMetricsFunction:\n")[1]
    found = re.search(r"MemorySize: (\d+)", block)
    assert found
    return int(found[1]) / 1024


def _express_gb() -> float:
    """Billed memory of an Express execution, by the formula of the price list."""
    payload = len(json.dumps(_slot(by_minute=True)))
    megabytes = EXPRESS_BASE_MB + (DEFINITION.stat().st_size + SLOTS * payload) / 2**20
    return math.ceil(megabytes / EXPRESS_CHUNK_MB) * EXPRESS_CHUNK_MB / 1024


def costs(mix: Mix) -> Costs:
    """What a day costs."""
    steps = transitions(mix.by_minute)
    invocations = SLOTS + mix.by_minute
    puts = 1 if mix.by_minute else SLOTS
    seconds = LAST_SLOT_S - MEAN_JITTER_S + FUNCTION_S * (1 + mix.by_minute)
    if mix.workflow == "EXPRESS":
        billed = math.ceil(10 * seconds) / 10
        workflow = EXPRESS_REQUEST + billed * _express_gb() * EXPRESS_GB_SECOND
        counted = f"{billed:g} s at {1024 * _express_gb():g} MB"
    else:
        workflow = steps * TRANSITION
        counted = f"{steps} transitions"
    function = invocations * (INVOCATION + FUNCTION_S * _memory_gb() * LAMBDA_GB_SECOND)
    return Costs(
        workflow=MINUTES * workflow,
        function=MINUTES * function,
        puts=MINUTES * puts * PUT_METRIC_DATA,
        schedule=MINUTES * SCHEDULED_INVOCATION,
        counted=f"a minute: {counted}, {invocations} invocations, {puts} {'put' if puts == 1 else 'puts'}",
    )


def custom_metrics(clusters: int = 1) -> float:
    """What the metrics themselves cost a day, however they are published."""
    return (METRICS_OF_A_CLUSTER * clusters + METRICS_OF_THE_STACK) * METRIC_MONTH / DAYS


def table() -> str:
    """The costs as a table in Markdown."""
    lines = [
        "| a day | workflow | Lambda | PutMetricData | schedule | together | counted |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    rows = [
        ("the article's original", ORIGINAL),
        *((f"{mix.workflow}, put by the {mix.put}", costs(mix)) for mix in MIXES),
    ]
    for name, each in rows:
        parts = (each.workflow, each.function, each.puts, each.schedule, each.total)
        lines.append(f"| {name} | {' | '.join(f'${part:.4f}' for part in parts)} | {each.counted} |")
    return "\n".join(lines)
