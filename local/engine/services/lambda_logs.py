"""AWS Lambda: the log streams of functions that share a log group."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

from local.engine.patching import pin, replaces

__all__: list[str] = []


@replaces(lambda_svc, "_emit_lambda_logs", digest="111efbf06968")
def _emit(
    original: Callable[..., None], func: dict[str, Any], request_id: str, log_text: str, error: bool,
    duration_ms: int, *, log_source: str | None = None,
) -> None:  # fmt: skip
    """Log streams in a group of one's own have the function's name in theirs

    "The log stream naming format for custom log groups follows this convention:
    YYYY/MM/DD/<function_name>[<function_version>][<execution_environment_GUID>]",
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    """
    config = func.get("config") or func
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    group = (config.get("LoggingConfig") or {}).get("LogGroup")
    if not group or group == f"/aws/lambda/{name}" or log_source == "rie":
        original(func, request_id, log_text, error, duration_ms, log_source=log_source)
        return
    stream = f"{datetime.now(UTC):%Y/%m/%d}/{name}[{version}][{uuid.uuid4().hex}]"
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tBilled Duration: {duration_ms} ms\t"
        f"Memory Size: {config.get('MemorySize', 128)} MB\tMax Memory Used: "
        f"{lambda_svc._probe_peak_memory_mb(func)} MB"
    )
    start = f"START RequestId: {request_id} Version: {version}"
    lines = [start, *log_text.splitlines(), f"END RequestId: {request_id}", report]
    moment = int(time.time() * 1000)
    events = [{"timestamp": moment, "message": line} for line in lines]
    # Refused where the group or the stream is there already, which is as good.
    cloudwatch_logs._create_log_group({"logGroupName": group})
    cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    cloudwatch_logs._append_log_events(
        cloudwatch_logs._log_groups[group]["streams"][stream],
        [event | {"ingestionTime": moment} for event in events],
    )
    cloudwatch_logs._fanout_to_subscription_filters(group, stream, events)


pin(lambda_svc, "_probe_peak_memory_mb", "545001066205")
pin(cloudwatch_logs, "_create_log_group", "ce6fd1931ae9")
pin(cloudwatch_logs, "_create_log_stream", "99fc231b9677")
pin(cloudwatch_logs, "_append_log_events", "e47cae7a15a4")
pin(cloudwatch_logs, "_fanout_to_subscription_filters", "cb898244bb9f")
