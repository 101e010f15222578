"""Quotas of usage plans: calendar periods beside a count of every request, and AWS's own example."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from local.engine.services.quotas import Usage, period_start

JANUARY = date(2026, 1, 1)  # a Thursday


def test_the_documented_example_of_usage_is_listed() -> None:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-usage-plan-manage-usage.html:
    # the owner "has reduced the remaining quota from 5000 to 10 on the third day"
    quota = {"limit": 5000, "period": "DAY"}
    usage = Usage(since=date(2016, 7, 1))
    usage.grant(quota, date(2016, 8, 3), remaining=10)
    assert list(usage.daily(quota, date(2016, 8, 1), date(2016, 8, 3))) == [[0, 5000], [0, 5000], [0, 10]]


def test_periods_begin_where_the_calendar_says() -> None:
    for number in range(800):
        day = JANUARY + timedelta(days=number)
        assert period_start("DAY", day) == day
        assert period_start("MONTH", day) == date(day.year, day.month, 1)
        [week] = [
            week
            for week in calendar.Calendar(firstweekday=calendar.MONDAY).monthdatescalendar(
                day.year, day.month
            )
            if day in week
        ]
        assert period_start("WEEK", day) == week[0]


@given(
    used=st.lists(st.integers(min_value=0, max_value=70), max_size=60),
    period=st.sampled_from(["DAY", "WEEK", "MONTH"]),
    limit=st.integers(min_value=1, max_value=30),
)
def test_no_period_lets_more_through_than_its_limit(used: list[int], period: str, limit: int) -> None:
    quota = {"limit": limit, "period": period}
    usage = Usage(since=date(2025, 1, 1))
    through: dict[tuple[int, ...], int] = {}
    for number in sorted(used):
        day = JANUARY + timedelta(days=number)
        bucket = {
            "DAY": (day.toordinal(),), "WEEK": day.isocalendar()[:2], "MONTH": (day.year, day.month),
        }[period]  # fmt: skip
        taken = through.get(bucket, 0)
        assert usage.remaining(quota, day) == limit - taken
        if taken < limit:
            usage.used[day] += 1
            through[bucket] = taken + 1
    assert sum(through.values()) == usage.used.total()


def test_a_changed_limit_keeps_what_was_used() -> None:
    usage = Usage(since=JANUARY)
    usage.used[JANUARY] += 8
    assert usage.remaining({"limit": 10, "period": "DAY"}, JANUARY) == 2
    assert usage.remaining({"limit": 5, "period": "DAY"}, JANUARY) == 0
    assert usage.remaining({"limit": 20, "period": "DAY"}, JANUARY) == 12


def test_a_grant_beyond_a_lowered_limit_is_what_remains() -> None:
    usage, quota = Usage(since=JANUARY), {"limit": 5, "period": "MONTH"}
    usage.used[JANUARY] += 8
    usage.grant(quota, JANUARY, remaining=3)
    assert usage.remaining(quota, JANUARY) == 3
    assert usage.remaining(quota, date(2026, 1, 31)) == 3
    assert usage.remaining(quota, date(2026, 2, 1)) == 5


def test_the_offset_is_subtracted_in_the_first_period_alone() -> None:
    # "The number of requests subtracted from the given limit in the initial time period."
    quota = {"limit": 100, "period": "MONTH", "offset": 20}
    usage = Usage(since=date(2026, 1, 15))
    assert usage.remaining(quota, date(2026, 1, 31)) == 80
    assert usage.remaining(quota, date(2026, 2, 1)) == 100
