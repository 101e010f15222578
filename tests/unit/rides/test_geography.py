"""Distances against published ones, places against what people send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rides.geography import EARTH_RADIUS_M, Place, distance_m, place_of
from shared.http import BadRequestError

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
places = st.builds(Place, latitudes, longitudes)


def test_distance_is_the_published_one() -> None:
    """Land's End to John o' Groats, 968.9 km on a sphere of 6,371 km: https://www.movable-type.co.uk/scripts/latlong.html."""
    lands_end = Place(50 + 3 / 60 + 59 / 3600, -(5 + 42 / 60 + 53 / 3600))
    john_o_groats = Place(58 + 38 / 60 + 38 / 3600, -(3 + 4 / 60 + 12 / 3600))
    assert distance_m(lands_end, john_o_groats) / 1000 == pytest.approx(968.9, abs=0.05)


def test_a_degree_of_latitude_is_111_km() -> None:
    """A 360th of the circumference, 40,030 km."""
    assert distance_m(Place(0, 25), Place(1, 25)) == pytest.approx(40_030_230 / 360, rel=1e-4)


@given(places, places)
def test_distance_is_symmetric_and_at_most_half_way_round(one: Place, other: Place) -> None:
    assert distance_m(one, other) == pytest.approx(distance_m(other, one), abs=1e-3)
    assert 0 <= distance_m(one, other) <= 3.141593 * EARTH_RADIUS_M


@given(latitudes, longitudes)
def test_every_place_on_earth_is_one(latitude: float, longitude: float) -> None:
    assert place_of({"latitude": latitude, "longitude": longitude}) == Place(latitude, longitude)


@pytest.mark.parametrize("number", [90.0001, -91, float("inf"), float("nan"), "60", True, None, [60]])
def test_what_is_no_latitude_is_refused(number: object) -> None:
    with pytest.raises(BadRequestError) as refused:
        place_of({"latitude": number, "longitude": 25})
    assert refused.value.code == "bad_place"


def test_minus_zero_is_zero() -> None:
    assert str(place_of({"latitude": -0.0, "longitude": -0.0}).latitude) == "0.0"
