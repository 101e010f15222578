"""The fleet, beside the map that visitors see."""

from __future__ import annotations

import json

from ops.paths import ROOT
from rides.model import FLEET

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
