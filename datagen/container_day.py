"""A day of the state machine `container_metrics` by its own JSONata: which slots its executions sample."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jsonata import Jsonata

__all__ = ["DEFINITION", "Day", "definition", "evaluate", "simulate", "slots", "states"]

DEFINITION = Path(__file__).parents[1] / "statemachines/container_metrics.asl.json"
SOURCES = "ecs,sqs"
MAP = "Sample the slots"
MINUTES = 24 * 60
SLOT = timedelta(seconds=5)


def definition() -> dict[str, Any]:
    """The state machine's definition, with the sources that the template substitutes."""
    found: dict[str, Any] = json.loads(DEFINITION.read_text().replace("${Sources}", SOURCES))
    return found


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state of a definition by name, those inside of maps too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


@cache
def _compiled(expression: str) -> Any:
    return Jsonata.jsonata(expression.removeprefix("{%").removesuffix("%}"))


def evaluate(expression: str, **reserved: Any) -> Any:
    """Evaluate an expression of a definition.

    Args:
        expression: Between its braces.
        reserved: Members of `$states`: `input`, `context`, `result`, `errorOutput`.
    """
    return _compiled(expression).evaluate(None, {"states": reserved})


def slots(given: dict[str, Any], start: datetime) -> list[datetime]:
    """The slots that an execution with an input samples if it starts at a time."""
    context = {"Execution": {"StartTime": start.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"}}
    found = evaluate(definition()["States"][MAP]["Items"], input=given, context=context)
    return [datetime.fromisoformat(slot) for slot in found]


class Day(NamedTuple):
    """What a day's executions sampled: slots that none did, slots that several did, and slots in all."""

    gaps: int
    duplicates: int
    sampled: int


def simulate(seed: int, *, scheduled: bool = True, jitter_s: float = 59.0) -> Day:
    """Let a day's executions start late, each by a random time.

    Args:
        seed: Of the randomness.
        scheduled: Whether the input carries the scheduled time; without it the start counts.
        jitter_s: By how much an execution may be late.
    """
    rng = random.Random(seed)
    begin = datetime(2026, 11, 25, tzinfo=UTC)
    sampled: Counter[datetime] = Counter()
    for minute in range(MINUTES):
        planned = begin + timedelta(minutes=minute)
        given: dict[str, Any] = {"ECSClusterName": "cluster"}
        if scheduled:
            given["scheduled"] = planned.strftime("%Y-%m-%dT%H:%M:%SZ")
        sampled.update(slots(given, planned + timedelta(seconds=rng.uniform(0, jitter_s))))
    wanted = {begin + timedelta(minutes=1) + SLOT * number for number in range(12 * MINUTES)}
    return Day(
        gaps=len(wanted - set(sampled)),
        duplicates=sum(count > 1 for count in sampled.values()) + len(set(sampled) - wanted),
        sampled=sampled.total(),
    )
