"""The environment of the functions of the rides."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, positive_int, positive_number

__all__ = ["ApiSettings", "RideSettings"]


@dataclass(frozen=True)
class RideSettings(EnvSettings):
    """What both functions need.

    Attributes:
        rides_table: Rides, by visitor and id.
        fleet_table: Unicorns, by name.
        metres_per_second: How fast a unicorn flies.
        ride_days: Days after which a ride expires.
    """

    rides_table: str
    fleet_table: str
    metres_per_second: Annotated[float, positive_number] = 25.0
    ride_days: Annotated[int, positive_int] = 90


@dataclass(frozen=True)
class ApiSettings(RideSettings):
    """Settings of the API.

    Attributes:
        state_machine: ARN of what takes a ride from request to receipt.
        portal_usage_table: Table in which calls with API keys are counted; empty: they are not.
    """

    state_machine: str = ""
    portal_usage_table: str = ""
