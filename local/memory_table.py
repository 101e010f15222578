"""As much of DynamoDB as the API portal and the authentication use, in memory.

It answers as DynamoDB does: conditions, updates, transactions (all or nothing, an item once, at most a
hundred) and their refusals. Reads of an index are as consistent as those of the table.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator, Mapping, MutableMapping
from threading import RLock
from typing import Any

from boto3 import client
from botocore.exceptions import ClientError

from .dynamodb_expressions import ExpressionError, check_used, holds, updated

__all__ = ["MemoryTable"]

type Item = dict[str, Any]
type Place = tuple[str, str]

_MOST_WRITES = 100


class _Items(UserDict[Place, Item]):
    """The items of a table, with their places by the values of attributes that were asked for."""

    def __init__(self, items: Mapping[Place, Item]) -> None:
        self._places: dict[str, dict[str, dict[Place, None]]] = {}
        super().__init__(items)

    def __setitem__(self, place: Place, item: Item) -> None:
        self._leave(place)
        super().__setitem__(place, item)
        for attribute in self._places:
            self._enter(attribute, place, item)

    def __delitem__(self, place: Place) -> None:
        self._leave(place)
        super().__delitem__(place)

    def _enter(self, attribute: str, place: Place, item: Item) -> None:
        if attribute in item:
            self._places[attribute].setdefault(str(item[attribute]), {})[place] = None

    def _leave(self, place: Place) -> None:
        if (item := self.get(place)) is not None:
            for attribute, places in self._places.items():
                if attribute in item:
                    places[str(item[attribute])].pop(place)

    def of(self, attribute: str, value: Item) -> list[tuple[Place, Item]]:
        """The items with a value of an attribute, in the order of their places."""
        if attribute not in self._places:
            self._places[attribute] = {}
            for place, item in self.items():
                self._enter(attribute, place, item)
        return [(place, self[place]) for place in sorted(self._places[attribute].get(str(value), ()))]


class MemoryTable:
    """Tables whose items are in memory.

    An item that was written is never changed: a write replaces it. So a copy of a table's dictionary is the
    table as it was.

    Args:
        keys: Names of the key's attributes, by table.
    """

    def __init__(self, keys: Mapping[str, tuple[str, str]]) -> None:
        self.keys = keys
        self.tables: dict[str, MutableMapping[Place, Item]] = {name: _Items({}) for name in keys}
        self.exceptions = client("dynamodb", region_name="us-east-1").exceptions
        self._lock = RLock()

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> Item:  # noqa: N803
        found = self.tables[TableName].get(self._place(TableName, Key))
        return {"Item": _copy(found)} if found else {}

    def batch_get_item(self, *, RequestItems: Item) -> Item:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        if not wanted["ConsistentRead"]:
            raise NotImplementedError("what may be old")
        found = [self.get_item(TableName=table, Key=key).get("Item") for key in wanted["Keys"]]
        return {"Responses": {table: [item for item in found if item]}}

    def put_item(self, **request: Any) -> Item:
        return self._write("Put", request)

    def delete_item(self, **request: Any) -> Item:
        return self._write("Delete", request)

    def update_item(self, **request: Any) -> Item:
        return self._write("Update", request)

    def transact_write_items(self, *, TransactItems: list[Item], **_: Any) -> Item:  # noqa: N803
        writes = [next(iter(each.items())) for each in TransactItems]
        with self._lock:
            places = [(each["TableName"], *self._place_of(each)) for _, each in writes]
            if len(set(places)) < len(places):
                raise self._invalid("Transaction request cannot include multiple operations on one item")
            if not 0 < len(writes) <= _MOST_WRITES:
                raise self._invalid(f"Member must have length between 1 and {_MOST_WRITES}")
            reasons = [self._reason(request) for _, request in writes]
            if any(reason["Code"] != "None" for reason in reasons):
                raise self._refusal("TransactionCanceledException", CancellationReasons=reasons)
            before = [self.tables[table].get((first, second)) for table, first, second in places]
            try:
                for kind, request in writes:
                    self._apply(kind, request)
            except ClientError:  # an update that cannot be computed
                for (table, *place), item in zip(places, before, strict=True):
                    self._put_back(table, (place[0], place[1]), item)
                raise
        return {}

    def _put_back(self, table: str, place: Place, item: Item | None) -> None:
        if item is None:
            self.tables[table].pop(place, None)
        else:
            self.tables[table][place] = item

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
        """One page, in the order of the sort key of the table or of the index."""
        self._check(request)
        names = request.get("ExpressionAttributeNames", {})
        first, _, second = request["KeyConditionExpression"].partition(" AND ")
        key, _, value = first.split()
        key, value = names.get(key, key), request["ExpressionAttributeValues"][value]
        of_key = self._of_key(request["TableName"], key, value)
        found = [each for each in of_key if holds(request, each[1], "KeyConditionExpression")]
        if second and not second.startswith("begins_with"):
            name = second.split()[0]
            found.sort(key=lambda each: str(each[1][names.get(name, name)]["S"]))
        yield {"Items": [_copy(item) for _, item in found]}

    def _of_key(self, name: str, key: str, value: Item) -> list[tuple[Place, Item]]:
        with self._lock:  # others write meanwhile
            table = self.tables[name]
            if not isinstance(table, _Items):  # somebody put back what was there before
                table = self.tables[name] = _Items(table)
            return table.of(key, value)

    def _write(self, kind: str, request: Item) -> Item:
        with self._lock:
            reason = self._reason(request)
            if reason["Code"] != "None":
                item = {"Item": reason["Item"]} if "Item" in reason else {}
                raise self._refusal("ConditionalCheckFailedException", **item)
            return self._apply(kind, request)

    def _reason(self, request: Item) -> Item:
        """Why a write is refused, as a transaction says it; the code `None` if it is not."""
        self._check(request)
        before = self.tables[request["TableName"]].get(self._place_of(request), {})
        if holds(request, before):
            return {"Code": "None"}
        shown = before and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return {"Code": "ConditionalCheckFailed"} | ({"Item": _copy(before)} if shown else {})

    def _apply(self, kind: str, request: Item) -> Item:
        table, place = self.tables[request["TableName"]], self._place_of(request)
        before, changed = table.get(place), list[str]()
        if kind == "Put":
            table[place] = _copy(request["Item"])
        elif kind == "Delete":
            table.pop(place, None)
        elif kind == "Update":
            try:
                after, changed = updated(request, before or request["Key"])
            except ExpressionError as error:
                raise self._invalid(str(error)) from error
            table[place] = _copy(after)
        return _returned(request.get("ReturnValues", "NONE"), before, table.get(place), changed)

    def _check(self, request: Item) -> None:
        try:
            check_used(request)
        except ExpressionError as error:
            raise self._invalid(str(error)) from error

    def _place_of(self, request: Item) -> Place:
        return self._place(request["TableName"], request.get("Item") or request["Key"])

    def _place(self, table: str, item: Item) -> Place:
        first, second = self.keys[table]
        if not (item[first]["S"] and item[second]["S"]):
            raise self._invalid("The AttributeValue for a key attribute cannot contain an empty string value")
        return item[first]["S"], item[second]["S"]

    def _invalid(self, message: str) -> ClientError:
        return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "Write")

    def _refusal(self, code: str, **more: Any) -> ClientError:
        kind: type[ClientError] = getattr(self.exceptions, code)
        told: Any = {"Error": {"Code": code, "Message": ""}, **more}
        return kind(told, "Write")


def _copy(value: Any) -> Any:
    """A copy of an attribute's value, or of an item: what nobody else holds."""
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _returned(wanted: str, before: Item | None, after: Item | None, changed: list[str]) -> Item:
    """The answer of a write."""
    if wanted == "UPDATED_NEW":
        return {
            "Attributes": {name: _copy(value) for name, value in (after or {}).items() if name in changed}
        }
    item = {"ALL_NEW": after, "ALL_OLD": before}.get(wanted)
    return {"Attributes": _copy(item)} if item else {}
