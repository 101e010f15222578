"""Which unicorn a ride gets, and what follows when another request is faster."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from rides.dispatch import LEASE_MARGIN_S, assign
from rides.geography import Place, distance_m
from rides.model import FLEET, RIDE_M, Ride, Unicorn
from shared.transactions import ConflictingWriteError

NOW = 1_800_000_000.0
PICKUP = Place(60.1695, 24.9526)


class Memory:
    """Storage whose unicorns may be taken by others between the look and the write."""

    def __init__(self, unicorns: list[Unicorn], taken: frozenset[str] = frozenset()) -> None:
        self._unicorns, self._taken = unicorns, taken
        self.asked: list[str] = []
        self.ended: list[Ride] = []
        self.present: Ride | None = None

    def unicorns(self) -> list[Unicorn]:
        return self._unicorns

    def assign(self, ride: Ride, assigned: Ride, until: float, now: float) -> None:  # noqa: ARG002
        self.asked.append(assigned.unicorn)
        if self.present:
            raise ConflictingWriteError(frozenset({0}))
        if assigned.unicorn in self._taken:
            raise ConflictingWriteError(frozenset({1}))
        assert until == assigned.ends + LEASE_MARGIN_S

    def end(self, ride: Ride, state: str, now: float) -> Ride:
        self.ended.append(ride)
        return replace(ride, state=state, moments={**ride.moments, state: now})  # type: ignore[arg-type]

    def ride(self, visitor: str, ride: str) -> Ride | None:  # noqa: ARG002
        return self.present


def requested(state: str = "requested") -> Ride:
    return Ride("ada", str(uuid.uuid4()), state, PICKUP, {"requested": NOW - 1})  # type: ignore[arg-type]


def run(storage: Memory, ride: Ride | None = None) -> Ride:
    return assign(storage, ride or requested(), 25, lambda: NOW)  # type: ignore[arg-type]


def test_one_of_the_three_nearest_flies_for_as_long_as_the_way_is() -> None:
    ranked = sorted(FLEET, key=lambda unicorn: distance_m(unicorn.place, PICKUP))
    for _ in range(50):
        ride = run(Memory(list(FLEET)))
        assert ride.state == "assigned"
        [unicorn] = [each for each in ranked[:3] if each.name == ride.unicorn]
        assert ride.arrives == pytest.approx(NOW + 2 + distance_m(unicorn.place, PICKUP) / 25)
        assert ride.ends - ride.arrives == pytest.approx(RIDE_M / 25)


def test_who_was_taken_meanwhile_is_left_for_the_next() -> None:
    free = FLEET[7]
    storage = Memory(list(FLEET), frozenset(each.name for each in FLEET) - {free.name})
    assert run(storage).unicorn == free.name
    assert len(storage.asked) == len(set(storage.asked))


def test_a_ride_is_unserved_when_all_are_taken_and_told_when_to_try_again() -> None:
    busy = [replace(each, ride="x#y", until=int(NOW) + LEASE_MARGIN_S + 17) for each in FLEET]
    ride = run(Memory(busy))
    assert (ride.state, ride.retry_after) == ("unserved", 17)
    soon = [replace(each, until=int(NOW) + LEASE_MARGIN_S) for each in busy]
    assert run(Memory(soon)).retry_after == 5


def test_a_lease_that_is_over_frees_a_unicorn() -> None:
    lost = [replace(each, ride="x#y", until=int(NOW) - 1) for each in FLEET]
    assert run(Memory(lost)).state == "assigned"


@pytest.mark.parametrize(
    "state", ["assigned", "arriving", "riding", "done", "cancelled", "unserved", "failed"]
)
def test_only_a_requested_ride_is_assigned(state: str) -> None:
    storage = Memory(list(FLEET))
    ride = requested(state)
    assert run(storage, ride) is ride
    assert storage.asked == []


def test_a_ride_that_was_cancelled_meanwhile_stays_cancelled() -> None:
    storage = Memory(list(FLEET))
    storage.present = requested("cancelled")
    assert run(storage).state == "cancelled"
    assert len(storage.asked) == 1
