"""When a log-in has to wait, and when an identifier is locked: how attempts count is in test_attempts.py."""

from __future__ import annotations

from dataclasses import fields

import pytest

from auth.credentials.logins import LockState, after_failure, judge
from auth.settings import AuthSettings
from auth.storage import Attempts
from shared.http import TooManyRequestsError

SETTINGS = AuthSettings("table", "key", "eu-west-1", "/stack/auth", "queue")
NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("attempts", "after"),
    [
        (Attempts("u", 7, NOW + 1, 0, counted=False), "1"),
        (Attempts("u", 7, NOW + 8000, 0, counted=False), "8"),
        (Attempts("u", 10, 0, 0, counted=False), "1"),
    ],
)
def test_who_has_to_wait_is_told_for_how_many_seconds(attempts: Attempts, after: str) -> None:
    with pytest.raises(TooManyRequestsError) as refused:
        judge(attempts, NOW)
    assert refused.value.headers == {"Retry-After": after}


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_a_lock_is_not_prolonged_by_trying(count: int) -> None:
    lock = judge(Attempts("u", count, 0, NOW + 1000, counted=True), NOW)
    assert lock.locked_ms == NOW + 1000
    assert after_failure(lock, NOW, SETTINGS) == {}


def test_five_failures_cost_nothing_then_each_costs_more_and_the_tenth_locks() -> None:
    costs = [after_failure(LockState(failed), NOW, SETTINGS) for failed in range(1, 11)]
    assert costs == [{}] * 5 + [{"wait": NOW + 1000 * s} for s in (2, 4, 8, 16)] + [{"locked": NOW + 900_000}]


def test_every_limit_is_a_setting() -> None:
    assert {
        "free_attempts", "lock_attempts", "lock_seconds", "client_failures", "visitor_failures",
    } <= {f.name for f in fields(AuthSettings)}  # fmt: skip
