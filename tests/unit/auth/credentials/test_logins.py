"""When a log-in has to wait, and when an identifier is locked."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.credentials.logins import after_failure, judge
from auth.settings import AuthSettings
from auth.storage import Attempts
from shared.http import TooManyRequestsError

SETTINGS = AuthSettings("table", "key", "eu-west-1", "/stack/auth", "queue")
NOW = 1_800_000_000_000


def guesses(number: int, patience_ms: int) -> list[str]:
    """Guess a password again and again, as patiently as that, and return what became of each."""
    kept = {"failed": 0, "wait": 0, "locked": 0}
    last, now, outcomes = 0, NOW, []
    for _ in range(number):
        attempts = Attempts("u", kept["failed"] + 1, kept["wait"], kept["locked"], last)
        try:
            lock = judge(attempts, now, SETTINGS)
        except TooManyRequestsError as error:
            outcomes.append("wait" if int(error.headers["Retry-After"]) > 0 else "wait for nothing")
        else:
            outcomes.append("locked" if lock.locked_ms else "tried")
            changes = after_failure(lock, now, SETTINGS)
            kept = kept | {"failed": attempts.failed + changes.pop("add", 0)} | changes
            last = now
        now += patience_ms
    return outcomes


def test_five_failures_cost_no_waiting_and_then_each_costs_more() -> None:
    outcomes = guesses(12, 100)
    assert outcomes[:6] == ["tried"] * 6
    assert set(outcomes[6:]) == {"wait"}


def test_ten_failures_in_a_row_lock_the_identifier_for_a_while() -> None:
    patient = guesses(40, 61_000)
    assert patient[:10] == ["tried"] * 10
    locked = patient[10:].index("tried")
    assert patient[10 : 10 + locked] == ["locked"] * locked
    assert 13 <= locked <= 15, "15 minutes, asked once a minute"


@given(st.integers(1, 120_000))
def test_nobody_tries_more_than_ten_passwords_in_a_quarter_of_an_hour(patience_ms: int) -> None:
    outcomes = guesses(min(900_000 // patience_ms, 2000), patience_ms)
    assert outcomes.count("tried") <= 10


def test_guesses_side_by_side_are_counted_before_they_fail() -> None:
    """A hundred requests at once have the counts 1 to 100, and none has failed yet."""
    locks = [judge(Attempts("u", count, 0, 0, NOW), NOW, SETTINGS) for count in range(1, 101)]
    assert sum(not lock.locked_ms for lock in locks) == SETTINGS.lock_attempts


def test_an_hour_without_attempts_forgets_them() -> None:
    old = Attempts("u", 9, 0, 0, NOW - 3_600_001)
    assert judge(old, NOW, SETTINGS).failed == 1
    recent = Attempts("u", 9, 0, 0, NOW - 3_599_999)
    assert judge(recent, NOW, SETTINGS).failed == 9


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_a_lock_is_not_prolonged_by_trying(count: int) -> None:
    locked = Attempts("u", count, 0, NOW + 1000, NOW)
    lock = judge(locked, NOW, SETTINGS)
    assert after_failure(lock, NOW, SETTINGS) == {"locked": NOW + 1000}


def test_a_guess_that_ends_late_undoes_no_lock_and_no_count() -> None:
    early = judge(Attempts("u", 3, 0, 0, NOW), NOW, SETTINGS)
    assert after_failure(early, NOW, SETTINGS) == {}


def test_every_limit_is_a_setting() -> None:
    assert {"free_attempts", "lock_attempts", "lock_seconds", "client_failures"} <= {
        f.name for f in fields(AuthSettings)
    }
