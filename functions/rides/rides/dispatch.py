"""Which unicorn a ride gets."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import ceil

from shared.transactions import ConflictingWriteError

from .geography import distance_m
from .model import RIDE_M, Ride, Unicorn
from .storage import Storage

__all__ = ["LEASE_MARGIN_S", "assign"]

LEASE_MARGIN_S = 900
"""How much longer than its ride a unicorn stays assigned, if nobody frees it: longer than a step is tried."""
BOARDING_S = 2.0
"""Between assignment and departure."""
_ROUNDS = 3  # of looking for a unicorn that is still free


def assign(storage: Storage, ride: Ride, speed: float, clock: Callable[[], float] = time.time) -> Ride:
    """Give a requested ride the nearest unicorn that is free; the ride as it is then.

    If none is free the ride is `unserved`, with the seconds after which one may be. A ride that is not
    requested any more stays what it is.

    Args:
        storage: The tables.
        ride: The ride.
        speed: Metres a second.
        clock: Seconds since the epoch.
    """
    for _ in range(_ROUNDS):
        if ride.state != "requested":
            return ride
        fleet = storage.unicorns()
        now = clock()  # after the look: a unicorn that was seen free was free by then
        free = [unicorn for unicorn in fleet if unicorn.is_free(now)]
        for unicorn in _nearest(free, ride):
            taken = _with(ride, unicorn, speed, now)
            try:
                storage.assign(ride, taken, taken.ends + LEASE_MARGIN_S, now)
            except ConflictingWriteError as error:
                if 0 in error.places:  # cancelled, or assigned by another start of the state machine
                    return storage.ride(ride.visitor, ride.id) or ride
                continue  # another ride was faster
            return taken
        if not free:
            break
    now = clock()
    try:
        return storage.end(replace(ride, retry_after=_retry_after(storage.unicorns(), now)), "unserved", now)
    except ConflictingWriteError:
        return storage.ride(ride.visitor, ride.id) or ride


def _nearest(free: Iterable[Unicorn], ride: Ride) -> list[Unicorn]:
    """Nearest first; rides that come at once begin with different ones of the nearest three."""
    ranked = sorted(free, key=lambda unicorn: (distance_m(unicorn.place, ride.pickup), unicorn.name))
    first = ranked[:3]
    random.Random(ride.id).shuffle(first)
    return first + ranked[3:]


def _with(ride: Ride, unicorn: Unicorn, speed: float, now: float) -> Ride:
    arrives = now + BOARDING_S + distance_m(unicorn.place, ride.pickup) / speed
    return replace(
        ride, state="assigned", moments={**ride.moments, "assigned": now}, unicorn=unicorn.name,
        colour=unicorn.colour, start=unicorn.place, arrives=arrives, ends=arrives + RIDE_M / speed,
    )  # fmt: skip


def _retry_after(fleet: Iterable[Unicorn], now: float) -> int:
    """Seconds until the first unicorn is free if its ride goes well, at least five."""
    ends = [unicorn.until - LEASE_MARGIN_S for unicorn in fleet if unicorn.ride]
    return max(5, ceil(min(ends, default=now) - now))
