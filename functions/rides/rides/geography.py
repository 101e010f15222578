"""Places on the earth, and how far they are from each other."""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import Any

from shared.http import BadRequestError

__all__ = ["Place", "distance_m", "place_of"]

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth, IUGG: https://iugg.org/wp-content/uploads/2019/08/Geodetic_Reference_System_1980.pdf"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place.

    Attributes:
        latitude: Degrees, -90 to 90.
        longitude: Degrees, -180 to 180.
    """

    latitude: float
    longitude: float

    def shown(self) -> dict[str, float]:
        """The place as the API tells it."""
        return {"latitude": self.latitude, "longitude": self.longitude}


def place_of(value: Any) -> Place:
    """A place that somebody sent: `{"latitude": 60.17, "longitude": 24.94}`.

    Raises:
        BadRequestError: It is none: members are missing or unknown, are no numbers, or are out of range.
    """
    if not isinstance(value, dict) or value.keys() != {"latitude", "longitude"}:
        raise BadRequestError("bad_place", "A place has a latitude and a longitude, and nothing else.")
    latitude, longitude = value["latitude"], value["longitude"]
    for number, bound in ((latitude, 90), (longitude, 180)):
        if type(number) not in (int, float) or not -bound <= number <= bound:
            raise BadRequestError(
                "bad_place", "latitude must be a number from -90 to 90, longitude one from -180 to 180."
            )
    return Place(float(latitude) + 0.0, float(longitude) + 0.0)  # -0.0 is 0.0


def distance_m(one: Place, other: Place) -> float:
    """Metres between two places along a great circle, by the haversine formula.

    https://en.wikipedia.org/wiki/Haversine_formula; the earth's flattening makes it wrong by 0.5 % at most.
    """
    up = radians(other.latitude - one.latitude)
    across = radians(other.longitude - one.longitude)
    chord = (
        sin(up / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(across / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(1.0, chord)))
