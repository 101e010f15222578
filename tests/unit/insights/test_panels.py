"""Panels that saved queries declare."""

from __future__ import annotations

import json
from typing import Any

import pytest

import queries
from insights import panels
from insights.panels import DeclarationError, Panel, panel_of
from insights.saved_queries import PARAMETERS
from shared import clients

LOOK: dict[str, Any] = {
    "title": "Calls", "parameters": "calls_by_slot", "chart": "stacks", "bar": ["name", "calls"],
    "time": "slot", "columns": {"name": "Call"},
}  # fmt: skip


def query(look: Any) -> str:
    return f"-- What it is.\n-- Panel: {json.dumps(look)}\nSELECT 1 -- Panel: no\n"


def declaration(text: str) -> Panel | None:
    return panel_of("calls", "group", "base", text)


def test_declaration_is_read_from_the_leading_comment() -> None:
    text = query(LOOK)
    assert declaration(text) == Panel(
        "calls", "group", "base", text, "calls_by_slot", {"panel": "calls", **LOOK}
    )


@pytest.mark.parametrize("text", ["SELECT 1", "", "SELECT 1\n-- Panel: {}", "-- A comment.\nSELECT 1"])
def test_query_without_declaration_is_no_panel(text: str) -> None:
    assert declaration(text) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"title": None}, "title"),
        ({"title": 1}, "title"),
        ({"parameters": "nothing"}, "dates, posts"),
        ({"chart": "pie"}, "bars, stacks"),
        ({"columns": {}}, "columns"),
        ({"columns": ["name"]}, "columns"),
        ({"bar": None}, "bar"),
        ({"bar": ["name"]}, "bar"),
        ({"time": None}, "time"),
        ({"parameters": "calls"}, "calls_by_slot"),
    ],
)
def test_wrong_declaration_says_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        declaration(query(LOOK | change))


@pytest.mark.parametrize("text", ["-- Panel: {", "-- Panel:", "-- Panel: []", "-- Panel: 1"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError):
        declaration(text)


def test_each_kind_of_parameters_can_be_made() -> None:
    assert tuple(PARAMETERS) == panels.PARAMETERS


@pytest.mark.parametrize("name", queries.QUERIES)
def test_columns_of_a_declaration_are_columns_of_its_query(name: str) -> None:
    """sqlglot, of the engine's environment, is not here: a column is a word of the statement."""
    panel = declaration(queries.sql(name))
    if panel is None:
        assert name in {"ec2_resource", "top_posters_of_day"}
        return
    statement = "\n".join(line for line in queries.sql(name).splitlines() if not line.startswith("--"))
    words = set(statement.replace(",", " ").replace(".", " ").split())
    wanted = {*panel.look["columns"], *panel.look.get("bar", ()), *filter(None, [panel.look.get("time")])}
    assert wanted <= words


class Athena:
    """Three saved queries, the middle one's declaration broken."""

    texts = {"a": query(LOOK | {"place": 2}), "b": "-- Panel: {", "c": query(LOOK | {"place": 1})}  # noqa: RUF012

    def __init__(self) -> None:
        self.listed = 0

    def get_paginator(self, _: str) -> Athena:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        self.listed += 1
        return [{"NamedQueryIds": ["a", "b"]}, {"NamedQueryIds": ["c"]}, {"NamedQueryIds": []}]

    def batch_get_named_query(self, *, NamedQueryIds: list[str]) -> dict[str, Any]:  # noqa: N803
        assert 0 < len(NamedQueryIds) <= 50
        return {
            "NamedQueries": [
                {"Name": each, "Database": "base", "QueryString": self.texts[each]} for each in NamedQueryIds
            ],
            "UnprocessedNamedQueryIds": [],
        }


def test_broken_declaration_costs_no_other_panel_and_the_list_is_kept_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    athena = Athena()
    monkeypatch.setattr(clients, "_client", lambda *_: athena)
    panels._declared.cache_clear()
    times = iter([0.0, 59.0, 61.0])
    for _ in range(3):
        assert list(panels.declared(["group"], lambda: next(times))) == ["c", "a"]
    assert athena.listed == 2
    assert [vars(record)["query"] for record in caplog.records] == ["b", "b"]
