"""The suite's own alarms, apart from those that tests make."""

from __future__ import annotations

from typing import Any

from local.deploy import STACK
from local.suite import Suite

__all__ = ["alarms_of"]


def alarms_of(suite: Suite, **filters: str) -> list[dict[str, Any]]:
    """Return the alarms of the deployed stack, whatever their number."""
    pages = suite.client("cloudwatch").get_paginator("describe_alarms")
    return [
        alarm
        for page in pages.paginate(AlarmNamePrefix=f"{STACK}-", **filters)
        for alarm in page["MetricAlarms"]
    ]
