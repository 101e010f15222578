"""Index template and saved objects: what they name is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datagen.ec2_calls import recorded
from datagen.ec2_messages import written
from ec2_monitor import documents, index
from ops.dashboards import TEMPLATE
from ops.paths import ROOT
from tests.support.dashboards import fields_of, objects, search_of

OBJECTS = objects()
VISUALIZATIONS = [name for name in OBJECTS if name[0] == "visualization"]
PROPERTIES = json.loads(TEMPLATE.read_text())["mappings"]["properties"]


def test_function_carries_the_template_of_the_dashboards_folder() -> None:
    assert index.TEMPLATE.resolve() == TEMPLATE


def test_template_maps_each_member_of_a_document_and_no_other() -> None:
    kinds = {"string": "keyword", "array<string>": "keyword", "boolean": "boolean"}
    wanted = {name: kinds[kind] for name, kind in documents.COLUMNS.items() if name != "event_time"}
    wanted |= {"@timestamp": "date", "@time": "date"}  # the column event_time
    assert {name: spec["type"] for name, spec in PROPERTIES.items()} == wanted


def test_members_of_the_recorded_calls_are_all_mapped() -> None:
    made = [documents.document(event) for kind in ("calls", "alerts") for event in recorded(kind).values()]
    assert {name for each in made for name in each} <= set(PROPERTIES)


def test_no_document_can_add_to_the_mapping_or_be_refused_for_a_long_text() -> None:
    mappings = json.loads(TEMPLATE.read_text())["mappings"]
    assert mappings["dynamic"] is False
    for name, spec in PROPERTIES.items():
        if spec["type"] == "keyword":
            searchable = spec.get("index", True) or spec.get("doc_values", True)
            # Lucene's longest term has 32,766 bytes; a character has at most four.
            assert not searchable or documents.MAX_TEXT <= spec["ignore_above"] <= 32_766 // 4, name


def test_every_reference_leads_to_an_object_and_every_panel_is_used() -> None:
    for saved in OBJECTS.values():
        assert all((ref["type"], ref["id"]) in OBJECTS for ref in saved["references"])
        assert len({ref["name"] for ref in saved["references"]}) == len(saved["references"])
    dashboard = OBJECTS["dashboard", "ec2-who-changes-what"]
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    assert [panel["panelRefName"] for panel in panels] == [ref["name"] for ref in dashboard["references"]]
    shown = {(ref["type"], ref["id"]) for ref in dashboard["references"]}
    assert shown == {name for name in OBJECTS if name[0] in ("visualization", "search")}


@pytest.mark.parametrize(
    "name", [name for name in OBJECTS if name[0] in ("visualization", "search")], ids=str
)
def test_panel_asks_the_index_pattern(name: tuple[str, str]) -> None:
    saved = OBJECTS[name]
    source = json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    [reference] = saved["references"]
    assert source["indexRefName"] == reference["name"]
    assert OBJECTS[reference["type"], reference["id"]]["attributes"] == {
        "title": "log", "timeFieldName": "@time",
    }  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS, ids=str)
def test_fields_that_an_object_names_are_in_the_template(name: tuple[str, str]) -> None:
    assert fields_of(OBJECTS[name]) <= set(PROPERTIES)


@pytest.mark.parametrize("name", VISUALIZATIONS, ids=str)
def test_visualization_is_whole_and_says_what_it_shows(name: tuple[str, str]) -> None:
    attributes = OBJECTS[name]["attributes"]
    state: dict[str, Any] = json.loads(attributes["visState"])
    assert state["title"] == attributes["title"]
    assert attributes["description"]
    assert len({each["id"] for each in state["aggs"]}) == len(state["aggs"])
    assert search_of(OBJECTS[name], "now-12h", "now")["aggs"]


def test_panels_do_not_overlap_and_fit_the_48_columns() -> None:
    panels = json.loads(OBJECTS["dashboard", "ec2-who-changes-what"]["attributes"]["panelsJSON"])
    cells = [
        (x, y)
        for grid in (panel["gridData"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 48


def test_dashboard_opens_on_the_last_twelve_hours() -> None:
    attributes = OBJECTS["dashboard", "ec2-who-changes-what"]["attributes"]
    assert (attributes["timeRestore"], attributes["timeFrom"], attributes["timeTo"]) == (
        True,
        "now-12h",
        "now",
    )


def test_there_is_no_other_invocation_of_index() -> None:
    found = {path.name for path in (ROOT / "events/ec2_monitor").glob("index_*.json")}
    assert found == set(written())


@pytest.mark.parametrize("file", written())
def test_recorded_invocation_is_made_of_the_recorded_calls(file: str) -> None:
    assert (ROOT / "events/ec2_monitor" / file).read_text() == written()[file], (
        "run python -m datagen.ec2_messages"
    )
