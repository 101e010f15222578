"""What programs are told of the fleet."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from ops.paths import ROOT
from rides.api import handler
from rides.model import FLEET
from shared import clients

RECORDED = json.loads((ROOT / "events/rides/api_fleet.json").read_text())


class Table:
    """The fleet's table, and the one in which calls are counted."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.counted = 0

    def get_paginator(self, name: str) -> Any:
        assert name == "scan"
        return SimpleNamespace(paginate=self._scan)

    def _scan(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["TableName"] == "fleet"
        for item in self.items:
            yield {"Items": [item]}

    def update_item(self, **request: Any) -> None:
        assert request["TableName"] == "calls"
        self.counted += 1


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(clients, "_client", lambda *_, **__: made)
    for name, value in {
        "RIDES_TABLE": "rides",
        "FLEET_TABLE": "fleet",
        "PORTAL_USAGE_TABLE": "calls",
    }.items():
        monkeypatch.setenv(name, value)
    return made


def unicorn(name: str, **ride: Any) -> dict[str, Any]:
    place = {"M": {"latitude": {"N": "60.17"}, "longitude": {"N": "24.94"}}}
    return {"name": {"S": name}, "colour": {"S": "teal"}, "place": place, **ride}


def test_unicorns_are_told_without_rides_and_visitors(table: Table) -> None:
    until = {"N": str(int(time.time()) + 60)}
    table.items = [unicorn("Fjord", ride={"S": "ada#1"}, until=until), unicorn("Birch")]
    answer = handler(RECORDED, LambdaContext())
    place = {"latitude": 60.17, "longitude": 24.94}
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {
        "unicorns": [
            {"name": "Birch", "colour": "teal", "place": place, "is_free": True},
            {"name": "Fjord", "colour": "teal", "place": place, "is_free": False},
        ]
    }
    assert table.counted == 1


def test_the_fleet_of_the_first_day_is_told_before_it_is_made(table: Table) -> None:
    unicorns = json.loads(handler(RECORDED, LambdaContext())["body"])["unicorns"]
    assert [each["name"] for each in unicorns] == sorted(each.name for each in FLEET)
    assert all(each["is_free"] for each in unicorns)


def test_a_key_opens_no_ride(table: Table) -> None:
    answer = handler({**RECORDED, "resource": "/v1/rides", "path": "/v1/rides"}, LambdaContext())
    assert (answer["statusCode"], table.counted) == (401, 0)
