"""The fleet, beside the map that visitors see."""

from __future__ import annotations

import json

from ops.paths import ROOT
from ops.template import source
from rides.dispatch import BOARDING_S
from rides.geography import Place, distance_m
from rides.model import AREA_M, CENTRE, FLEET, RIDE_M

MAP = json.loads((ROOT / "web/rides/map.json").read_text())


def test_every_unicorn_waits_on_the_map() -> None:
    away = [
        unicorn.name
        for unicorn in FLEET
        if not MAP["south"] < unicorn.place.latitude < MAP["north"]
        or not MAP["west"] < unicorn.place.longitude < MAP["east"]
    ]
    assert away == []


def test_the_page_knows_every_colour() -> None:
    words = (ROOT / "web/rides/words.js").read_text().partition("COLOURS = {")[2].partition("}")[0]
    known = {each.partition(":")[0].strip() for each in words.split(",")}
    assert {unicorn.colour for unicorn in FLEET} <= known


def test_unicorns_fly_to_every_place_of_the_map() -> None:
    corners = [Place(MAP[down], MAP[across]) for down in ("south", "north") for across in ("west", "east")]
    assert max(distance_m(corner, CENTRE) for corner in corners) < AREA_M


def test_the_state_machine_outlives_the_longest_ride() -> None:
    """From one end of the area to the other, as slowly as may be, with ten minutes for retries."""
    machine = json.loads((ROOT / "statemachines/rides.asl.json").read_text())
    slowest = source()["Parameters"]["RidesMetresPerSecond"]["MinValue"]
    assert BOARDING_S + (2 * AREA_M + RIDE_M) / slowest + 600 < machine["TimeoutSeconds"]
