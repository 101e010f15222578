"""How attempts count: ten failures lock, however patient or many one is, and whatever dies in between."""

from __future__ import annotations

import random
from contextlib import ExitStack, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auth.credentials.logins import RateLimit, attempted
from auth.storage import Alias
from local.memory_auth import Answer, Fault, How, World
from shared.http import BusyError, HttpError, TooManyRequestsError

EMAIL, RIGHT, WRONG = "ada@example.org", "the analytical engine weaves", "the analytical engine sleeps"
QUARTER_S = 900
LOG_IN = ("POST", "/v1/login", "shop")
LIMIT = RateLimit("nobody", 10_000)


@pytest.fixture
def home(world: World) -> World:
    return with_account(world)


def with_account(world: World) -> World:
    """The world with a client and somebody who has an account."""
    world.register("shop")
    line = {"id": "1", "email": EMAIL, "email_verified": True}
    assert world.take_line("shop", **line)["result"] == "created"
    assert world.ask("POST", "/v1/password/forgot", "shop", email=EMAIL).status == 202
    world.deliver()
    answer = world.ask("POST", "/v1/password/reset", "shop", token=world.mails[-1].token, password=RIGHT)
    assert answer.status == 204
    return world


def log_in(world: World, password: str) -> Answer:
    return world.ask(*LOG_IN, email=EMAIL, password=password)


def alias(world: World) -> Alias:
    return world.services.alias("email", EMAIL)


def fail(world: World, times: int) -> None:
    """Fail so many log-ins in a row, waiting as long as one has to."""
    for _ in range(times):
        while log_in(world, WRONG).status == 429:
            world.sleep(1)


def test_the_tenth_failure_locks_for_a_quarter_of_an_hour(home: World) -> None:
    fail(home, 9)
    home.sleep(20)
    assert log_in(home, RIGHT).status == 200
    fail(home, 10)
    locked = home.now
    while home.now < locked + QUARTER_S - 2:
        assert log_in(home, RIGHT).status == 401
        home.sleep(100)
    home.now = locked + QUARTER_S + 1
    assert log_in(home, RIGHT).status == 200


def test_an_hour_without_an_attempt_forgets(home: World) -> None:
    fail(home, 9)
    home.sleep(3601)
    fail(home, 5)
    assert log_in(home, RIGHT).status == 200


def test_right_passwords_during_an_outage_lock_nobody(home: World) -> None:
    for _ in range(30):
        home.fault = Fault(1, "refused")  # the record or KMS, behind the count
        assert log_in(home, RIGHT).status == 503
    home.fault = None
    assert log_in(home, RIGHT).status == 200


def test_more_than_ten_right_ones_at_once_are_429_and_no_lock(home: World) -> None:
    for _ in range(3):
        with suppress(RuntimeError), ExitStack() as underway:
            for _ in range(10):
                underway.enter_context(attempted(home.services, alias(home), LIMIT))
            for _ in range(20):
                assert log_in(home, RIGHT).status == 429
            raise RuntimeError  # none of the ten comes to a verdict: all are taken back
    assert log_in(home, RIGHT).status == 200


def test_attempts_that_nobody_ended_are_forgotten_after_a_minute(home: World) -> None:
    for _ in range(10):
        home.fault = Fault(2, "crash")
        assert log_in(home, RIGHT).status == 504
    home.fault = None
    assert log_in(home, RIGHT).status == 429
    home.sleep(61)
    assert log_in(home, RIGHT).status == 200


def test_failures_that_were_told_stay_when_an_attempt_dies(home: World) -> None:
    fail(home, 9)
    home.sleep(20)
    home.fault = Fault(2, "crash")
    assert log_in(home, WRONG).status == 504
    home.fault = None
    home.sleep(61)
    assert log_in(home, WRONG).status == 401  # the tenth
    assert log_in(home, RIGHT).status == 401


def test_failed_counter_does_not_take_a_wrong_password_back(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is written by then: only wrong passwords come there, so a 503 would be an answer."""

    def throttled(*_: object) -> int:
        raise BusyError("busy", "The service is busy.")

    monkeypatch.setattr(home.services.store.counters, "add", throttled)
    for _ in range(30):
        log_in(home, WRONG)
        home.sleep(5)
    assert log_in(home, RIGHT).status in (401, 429)


# ---- whatever the patience, side by side, with crashes

HOWS: list[How] = ["refused", "answer lost", "crash"]
waits = st.sampled_from([0.0, 0.0, 0.1, 1.0, 2.0, 4.0, 16.0, 59.0, 61.0, 300.0, 899.0, 900.0, 901.0])
faults = st.none() | st.builds(Fault, st.integers(0, 8), st.sampled_from(HOWS))
efforts = st.tuples(waits, st.integers(1, 12), faults)


@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(efforts, min_size=5, max_size=40))
def test_at_most_ten_passwords_are_told_wrong_in_a_quarter_of_an_hour(
    cheap_hashes: None, tries: list[tuple[float, int, Fault | None]]
) -> None:
    """A password counts as tried if the answer says that it is wrong: then a right one would have got in."""
    world = with_account(World())
    told: list[float] = []
    for wait, times, fault in tries:
        world.sleep(wait)
        for _ in range(times):
            world.fault = Fault(fault.after, fault.how) if fault else None
            right = gets_in(world)
            began = world.now
            if log_in(world, WRONG).status != 429 and right:
                told.append(began)
        for last in told:
            assert sum(last - QUARTER_S < each <= last for each in told) <= 10


def gets_in(world: World) -> bool:
    """Whether the right password would get in now."""
    fault = world.fault
    with world.forked():
        world.fault = Fault(fault.after, fault.how) if fault else None
        return log_in(world, RIGHT).status == 200


@settings(max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["fresh", "locked", "lock ends", "an hour ago"]), st.integers(1, 1000), st.randoms(),
    st.floats(0, 0.3),
)  # fmt: skip
def test_at_most_ten_passwords_are_looked_at_of_a_thousand_at_once(
    cheap_hashes: None, state: str, guesses: int, chance: random.Random, dying: float
) -> None:
    world = with_account(World())
    if state != "fresh":
        fail(world, 10)
        world.sleep({"locked": 1, "lock ends": QUARTER_S, "an hour ago": 3601}[state])
    looked_at = []
    for _ in range(guesses):  # all have begun before one ends
        with suppress(TooManyRequestsError):
            attempt = attempted(world.services, alias(world), LIMIT)
            if not attempt.__enter__().lock.locked_ms:
                looked_at.append(attempt)
    assert len(looked_at) <= 10
    assert state == "locked" or looked_at
    for attempt in looked_at:
        if chance.random() < dying:
            continue  # the process died
        with suppress(HttpError, RuntimeError):
            attempt.__exit__(RuntimeError, RuntimeError(), None)
