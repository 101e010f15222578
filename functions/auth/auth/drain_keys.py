"""Drains queue K: accounts whose data key was not wrapped.

Trigger: a schedule, each minute.
Input: EventBridge's scheduled event; nothing of it is read.
Output: counts of what became of the messages; `{"waits": <why>}` while one of the two keys does not answer,
    or refuses, or the two regions are no pair.
On failure: what fails again goes into a queue again; see `regions.drain`.
Idempotent: messages hold keys alone, and the newest is sent: an account that was erased does not come back.
Recorded event: events/auth/drain_keys_schedule.json
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.metrics import publishes_metrics

from .replication import drained

__all__ = ["handler"]


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Drain the queue."""
    return drained(event, context, "keys")
