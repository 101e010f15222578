"""Glue: `Glue Job State Change` by EventBridge.

Shape: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..facts import Fact, Ignored, JobRun
from .reading import identifier, required

__all__ = ["from_event"]

JOB = re.compile(r"[^\x00-\x1f/:]{1,255}")
RUN = re.compile(r"jr_[0-9a-zA-Z_]{1,250}")


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.glue`.

    Raises:
        MalformedError: It lacks what it needs.
    """
    if event["detail-type"] != "Glue Job State Change":
        return Ignored(f"aws.glue: {event['detail-type']}")
    detail = event["detail"]
    return JobRun(
        identifier(required(detail, "jobName"), JOB, "jobName"),
        identifier(required(detail, "jobRunId"), RUN, "jobRunId"),
        required(detail, "state").upper(),
    )
