"""A table of DynamoDB in memory: reads, conditions and updates as far as the authentication writes them.

Names and meaning of expressions are those of the developer guide ("Condition and filter expressions",
"Update expressions"): a comparison with an attribute that is lacking is false, `ADD` begins at nothing, and
an update writes the whole item or, if the condition does not hold, nothing.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

__all__ = ["MemoryTable"]

type Item = dict[str, Any]

_TOKEN = re.compile(r"\s*(?:(<=|>=|<>|[=<>+,()-])|([:#]?[\w.]+))")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


class MemoryTable:
    """As much of a DynamoDB client as `auth.storage` calls, with one table that has `pk` and `sk`.

    Attributes:
        items: The items by key.
    """

    class exceptions:  # noqa: N801 - as DynamoDB's client calls it
        class ConditionalCheckFailedException(ClientError):
            """A condition does not hold."""

        class TransactionCanceledException(ClientError):
            """A condition of a transaction does not hold."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    # The operations' parameters are named as DynamoDB names them.
    # ruff: noqa: N803

    def get_item(self, *, Key: Item, **_: Any) -> Item:
        found = self.items.get(_key(Key))
        return {} if found is None else {"Item": copy.deepcopy(found)}

    def put_item(self, *, Item: Item, **request: Any) -> Item:
        self._write("Put", {"Item": Item, **request})
        return {}

    def update_item(self, *, ReturnValues: str = "NONE", **request: Any) -> Item:
        before = self.items.get(_key(request["Key"]))
        self._write("Update", request)
        after = before if ReturnValues == "ALL_OLD" else self.items[_key(request["Key"])]
        return {"Attributes": copy.deepcopy(after)} if after and ReturnValues != "NONE" else {}

    def delete_item(self, **request: Any) -> Item:
        self._write("Delete", request)
        return {}

    def transact_write_items(self, *, TransactItems: list[Item], **_: Any) -> Item:
        [*writes] = [(operation, request) for each in TransactItems for operation, request in each.items()]
        keys = [_key(request.get("Key") or request["Item"]) for _, request in writes]
        assert len(set(keys)) == len(keys) <= 100, (
            "a transaction writes an item once, and 100 of them at most"
        )
        lost = [
            not self._holds(self.items.get(key), request)
            for key, (_, request) in zip(keys, writes, strict=True)
        ]
        if any(lost):
            reasons = [{"Code": "ConditionalCheckFailed" if each else "None"} for each in lost]
            answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise self.exceptions.TransactionCanceledException(answer, "TransactWriteItems")
        for operation, request in writes:
            self._write(operation, request)
        return {}

    def query(self, **request: Any) -> Item:
        found = [
            copy.deepcopy(item)
            for _, item in sorted(self.items.items())
            if self._holds(item, request, "KeyConditionExpression")
        ]
        if request.get("ScanIndexForward") is False:
            found.reverse()
        return {"Items": found[: request.get("Limit", len(found))]}

    def get_paginator(self, operation: str) -> MemoryTable:
        assert operation == "query"
        return self

    def paginate(self, **request: Any) -> Iterator[Item]:
        yield self.query(**request)

    def _write(self, operation: str, request: Item) -> None:
        key = _key(request.get("Key") or request["Item"])
        before = self.items.get(key)
        if not self._holds(before, request):
            answer: Any = {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": before or {}}
            raise self.exceptions.ConditionalCheckFailedException(answer, operation)
        if operation == "Put":
            self.items[key] = copy.deepcopy(request["Item"])
        elif operation == "Delete":
            self.items.pop(key, None)
        elif operation == "Update":
            self.items[key] = _Expression(request, before or dict(request["Key"])).updated()

    def _holds(self, item: Item | None, request: Item, name: str = "ConditionExpression") -> bool:
        return name not in request or _Expression(request, item or {}).holds(request[name])


class _Expression:
    """Evaluates expressions of a request over an item."""

    def __init__(self, request: Item, item: Item) -> None:
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        self._update = request.get("UpdateExpression", "")
        self._item = item
        self._tokens: list[str] = []

    def holds(self, text: str) -> bool:
        self._tokens = _tokens(text)
        result = self._any()
        assert not self._tokens, text
        return result

    def updated(self) -> Item:
        self._tokens = _tokens(self._update)
        made = copy.deepcopy(self._item)
        while self._tokens:
            clause = self._tokens.pop(0)
            while True:
                self._change(clause, made)
                if not self._tokens or self._tokens[0] != ",":
                    break
                self._tokens.pop(0)
        return made

    def _change(self, clause: str, made: Item) -> None:
        name = self._name(self._tokens.pop(0))
        if clause == "REMOVE":
            made.pop(name, None)
        elif clause == "ADD":
            made[name] = _added(made.get(name), self._operand())
        else:
            assert (clause, self._tokens.pop(0)) == ("SET", "=")
            value = self._operand()
            if self._tokens and self._tokens[0] in "+-":
                sign = self._tokens.pop(0)
                value = {"N": str(int(value["N"]) + int(f"{sign}1") * int(self._operand()["N"]))}
            made[name] = copy.deepcopy(value)

    def _any(self) -> bool:
        result = self._all()
        while self._tokens and self._tokens[0] == "OR":
            self._tokens.pop(0)
            result = self._all() or result
        return result

    def _all(self) -> bool:
        result = self._one()
        while self._tokens and self._tokens[0] == "AND":
            self._tokens.pop(0)
            result = self._one() and result
        return result

    def _one(self) -> bool:
        if self._tokens[0] == "(":
            self._tokens.pop(0)
            result = self._any()
            assert self._tokens.pop(0) == ")"
            return result
        if self._tokens[0] in ("attribute_exists", "attribute_not_exists", "begins_with"):
            function, arguments = self._tokens.pop(0), self._arguments()
            if function == "begins_with":
                text: str = self._value(arguments[0])["S"]
                return text.startswith(self._value(arguments[1])["S"])
            return (self._value(arguments[0]) is not None) == (function == "attribute_exists")
        one, sign, other = self._operand(), self._tokens.pop(0), self._operand()
        if one is None or other is None:
            return False
        return _COMPARED[sign](_comparable(one), _comparable(other))

    def _operand(self) -> Any:
        if self._tokens[0] == "if_not_exists":
            self._tokens.pop(0)
            name, default = self._arguments()
            found = self._value(name)
            return self._value(default) if found is None else found
        return self._value(self._tokens.pop(0))

    def _arguments(self) -> list[str]:
        end = self._tokens.index(")")
        arguments = [token for token in self._tokens[1:end] if token != ","]
        del self._tokens[: end + 1]
        return arguments

    def _name(self, token: str) -> str:
        name: str = self._names[token] if token.startswith("#") else token
        return name

    def _value(self, token: str) -> Any:
        return self._values[token] if token.startswith(":") else self._item.get(self._name(token))


def _tokens(text: str) -> list[str]:
    found = [sign or word for sign, word in _TOKEN.findall(text)]
    assert "".join(found) == re.sub(r"\s", "", text), text
    return found


def _added(before: Any, more: Any) -> Any:
    if "N" in more:
        return {"N": str(int(before["N"] if before else 0) + int(more["N"]))}
    [(kind, values)] = more.items()
    return {kind: sorted({*(before[kind] if before else ()), *values})}


def _comparable(value: Item) -> Any:
    [(kind, inner)] = value.items()
    return int(inner) if kind == "N" else inner


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
