"""What the storage asks the tables for, where only AWS itself would show a difference."""

from __future__ import annotations

import uuid
from typing import Any

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
