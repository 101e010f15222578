"""Panels that saved queries declare."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

import queries
from insights import panels
from insights.panels import Catalogue, DeclarationError, Panel, panel_of
from insights.parameters import asked
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
        ({"title": "x" * 101}, "title"),
        ({"place": "1"}, "place"),
        ({"place": True}, "place"),
        ({"parameters": "nothing"}, "dates, requests"),
        ({"parameters": ["dates"]}, "dates, requests"),
        ({"chart": "pie"}, "bars, lines, stacks"),
        ({"columns": {}}, "columns"),
        ({"columns": ["name"]}, "columns"),
        ({"columns": {"name": 1}}, "columns"),
        ({"columns": {str(number): "x" for number in range(21)}}, "columns"),
        ({"bar": None}, "bar"),
        ({"bar": ["name"]}, "bar"),
        ({"bar": ["name", 1]}, "bar"),
        ({"of": 1}, "of"),
        ({"sum": True}, "'sum' is known"),
        ({"rank": "yes"}, "rank"),
        ({"empty": 1}, "empty"),
        ({"time": None}, "time"),
        ({"parameters": "calls"}, "by slot"),
        ({"panel": "another"}, "'panel' is known"),
        ({"script": "x"}, "'script' is known"),
    ],
)
def test_wrong_declaration_says_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        declaration(query(LOOK | change))


@pytest.mark.parametrize("name", ["title", "parameters", "chart", "columns", "bar", "time"])
def test_missing_member_is_named(name: str) -> None:
    with pytest.raises(DeclarationError, match=name):
        declaration(query({each: LOOK[each] for each in LOOK if each != name}))


@pytest.mark.parametrize(
    "text",
    [
        "-- Panel: {", "-- Panel:", "-- Panel: []", "-- Panel: 1",
        query(LOOK).replace('"time"', '"title": "again", "time"'),
        query(LOOK | {"place": float("nan")}),
        query(LOOK | {"place": float("inf")}),
        query(LOOK | {"title": "\ud800"}),
        "-- Panel: " + "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_object_of_strict_json_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError):
        declaration(text)


@pytest.mark.parametrize(
    "name", ["live", "containers", "panels", "", "Calls", "1st", "a b", "../secret", 'a"b', "x" * 33]
)
def test_name_of_a_panel_is_a_word_that_is_not_taken(name: str) -> None:
    with pytest.raises(DeclarationError, match="name"):
        panel_of(name, "group", "base", query(LOOK))


def test_comment_that_speaks_of_a_control_panel_is_no_declaration() -> None:
    assert declaration("-- Control Panel: see the docs\nSELECT 1") is None


LINES: dict[str, Any] = {
    "title": "Over time", "parameters": "requests_by_slot", "chart": "lines", "time": "slot",
    "lines": ["requests"], "columns": {"requests": "Requests"},
}  # fmt: skip


def test_lines_are_declared_without_bars() -> None:
    panel = declaration(query(LINES))
    assert panel is not None
    assert panel.look["lines"] == ["requests"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"lines": None}, "lines"),
        ({"lines": []}, "lines"),
        ({"lines": ["a"] * 5}, "at most 4"),
        ({"lines": [1]}, "lines"),
        ({"parameters": "requests"}, "by slot"),
    ],
)
def test_wrong_lines_say_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        declaration(query(LINES | change))


@pytest.mark.parametrize("name", ["lines", "time"])
def test_missing_member_of_lines_is_named(name: str) -> None:
    with pytest.raises(DeclarationError, match=name):
        declaration(query({each: LINES[each] for each in LINES if each != name}))


@pytest.mark.parametrize("name", queries.QUERIES)
def test_query_has_a_question_mark_for_each_parameter(name: str) -> None:
    panel = declaration(queries.sql(name))
    if panel is None:
        return
    asked_for = asked(panel.parameters, {}, datetime(2026, 11, 22, tzinfo=UTC))
    statement = "\n".join(line for line in panel.query.splitlines() if not line.startswith("--"))
    assert statement.count("?") == len(asked_for.parameters)
    assert len(asked_for.parameters) <= 25, "Athena's console takes no more"


@pytest.mark.parametrize("name", queries.QUERIES)
def test_columns_of_a_declaration_are_columns_of_its_query(name: str) -> None:
    """sqlglot, of the engine's environment, is not here: a column is a word of the statement."""
    panel = declaration(queries.sql(name))
    if panel is None:
        assert name in {"ec2_resource", "top_posters_of_day"}
        return
    statement = "\n".join(line for line in queries.sql(name).splitlines() if not line.startswith("--"))
    words = set(statement.replace(",", " ").replace(".", " ").split())
    wanted = {*panel.look["columns"], *panel.look.get("bar", ()), *panel.look.get("lines", ())}
    wanted |= {*filter(None, [panel.look.get("time")])}
    assert wanted <= words


class Athena:
    """Saved queries by workgroup; ids are (workgroup, name)."""

    def __init__(self, **saved: dict[str, str]) -> None:
        self.saved = saved
        self.listed = 0
        self.refuses: set[str] = set()
        self.throttled: list[str] = []
        self.gone: list[str] = []

    def get_paginator(self, _: str) -> Athena:
        return self

    def paginate(self, *, WorkGroup: str, PaginationConfig: dict[str, int]) -> list[dict[str, Any]]:  # noqa: N803
        self.listed += 1
        if WorkGroup in self.refuses:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "ListNamedQueries")
        size = PaginationConfig["PageSize"]
        assert size <= 50, "BatchGetNamedQuery takes 50"
        ids = [f"{WorkGroup}/{name}" for name in self.saved[WorkGroup]]
        return [{"NamedQueryIds": ids[start : start + size]} for start in range(0, len(ids) + 1, size)]

    def batch_get_named_query(self, *, NamedQueryIds: list[str]) -> dict[str, Any]:  # noqa: N803
        assert 0 < len(NamedQueryIds) <= 50
        throttled, self.throttled = self.throttled, []
        left = [
            {"NamedQueryId": each, "ErrorCode": "INVALID_INPUT" if each in self.gone else "THROTTLED"}
            for each in NamedQueryIds
            if each in throttled + self.gone
        ]
        return {
            "NamedQueries": [
                {
                    "Name": each.partition("/")[2],
                    "Database": "base",
                    "QueryString": self.saved[each.partition("/")[0]][each.partition("/")[2]],
                }
                for each in NamedQueryIds
                if each not in throttled + self.gone
            ],
            "UnprocessedNamedQueryIds": left,
        }


@pytest.fixture
def athena(monkeypatch: pytest.MonkeyPatch) -> Athena:
    fake = Athena(
        one={"a": query(LOOK | {"place": 2}), "b": "-- Panel: {", "c": query(LOOK | {"place": 1})},
        two={"z": query(LOOK), "y": query(LOOK), "c": query(LOOK | {"title": "Another"})},
    )
    monkeypatch.setattr(clients, "_client", lambda *_: fake)
    return fake


def reasons(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(vars(record)["query"], vars(record)["workgroup"]) for record in caplog.records]


def test_panels_are_in_the_order_of_workgroups_places_and_names(
    athena: Athena, caplog: pytest.LogCaptureFixture
) -> None:
    found, complete = Catalogue().panels(["one", "two"])
    assert (list(found), complete) == (["c", "a", "y", "z"], True)
    assert found["c"].look["title"] == "Calls", "the first workgroup's"
    assert reasons(caplog) == [("b", "one"), ("c", "two")]


def test_list_is_kept_for_a_minute(athena: Athena) -> None:
    times = iter([0.0, 59.9, 60.0])
    catalogue = Catalogue(lambda: next(times))
    for listed in (1, 1, 2):
        assert list(catalogue.panels(["one"])[0]) == ["c", "a"]
        assert athena.listed == listed


def test_younger_list_can_be_asked_for(athena: Athena) -> None:
    times = iter([0.0, 4.9, 5.0, 9.9])
    catalogue = Catalogue(lambda: next(times))
    catalogue.panels(["one"])
    athena.saved["one"]["new"] = query(LOOK)
    for listed, known in ((1, False), (2, True), (2, True)):
        assert ("new" in catalogue.panels(["one"], 5)[0], athena.listed) == (known, listed)


def test_workgroup_that_cannot_be_read_costs_the_others_nothing(athena: Athena) -> None:
    athena.refuses = {"one"}
    times = [0.0]
    catalogue = Catalogue(lambda: times[0])
    found, complete = catalogue.panels(["one", "two"])
    assert (list(found), complete) == (["c", "y", "z"], False)
    athena.refuses = set()
    times[0] = 4.9
    assert catalogue.panels(["one", "two"])[1] is False
    times[0] = 5.0
    found, complete = catalogue.panels(["one", "two"])
    assert (list(found), complete) == (["c", "a", "y", "z"], True)


def test_list_that_is_known_survives_an_outage(athena: Athena) -> None:
    times = [0.0]
    catalogue = Catalogue(lambda: times[0])
    catalogue.panels(["one"])
    athena.refuses = {"one"}
    times[0] = 61.0
    assert [*catalogue.panels(["one"])[0]] == ["c", "a"]
    assert catalogue.panels(["one"])[1] is True


def test_throttled_query_is_read_again_and_a_deleted_one_left_out(athena: Athena) -> None:
    athena.throttled, athena.gone = ["one/a"], ["one/c"]
    assert [*Catalogue().panels(["one"])[0]] == ["a"]


def test_query_that_stays_throttled_makes_the_list_incomplete(
    athena: Athena, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"NamedQueries": [], "UnprocessedNamedQueryIds": [{"NamedQueryId": "one/a"}]}
    monkeypatch.setattr(athena, "batch_get_named_query", lambda **_: answer)
    assert Catalogue().panels(["one"]) == ({}, False)


def test_hundreds_of_saved_queries_are_read_in_pages_and_bounded(athena: Athena) -> None:
    athena.saved["many"] = {f"q{number:03}": query(LOOK) for number in range(300)}
    found, complete = Catalogue().panels(["many"])
    assert (list(found), complete) == ([f"q{number:03}" for number in range(panels.MAX_PANELS)], True)
