"""A ride and a unicorn, and what may follow upon what.

A ride is `requested`, `assigned` a unicorn, which is `arriving`, then `riding`, then `done`. It ends before
that when its visitor cancels it (`cancelled`, until the ride has begun), when no unicorn is free
(`unserved`), and when the state machine could not go on (`failed`).
"""

from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal

from .geography import Place

__all__ = [
    "AREA_M", "BASE_CENTS", "CANCELLABLE", "CENTRE", "CENTS_PER_KM", "FLEET", "OPEN", "RIDE_M", "Ride",
    "State", "Unicorn", "cents_of",
]  # fmt: skip

type State = Literal["requested", "assigned", "arriving", "riding", "done", "cancelled", "unserved", "failed"]
OPEN: frozenset[str] = frozenset(("requested", "assigned", "arriving", "riding"))
CANCELLABLE: frozenset[str] = OPEN - {"riding"}

RIDE_M = 1500.0
"""How long a ride is, over the roofs and back."""
BASE_CENTS, CENTS_PER_KM = 250, 120
CENTRE, AREA_M = Place(60.1716, 24.9443), 2500.0
"""Where unicorns fly: so far around the middle of the map. The state machine outlives the longest way."""


@dataclass(frozen=True, slots=True)
class Unicorn:
    """A unicorn.

    Attributes:
        name: Its name, which no other has.
        colour: For people.
        place: Where it waits, or where its last ride ended.
        ride: Whose it is: visitor and ride; empty while it is free.
        until: Seconds since the epoch when it is free again whatever happened to its ride.
    """

    name: str
    colour: str
    place: Place
    ride: str = ""
    until: int = 0

    def is_free(self, now: float) -> bool:
        """Whether it may be assigned."""
        return not self.ride or self.until < now


@dataclass(frozen=True, slots=True)
class Ride:
    """A ride.

    Attributes:
        visitor: Whose it is: the `sub` of their account.
        id: The client's id of the request, a UUID.
        state: Where it is.
        pickup: Where the visitor waits.
        moments: When each state began, seconds since the epoch.
        unicorn: Name of the unicorn; empty before there is one.
        colour: Of the unicorn.
        start: Where the unicorn was when it was assigned.
        arrives: Seconds since the epoch when it is there.
        ends: Seconds since the epoch when the ride is over.
        retry_after: Seconds after which a unicorn may be free; of what is unserved.
    """

    visitor: str
    id: str
    state: State
    pickup: Place
    moments: dict[str, float] = field(default_factory=dict)
    unicorn: str = ""
    colour: str = ""
    start: Place | None = None
    arrives: float = 0.0
    ends: float = 0.0
    retry_after: int = 0

    @property
    def key(self) -> str:
        """What a unicorn knows it by."""
        return f"{self.visitor}#{self.id}"


def cents_of(ride: Ride) -> int:
    """What a ride that is done costs, in cents, rounded up."""
    return BASE_CENTS + ceil(CENTS_PER_KM * RIDE_M / 1000) if ride.state == "done" else 0


def _unicorn(name: str, colour: str, latitude: float, longitude: float) -> dict[str, Any]:
    return {"name": name, "colour": colour, "place": Place(latitude, longitude)}


FLEET: tuple[Unicorn, ...] = tuple(
    Unicorn(**each)
    for each in (
        _unicorn("Aurora", "rose", 60.1699, 24.9384),
        _unicorn("Birch", "silver", 60.1675, 24.9427),
        _unicorn("Cirrus", "white", 60.1719, 24.9414),
        _unicorn("Dusk", "violet", 60.1651, 24.9484),
        _unicorn("Ember", "copper", 60.1688, 24.9523),
        _unicorn("Fjord", "teal", 60.1738, 24.9362),
        _unicorn("Glimmer", "gold", 60.1661, 24.9372),
        _unicorn("Heather", "lilac", 60.1707, 24.9476),
        _unicorn("Iris", "blue", 60.1647, 24.9401),
        _unicorn("Juniper", "green", 60.1725, 24.9509),
    )
)
"""Who waits where on the first day: in the middle of Helsinki, where the map is."""
