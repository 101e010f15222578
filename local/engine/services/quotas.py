"""What an API key has used of a usage plan's quota: the one record that enforcement and GetUsage go by.

Without the emulator, so that it can be tested by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

__all__ = ["Usage", "period_start"]

type Quota = Mapping[str, Any]


def period_start(period: str, day: date) -> date:
    """Return the first day of the period that a day is in.

    Quotas go by the calendar, in UTC. AWS does not say with which day a week begins; here it is Monday, as in
    ISO 8601.

    Args:
        period: ``DAY``, ``WEEK`` or ``MONTH``.
        day: Any day.
    """
    if period == "WEEK":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "MONTH" else day


@dataclass
class Usage:
    """What one key has used under one plan.

    Attributes:
        since: The plan's first day; its quota's offset counts in the period of that day alone.
        used: Requests by day, in UTC.
        granted: What UpdateUsage added to what remained, or took from it, by day.
    """

    since: date
    used: Counter[date] = field(default_factory=Counter)
    granted: Counter[date] = field(default_factory=Counter)

    def remaining(self, quota: Quota, day: date) -> int:
        """Return how many requests a quota (``limit``, ``period``, ``offset``) still lets through, >= 0.

        Of a past day: what had remained at its end. A changed limit counts for what was used before, too.
        """
        return max(0, self._left(quota, day))

    def grant(self, quota: Quota, day: date, remaining: int) -> None:
        """Let that many requests remain, until the period ends."""
        self.granted[day] += remaining - self._left(quota, day)

    def daily(self, quota: Quota, first: date, last: date) -> Iterator[list[int]]:
        """Yield ``[used, remaining]`` for each day of a range, its ends included."""
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            yield [self.used[day], self.remaining(quota, day)]

    def _left(self, quota: Quota, day: date) -> int:
        first = period_start(quota["period"], day)
        # "The number of requests subtracted from the given limit in the initial time period.":
        # https://docs.aws.amazon.com/apigateway/latest/api/API_QuotaSettings.html
        initial = period_start(quota["period"], self.since) == first
        limit = int(quota["limit"]) - (int(quota.get("offset", 0)) if initial else 0)
        days = [first + timedelta(days=number) for number in range((day - first).days + 1)]
        return limit + sum(self.granted[each] - self.used[each] for each in days)
