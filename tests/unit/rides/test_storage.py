"""What the storage asks the tables for, where only AWS itself would show a difference."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from rides.model import FLEET
from rides.storage import Storage

NOW = 1_800_000_000.0


class Index:
    """The index `by_time` of one visitor, newest first; as on AWS it does not know whether more follows."""

    def __init__(self, count: int) -> None:
        self.items = [_item(NOW - number) for number in range(count)]
        self.asked: list[dict[str, Any]] = []

    def query(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        start = asked.get("ExclusiveStartKey")
        keys = [_key(item) for item in self.items]
        begin = keys.index(start) + 1 if start else 0
        found = self.items[begin : begin + asked["Limit"]]
        last = {"LastEvaluatedKey": _key(found[-1])} if len(found) == asked["Limit"] else {}
        return {"Items": found, **last}


def _item(requested: float) -> dict[str, Any]:
    moment = {"N": f"{requested:.3f}"}
    place = {"M": {"latitude": {"N": "60.17"}, "longitude": {"N": "24.94"}}}
    return {
        "visitor": {"S": "ada"},
        "ride": {"S": str(uuid.uuid4())},
        "state": {"S": "done"},
        "pickup": place,
        "requested": moment,
        "moments": {"M": {"requested": moment}},
    }


def _key(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("visitor", "ride", "requested")}


def test_the_last_page_says_that_it_is_the_last() -> None:
    for count in range(9):
        index = Index(count)
        storage = Storage("rides", "fleet", 90, index)  # type: ignore[arg-type]
        seen, after, pages = [], None, 0
        while pages == 0 or after:
            rides, after = storage.history("ada", 3, after)
            assert pages == 0 or rides, f"page {pages + 1} of {count} rides is empty"
            seen += [ride.id for ride in rides]
            pages += 1
        assert seen == [item["ride"]["S"] for item in index.items]


def test_the_history_knows_of_a_ride_that_has_just_ended() -> None:
    index = Index(1)
    Storage("rides", "fleet", 90, index).history("ada", 3, None)  # type: ignore[arg-type]
    assert index.asked[0]["ConsistentRead"] is True


class Fleet:
    """The table of unicorns, which answers so many writes."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=KeyError)

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.writes = 10

    def get_paginator(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=lambda **_: [{"Items": list(self.items.values())}])

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803
        if not self.writes:
            raise TimeoutError
        self.writes -= 1
        if Item["name"]["S"] in self.items:
            raise KeyError
        self.items[Item["name"]["S"]] = Item


def test_a_fleet_that_was_made_in_part_is_completed() -> None:
    table = Fleet()
    table.writes = 3
    storage = Storage("rides", "fleet", 90, table)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        storage.unicorns()
    table.writes = 100
    table.items[FLEET[0].name]["ride"] = {"S": "x#y"}
    assert {unicorn.name for unicorn in storage.unicorns()} == {unicorn.name for unicorn in FLEET}
    assert table.items[FLEET[0].name]["ride"] == {"S": "x#y"}
    assert table.writes == 100 - 7
