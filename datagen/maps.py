"""Maps small enough for a page: projection, simplification, and paths of SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, hypot, pi, radians

__all__ = ["Extent", "Point", "path_of", "simplified"]

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth, IUGG."""

type Point = tuple[float, float]
"""On a map: metres to the east of its western edge, metres to the south of its northern one."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What a map shows.

    Projected as a plate carrée whose standard parallel is the middle latitude, so that a page needs two
    multiplications. Over some two kilometres lengths are wrong by less than a thousandth.

    Attributes:
        west: Degrees.
        south: Degrees.
        east: Degrees.
        north: Degrees.
    """

    west: float
    south: float
    east: float
    north: float

    @property
    def width(self) -> float:
        """Metres."""
        middle = radians((self.south + self.north) / 2)
        return (self.east - self.west) * cos(middle) * EARTH_RADIUS_M * pi / 180

    @property
    def height(self) -> float:
        """Metres."""
        return (self.north - self.south) * EARTH_RADIUS_M * pi / 180

    def project(self, longitude: float, latitude: float) -> Point:
        """Where a place is on the map."""
        return (
            (longitude - self.west) / (self.east - self.west) * self.width,
            (self.north - latitude) / (self.north - self.south) * self.height,
        )

    def place(self, point: Point) -> tuple[float, float]:
        """Longitude and latitude of a point of the map."""
        return (
            self.west + point[0] / self.width * (self.east - self.west),
            self.north - point[1] / self.height * (self.north - self.south),
        )


def simplified(points: Sequence[Point], tolerance: float) -> list[Point]:
    """A line with fewer points: no point that is left out is further from the new line than the tolerance.

    By Douglas and Peucker: https://doi.org/10.3138/FM57-6770-U75U-7727. First and last points stay; a closed
    line is divided at the point that is furthest from them.

    Args:
        points: At least one.
        tolerance: In the unit of the points.
    """
    kept = {0, len(points) - 1}
    parts = [(0, len(points) - 1)]
    while parts:
        first, last = parts.pop()
        between = range(first + 1, last)
        if not between:
            continue
        furthest = max(between, key=lambda place: _distance(points[place], points[first], points[last]))
        if _distance(points[furthest], points[first], points[last]) > tolerance:
            kept.add(furthest)
            parts += [(first, furthest), (furthest, last)]
    return [points[place] for place in sorted(kept)]


def _distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the segment between two others."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = across * across + down * down
    if length == 0:
        return hypot(point[0] - start[0], point[1] - start[1])
    share = max(0.0, min(1.0, ((point[0] - start[0]) * across + (point[1] - start[1]) * down) / length))
    return hypot(point[0] - start[0] - share * across, point[1] - start[1] - share * down)


def path_of(points: Sequence[Point], *, is_closed: bool) -> str:
    """The path of a line, in whole metres: `M10 5l3-2 0 7z`; empty if nothing is left of it.

    Args:
        points: Of the line; a closed one's last is its first.
        is_closed: Whether it is closed.
    """
    whole = [(round(x), round(y)) for x, y in points]
    whole = [point for place, point in enumerate(whole) if place == 0 or point != whole[place - 1]]
    if is_closed and whole[0] == whole[-1]:
        whole.pop()
    if len(whole) < (3 if is_closed else 2):
        return ""
    (x, y), *_ = whole
    steps = ""
    for (before_x, before_y), (after_x, after_y) in pairwise(whole):
        for number in (after_x - before_x, after_y - before_y):
            steps += str(number) if number < 0 or not steps else f" {number}"  # a minus separates, too
    return f"M{x} {y}l{steps}{'z' * is_closed}"
