"""AWS Step Functions: idempotent starts, bounded and jittered retries, the metrics of executions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
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


@replaces(service, "_start_execution", digest="9923282fc76c")
def _start(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """StartExecution with the name and input of a running execution answers as that one's start did"""
    # "StartExecution is idempotent for STANDARD workflows. [...] if you call StartExecution with the same
    # name and input as a running execution, the call succeeds and return the same response as the original
    # request. If the execution is closed or if the input is different, it returns a 400
    # ExecutionAlreadyExists error":
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    machine = service._resolve_state_machine_arn(data.get("stateMachineArn", ""))
    known = service._state_machines.get(machine) if machine else None
    if known and known.get("type") != "EXPRESS" and data.get("name"):
        arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{known['name']}:{data['name']}"
        running = service._executions.get(arn)
        if running and running["status"] == "RUNNING" and running["input"] == data.get("input", "{}"):
            return json_response({"executionArn": arn, "startDate": running["startDate"]})
    return original(data)


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
pin(service, "_resolve_state_machine_arn", "e054a309ee54")
