"""AWS Step Functions: bounded and jittered retries, the metrics of executions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch
from ministack.services import stepfunctions as service

from local.engine.patching import pin, replaces


@replaces(service, "_find_matching_retrier", digest="cb494ae8503c")
def _retrier(
    original: Callable[..., Any], retriers: list[dict[str, Any]], error: str, counts: dict[int, int]
) -> Any:
    """Retriers' MaxDelaySeconds and JitterStrategy"""
    retrier, index = original(retriers, error, counts)
    if retrier is None:
        return retrier, index
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        delay *= random.random()
    # The caller multiplies the one by powers of the other.
    return retrier | {"IntervalSeconds": delay, "BackoffRate": 1}, index


_METRICS = {"RUNNING": "ExecutionsStarted", "SUCCEEDED": "ExecutionsSucceeded", "FAILED": "ExecutionsFailed"}


@replaces(service, "_emit_execution_status_event", digest="9c89e45693e3")
def _status(original: Callable[..., Any], execution: dict[str, Any]) -> None:
    """Executions are counted in AWS/States; those of Express workflows send no events"""
    machine = execution["stateMachineArn"]
    metric = _METRICS.get(execution["status"])
    if metric:
        cloudwatch.record_metric("AWS/States", metric, 1, "Count", {"StateMachineArn": machine})
    if (service._state_machines.get(machine) or {}).get("type") != "EXPRESS":
        original(execution)


pin(service, "_execute_task", "53c818d247db")
pin(service, "_with_retry_and_catch", "b351699db7b3")
