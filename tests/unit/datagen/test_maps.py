"""The rides' map beside what others say of Helsinki, and its geometry beside definitions."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from math import hypot
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.maps import Extent, Point, path_of, simplified
from ops.paths import ROOT

MAP: dict[str, Any] = json.loads((ROOT / "web/rides/map.json").read_text())
EXTENT = Extent(MAP["west"], MAP["south"], MAP["east"], MAP["north"])
LAYERS = dict(MAP["layers"])


def lines_of(path: str) -> list[list[Point]]:
    """A path's lines as SVG draws them: `M` is a place, `l` are steps from it, `z` leads back."""
    lines = []
    for first, steps, end in re.findall(r"M(-?\d+ -?\d+)l([-\d ]+)(z?)", path):
        x, y = map(int, first.split())
        numbers = [int(number) for number in re.findall(r"-?\d+", steps)]
        line = [(float(x), float(y))]
        for right, down in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + right, y + down
            line.append((float(x), float(y)))
        lines.append([*line, line[0]] if end else line)
    return lines


def is_inside(point: Point, layer: str) -> bool:
    """By the even-odd rule, as the page fills."""
    x, y = point
    crossings = 0
    for line in lines_of(LAYERS[layer]):
        for (from_x, from_y), (to_x, to_y) in pairwise(line):
            if (from_y > y) != (to_y > y) and x < from_x + (y - from_y) / (to_y - from_y) * (to_x - from_x):
                crossings += 1
    return crossings % 2 == 1


# Coordinates as the articles of the English Wikipedia give them, to a second of arc (31 m) or better.
WIKIPEDIA = {
    "Central railway station": (60.1719, 24.9414),
    "Senate Square": (60.1695, 24.9525),
    "Helsinki Cathedral": (60.1704, 24.9522),
    "Ateneum Art Museum": (60.1701, 24.9442),
    "Kiasma Museum": (60.1717, 24.9367),
    "Oodi Library": (60.1739, 24.9381),
}


@pytest.mark.parametrize("name", WIKIPEDIA)
def test_places_are_where_others_say(name: str) -> None:
    [(latitude, longitude)] = [place[1:] for place in MAP["places"] if place[0] == name]
    here, there = EXTENT.project(longitude, latitude), EXTENT.project(*reversed(WIKIPEDIA[name]))
    assert hypot(here[0] - there[0], here[1] - there[1]) < 60  # they are as large as that


@pytest.mark.parametrize(
    ("layer", "latitude", "longitude"),
    [
        ("water", 60.1776, 24.9440),  # Kaisaniemenlahti
        ("water", 60.1768, 24.9475),  # off Siltasaari
        ("water", 60.1671, 24.9530),  # Kolera-allas, the harbour at the Market Square
        ("park", 60.1745, 24.9440),  # Kaisaniemi
        ("park", 60.1675, 24.9465),  # Esplanadi
        ("square", 60.1712, 24.9441),  # the railway square
        ("square", 60.1695, 24.9525),  # the senate's square
        ("building", 60.1703, 24.9522),  # the cathedral
    ],
)
def test_water_parks_and_squares_are_where_they_are(layer: str, latitude: float, longitude: float) -> None:
    assert is_inside(EXTENT.project(longitude, latitude), layer)
    others = {"water", "park", "square", "building"} - {layer}
    assert not [other for other in others if is_inside(EXTENT.project(longitude, latitude), other)]


@pytest.mark.parametrize("place", [place for place in MAP["places"] if "Garden" not in place[0]])
def test_nobody_waits_in_the_water(place: list[Any]) -> None:
    point = EXTENT.project(place[2], place[1])
    assert 0 < point[0] < MAP["width"]
    assert 0 < point[1] < MAP["height"]
    assert not is_inside(point, "water")


def test_lengths_are_those_of_the_earth() -> None:
    # A minute of latitude is a nautical mile, 1,852 m, by its first definition.
    assert Extent(24.9, 60, 25, 60 + 1 / 60).height == pytest.approx(1852, rel=0.002)
    # A degree of longitude at 60 degrees is half of one at the equator, 111,320 m on the ellipsoid.
    assert Extent(24, 59.99, 25, 60.01).width == pytest.approx(111_320 / 2, rel=0.003)


def test_map_is_small_enough_for_a_page() -> None:
    assert (ROOT / "web/rides/map.json").stat().st_size < 22_000


# ---- geometry

points = st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))


def distance_to_line(point: Point, line: list[Point]) -> float:
    """By small steps along the line: slower than a formula, and another way."""
    (x, y), best = point, float("inf")
    for (from_x, from_y), (to_x, to_y) in zip(line, line[1:] or line, strict=False):
        low, high = 0.0, 1.0
        for _ in range(80):  # the distance to a segment has one minimum
            left, right = low + (high - low) / 3, high - (high - low) / 3
            at_left, at_right = (
                hypot(from_x + share * (to_x - from_x) - x, from_y + share * (to_y - from_y) - y)
                for share in (left, right)
            )
            low, high = (low, right) if at_left <= at_right else (left, high)
        best = min(best, hypot(from_x + low * (to_x - from_x) - x, from_y + low * (to_y - from_y) - y))
    return best


@given(st.lists(points, min_size=2, max_size=12), st.floats(0.1, 1000))
def test_no_point_is_further_than_the_tolerance(line: list[Point], tolerance: float) -> None:
    fewer = simplified(line, tolerance)
    assert fewer[0] == line[0]
    assert fewer[-1] == line[-1]
    assert all(distance_to_line(point, fewer) <= tolerance * 1.001 + 0.01 for point in line)


def test_points_on_a_straight_line_are_left_out() -> None:
    assert simplified([(0, 0), (1, 0.01), (2, 0), (3, 5), (4, 10.01), (5, 15)], 0.1) == [
        (0, 0),
        (2, 0),
        (5, 15),
    ]


def test_closed_lines_stay_closed() -> None:
    square: list[Point] = [(0, 0), (5, 0), (10, 0), (10, 10), (0, 10), (0, 0)]
    assert simplified(square, 1) == [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)]


def test_paths_are_what_svg_draws() -> None:
    assert path_of([(10.4, 5), (13, 3), (13, 10), (10.4, 5)], is_closed=True) == "M10 5l3-2 0 7z"
    assert path_of([(0, 0), (0.2, 0.3), (4, 0)], is_closed=False) == "M0 0l4 0"
    assert path_of([(0, 0), (0.2, 0.3)], is_closed=False) == ""


@given(st.lists(points, min_size=2, max_size=12))
def test_drawn_paths_come_back(line: list[Point]) -> None:
    whole = [(float(round(x)), float(round(y))) for x, y in line]
    moved = [point for place, point in enumerate(whole) if place == 0 or point != whole[place - 1]]
    assert lines_of(path_of(line, is_closed=False)) == ([moved] if len(moved) > 1 else [])
