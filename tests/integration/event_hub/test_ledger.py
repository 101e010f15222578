"""The ledger on DynamoDB, and the one in memory that unit tests use: the same rules."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_hub.ledger import BusyError, Claim, Ledger, StatusRecord
from local.hub_in_memory import MemoryLedger
from local.suite import Suite

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


@pytest.fixture(params=["DynamoDB", "memory"])
def ledger(request: pytest.FixtureRequest, suite: Suite) -> Any:
    """Either ledger."""
    if request.param == "memory":
        return MemoryLedger()
    return Ledger(suite["HubLedgerTableName"], suite.client("dynamodb"))


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"test#{uuid.uuid4().hex}"


def claimed(ledger: Any, key: str, now: datetime = NOW, owner: str = "") -> Claim:
    claim = ledger.claim(key, now, owner)
    assert isinstance(claim, Claim)
    return claim


def test_action_is_claimed_by_one_and_then_done(ledger: Any, key: str) -> None:
    claim = claimed(ledger, key)
    with pytest.raises(BusyError):
        ledger.claim(key, NOW)
    assert ledger.result(key) is None
    ledger.done(claim, {"id": 1}, NOW)
    assert ledger.claim(key, NOW) == "done"
    assert ledger.result(key) == {"id": 1}


def test_claim_that_failed_can_be_claimed_at_once(ledger: Any, key: str) -> None:
    ledger.failed(claimed(ledger, key), "reason", NOW)
    ledger.done(claimed(ledger, key), {}, NOW)
    assert ledger.claim(key, NOW) == "done"


def test_claim_of_a_crash_is_free_after_its_lease(ledger: Any, key: str) -> None:
    crashed = claimed(ledger, key)
    with pytest.raises(BusyError):
        ledger.claim(key, NOW + timedelta(seconds=119))
    claim = claimed(ledger, key, NOW + timedelta(seconds=121))
    ledger.failed(crashed, "late", NOW)  # who lost the lease changes nothing
    with pytest.raises(BusyError):
        ledger.claim(key, NOW + timedelta(seconds=122))
    ledger.done(claim, {}, NOW)


def test_what_is_postponed_is_its_owners_until_it_is_overdue(ledger: Any, key: str) -> None:
    claim = claimed(ledger, key)
    with pytest.raises(BusyError):
        ledger.claim(key, NOW, "next")  # it is not yet postponed
    ledger.postponed(claim, "next", 60, NOW)
    ledger.done(claim, {}, NOW)  # too late: it is another's
    assert ledger.claim(key, NOW) == "postponed"
    assert ledger.claim(key, NOW, claim.owner) == "postponed"
    again = claimed(ledger, key, NOW, "next")
    with pytest.raises(BusyError):
        ledger.claim(key, NOW, "next")  # it serves once
    ledger.postponed(again, "third", 60, NOW)
    assert ledger.claim(key, NOW + timedelta(seconds=3600)) == "postponed"
    assert isinstance(ledger.claim(key, NOW + timedelta(seconds=3661)), Claim)


def test_places_of_a_limit_come_free_in_a_sliding_window(ledger: Any, key: str) -> None:
    def take(fact: str, seconds: int) -> bool:
        moment = NOW + timedelta(seconds=seconds)
        return bool(ledger.within(key, fact, most=2, seconds=3600, now=moment))

    assert [take("a", 0), take("b", 1800), take("c", 1801), take("a", 1802)] == [True, True, False, True]
    assert [take("c", 3601), take("d", 3602)] == [True, False]


def test_reasons_are_open_as_the_newest_says(ledger: Any, key: str) -> None:
    ledger.set_reason(f"{key}#resize", True, "2026-11-20T09:00")
    ledger.set_reason(f"{key}#maintenance", False, "2026-11-20T09:05")
    ledger.set_reason(f"{key}#maintenance", True, "2026-11-20T09:04")
    ledger.set_reason(f"{key}#maintenance", True, "2026-11-20T09:05")  # of one moment the end counts
    assert [name for name in ledger.open_reasons() if name.startswith(key)] == [f"{key}#resize"]
    ledger.set_reason(f"{key}#resize", False, "2026-11-20T09:10")
    assert not [name for name in ledger.open_reasons() if name.startswith(key)]


def test_status_is_the_newest_and_of_one_moment_the_first_unless_asked(ledger: Any, key: str) -> None:
    def put(since: str, state: Any, *, again: bool = False) -> bool:
        return bool(ledger.put_status(StatusRecord(key, "payments", state, since), again=again))

    assert put("2026-11-20T09:00", "down")
    assert not put("2026-11-20T08:00", "up")
    assert not put("2026-11-20T09:00", "up")
    assert ledger.status_of(key) == ("2026-11-20T09:00", "down")
    assert put("2026-11-20T09:00", "up", again=True)
    assert put("2026-11-20T09:01", "down")
    assert ledger.status_of(key) == ("2026-11-20T09:01", "down")


def test_name_of_any_length_is_a_key(suite: Suite, key: str) -> None:
    ledger = Ledger(suite["HubLedgerTableName"], suite.client("dynamodb"))
    ledger.done(claimed(ledger, key + "é" * 3_000), {"id": 2}, NOW)
    assert ledger.result(key + "é" * 3_000) == {"id": 2}


def test_one_of_many_gets_the_claim_and_versions_differ(suite: Suite, key: str) -> None:
    ledger = Ledger(suite["HubLedgerTableName"], suite.client("dynamodb"))

    def claim(_: int) -> bool:
        try:
            return isinstance(ledger.claim(key, NOW), Claim)
        except BusyError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(16))) == 1
        versions = list(pool.map(lambda _: ledger.next_version(key), range(16)))
        places = list(
            pool.map(
                lambda number: taken(ledger, key, str(number)),
                range(8),
            )
        )
    assert sorted(versions) == list(range(1, 17))
    assert sum(places) == 3


def taken(ledger: Ledger, key: str, fact: str) -> bool:
    """Whether a fact gets one of three places, tried again while others change the scope."""
    while True:
        try:
            return ledger.within(key, fact, most=3, seconds=3600, now=NOW)
        except BusyError:
            continue
