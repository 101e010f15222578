"""As much of DynamoDB as the streaming functions call, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

__all__ = ["MemoryDynamoDb"]


class _ConditionalCheckFailed(Exception):
    pass


class MemoryDynamoDb:
    """Tables of items by key; `failing` are minutes whose query fails."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=_ConditionalCheckFailed)

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self.failing: dict[int, Exception] = {}
        self.writes = 0

    def put_item(self, *, TableName: str, Item: dict[str, Any], **condition: Any) -> None:  # noqa: N803
        table = self.tables.setdefault(TableName, {})
        key = (Item["minute"]["N"], Item.get("part", {"S": ""})["S"])
        if condition and key in table and int(table[key]["parts"]["N"]) > int(Item["parts"]["N"]):
            raise _ConditionalCheckFailed
        table[key] = Item
        self.writes += 1

    def get_paginator(self, name: str) -> Any:
        assert name == "query"
        return SimpleNamespace(paginate=self._query)

    def _query(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["ConsistentRead"]
        minute = request["ExpressionAttributeValues"][":minute"]["N"]
        if int(minute) in self.failing:
            raise self.failing[int(minute)]
        for (key, _), item in sorted(self.tables.get(request["TableName"], {}).items()):
            if key == minute:
                yield {"Items": [item]}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        [(table, request)] = RequestItems.items()
        found = [self.tables.get(table, {}).get((key["minute"]["N"], "")) for key in request["Keys"]]
        return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": {}}
