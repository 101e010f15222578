"""Drains queue T: accounts that a table did not take.

Trigger: a schedule, each minute.
Input: EventBridge's scheduled event; nothing of it is read.
Output: counts of what became of the messages; `{"waits": <why>}` while the other region's table does not
    answer, or refuses, or the two regions are no pair.
On failure: what fails again goes into a queue again; see `regions.drain`.
Idempotent: messages hold keys alone, and the newest is sent: an account that was erased does not come back.
Recorded event: events/auth/drain_writes_schedule.json
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.metrics import publishes_metrics

from .replication import drained

__all__ = ["handler"]


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Drain the queue."""
    return drained(event, context, "tables")
