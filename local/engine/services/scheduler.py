"""Amazon EventBridge Scheduler: context attributes, exact occurrences, dead-letter queues."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge
from ministack.services import scheduler as service

from local.engine.delivery import scope, to_queue
from local.engine.patching import pin, replaces
from local.engine.services.eventbridge import exists

_logger = logging.getLogger(__name__)

# AWS may be up to 60 seconds late; who waits here for a schedule has less patience.
service._SCHEDULE_TICK_INTERVAL = 1


def _due(schedule: dict[str, Any], last: float, now: float) -> float | None:
    """Return the first occurrence after ``last`` if its time has come, in seconds since 1970."""
    expression = schedule["ScheduleExpression"]
    moment = service._at_time_epoch(expression)
    if moment is None:
        interval = eventbridge._parse_rate_seconds(expression)
        fields = eventbridge._parse_cron_fields(expression)
        if interval is not None:
            moment = last + interval
        elif fields is not None:
            following = eventbridge._cron_next_fire(fields, datetime.fromtimestamp(last, UTC))
            moment = following.timestamp() if following else None
    elif last > schedule["CreationDate"]:
        return None  # once is enough
    return moment if moment is not None and moment <= now else None


@replaces(service, "_tick_schedules", digest="0ece514e9120")
def _tick(_original: Callable[..., Any]) -> None:
    """Schedules fire for each occurrence, with context attributes, and have dead-letter queues"""
    now = time.time()
    for key, schedule in list(service._schedules._data.items()):
        account, region, _ = key
        begin, end = service._to_epoch(schedule.get("StartDate")), service._to_epoch(schedule.get("EndDate"))
        if schedule["State"] != "ENABLED" or (begin or now) > now or (end or now) < now:
            service._schedule_last_fired.pop(key, None)  # what it missed meanwhile is not made up for
            continue
        # Changes of a schedule count from when they were made.
        since = schedule["CreationDate"] if schedule.get("StartDate") is None else begin
        occurrence = _due(schedule, service._schedule_last_fired.get(key, since), now)
        if occurrence is not None:
            service._schedule_last_fired[key] = occurrence
            with scope(account, region):
                _fire(schedule, occurrence)
            once = schedule["ScheduleExpression"].lstrip().startswith("at(")
            if once and schedule.get("ActionAfterCompletion") == "DELETE":
                service._schedules._data.pop(key, None)


def _fire(schedule: dict[str, Any], occurrence: float) -> None:
    """Invoke a schedule's target; what is not there goes to the dead-letter queue at once."""
    target = schedule["Target"]
    scheduled = datetime.fromtimestamp(occurrence, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    execution = str(uuid.uuid4())
    payload = str(target.get("Input") or "")
    attributes = {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": scheduled,
        "execution-id": execution,
        "attempt-number": "1",
    }
    for name, value in attributes.items():
        payload = payload.replace(f"<aws.scheduler.{name}>", value)
    if exists(target["Arn"]):
        event: dict[str, Any] = {
            "EventId": execution,
            "Source": "aws.scheduler",
            "DetailType": "Scheduled Event",
        }
        event |= {"Detail": "{}", "Time": occurrence, "Resources": [schedule["Arn"]]}
        eventbridge._invoke_target(target | ({"Input": payload} if payload else {}), event, schedule)
        return
    _logger.warning("schedule %s: target %s does not exist", schedule["Name"], target["Arn"])
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        why = {
            "SCHEDULE_ARN": schedule["Arn"],
            "SCHEDULED_TIME": scheduled,
            "EXECUTION_ID": execution,
            "TARGET_ARN": target["Arn"],
            "ERROR_CODE": "ResourceNotFoundException",
            "ERROR_MESSAGE": f"The target {target['Arn']} does not exist.",
        }
        to_queue(
            queue, payload,
            {name: {"DataType": "String", "StringValue": text} for name, text in why.items()},
        )  # fmt: skip


pin(eventbridge, "_parse_rate_seconds", "0184f31e965e")
pin(eventbridge, "_parse_cron_fields", "c88b90c1864d")
pin(eventbridge, "_cron_next_fire", "6c0efd26b612")
