"""As much of DynamoDB as the API portal uses, in memory, with its conditions and updates."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from boto3 import client
from botocore.exceptions import ClientError

__all__ = ["MemoryTable"]

type Item = dict[str, Any]

_TOKEN = re.compile(r"\s*(attribute_not_exists|AND|OR|<=|<|=|\(|\)|[#:]?[A-Za-z_]\w*)")


class MemoryTable:
    """Tables whose items are in memory; reads of the index are as consistent as those of the tables.

    Args:
        keys: Names of the key's attributes, by table.
    """

    def __init__(self, keys: Mapping[str, tuple[str, str]]) -> None:
        self.keys = keys
        self.tables: dict[str, dict[tuple[str, str], Item]] = {name: {} for name in keys}
        self.exceptions = client("dynamodb", region_name="us-east-1").exceptions

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> Item:  # noqa: N803
        found = self.tables[TableName].get(self._place(TableName, Key))
        return {"Item": copy.deepcopy(found)} if found else {}

    def batch_get_item(self, *, RequestItems: Item) -> Item:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        if not wanted["ConsistentRead"]:
            raise NotImplementedError("what may be old")
        found = [self.get_item(TableName=table, Key=key).get("Item") for key in wanted["Keys"]]
        return {"Responses": {table: [item for item in found if item]}}

    def put_item(self, *, TableName: str, Item: Item, **request: Any) -> None:  # noqa: N803
        place = self._place(TableName, Item)
        if not _holds(request, self.tables[TableName].get(place, {})):
            raise self._refusal("ConditionalCheckFailedException")
        self.tables[TableName][place] = copy.deepcopy(Item)

    def delete_item(self, *, TableName: str, Key: Item, **request: Any) -> None:  # noqa: N803
        place = self._place(TableName, Key)
        if not _holds(request, self.tables[TableName].get(place, {})):
            raise self._refusal("ConditionalCheckFailedException")
        self.tables[TableName].pop(place, None)

    def update_item(self, *, TableName: str, Key: Item, **request: Any) -> Item:  # noqa: N803
        place = self._place(TableName, Key)
        before = self.tables[TableName].get(place, {})
        if not _holds(request, before):
            raise self._refusal("ConditionalCheckFailedException")
        after = _updated(request, copy.deepcopy(before) or dict(Key))
        self.tables[TableName][place] = after
        return {"Attributes": copy.deepcopy(after)}

    def transact_write_items(self, *, TransactItems: list[Item]) -> None:  # noqa: N803
        before = copy.deepcopy(self.tables)
        codes = []
        for each in TransactItems:
            [(kind, request)] = each.items()
            try:
                (self.put_item if kind == "Put" else self.update_item)(**request)
                codes.append("None")
            except self.exceptions.ConditionalCheckFailedException:
                codes.append("ConditionalCheckFailed")
        if set(codes) != {"None"}:
            self.tables.update(before)
            raise self._refusal(
                "TransactionCanceledException", CancellationReasons=[{"Code": c} for c in codes]
            )

    def query(self, **request: Any) -> Item:
        [page] = self._pages(request)
        items = page["Items"][:: 1 if request.get("ScanIndexForward", True) else -1]
        return {"Items": items[: request.get("Limit")]}

    def get_paginator(self, name: str) -> MemoryTable:
        if name != "query":
            raise NotImplementedError(name)
        return self

    def paginate(self, **request: Any) -> Iterator[Item]:
        return self._pages(request)

    def _pages(self, request: Item) -> Iterator[Item]:
        """One page; a condition on keys is an equality, and maybe a beginning or an upper bound."""
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        first, _, second = request["KeyConditionExpression"].partition(" AND ")
        name, value = first.split(" = ")
        items = [
            item
            for _, item in sorted(self.tables[request["TableName"]].items())
            if item.get(names.get(name, name)) == values[value]
        ]
        if second.startswith("begins_with"):
            name, value = second.removeprefix("begins_with(").removesuffix(")").split(", ")
            items = [item for item in items if item[names[name]]["S"].startswith(values[value]["S"])]
        elif second:
            name, value = second.split(" <= ")
            items = [item for item in items if item[names[name]]["S"] <= values[value]["S"]]
            items.sort(key=lambda item: str(item[names[name]]["S"]))
        yield {"Items": copy.deepcopy(items)}

    def _place(self, table: str, item: Item) -> tuple[str, str]:
        first, second = self.keys[table]
        return item[first]["S"], item[second]["S"]

    def _refusal(self, code: str, **more: Any) -> ClientError:
        kind: type[ClientError] = getattr(self.exceptions, code)
        told: Any = {"Error": {"Code": code, "Message": ""}, **more}
        return kind(told, "Write")


def _holds(request: Item, item: Item) -> bool:
    """Whether a request's condition holds of an item."""
    condition = request.get("ConditionExpression")
    return not condition or _Condition(condition, request, item).holds()


class _Condition:
    """Comparisons and `attribute_not_exists`, with AND, OR and brackets."""

    def __init__(self, text: str, request: Item, item: Item) -> None:
        self._tokens = _TOKEN.findall(text)
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        self._item = item

    def holds(self) -> bool:
        found = self._either()
        if self._tokens:
            raise NotImplementedError(self._tokens)
        return found

    def _next(self, expected: str = "") -> str:
        part: str = self._tokens.pop(0)
        if expected and part != expected:
            raise NotImplementedError(part)
        return part

    def _either(self) -> bool:
        found = self._both()
        while self._tokens and self._tokens[0] == "OR":
            self._next()
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._tokens and self._tokens[0] == "AND":
            self._next()
            found = self._one() and found
        return found

    def _one(self) -> bool:
        part = self._next()
        if part == "(":
            found = self._either()
            self._next(")")
            return found
        if part == "attribute_not_exists":
            self._next("(")
            name = self._next()
            self._next(")")
            return self._names.get(name, name) not in self._item
        operator, value = self._next(), self._values[self._next()]
        present = self._item.get(self._names.get(part, part))
        if present is None or operator == "=":
            return bool(present == value)
        [(kind, left)], [(_, right)] = present.items(), value.items()
        return bool(float(left) < float(right) if kind == "N" else left < right)


def _updated(request: Item, item: Item) -> Item:
    """An item after SET, REMOVE and ADD of plain values."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    parts = re.split(r"\s*\b(SET|REMOVE|ADD)\b\s*", request["UpdateExpression"])[1:]
    for verb, changes in zip(parts[::2], parts[1::2], strict=True):
        for change in changes.split(","):
            name, *rest = change.split()
            name = names.get(name, name)
            if verb == "SET":
                item[name] = values[rest[1]]
            elif verb == "REMOVE":
                item.pop(name, None)
            else:
                [(kind, added)] = values[rest[0]].items()
                known = item.get(name, {}).get(kind)
                if kind in ("SS", "NS"):
                    item[name] = {kind: sorted({*(known or ()), *added})}
                else:
                    item[name] = {"N": str(int(known or 0) + int(added))}
    return item
