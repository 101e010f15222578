"""DynamoDB's condition and update expressions, as far as the applications use them.

The grammar and the comparisons are those of the Amazon DynamoDB Developer Guide, "Expressions in DynamoDB": a
comparison with an attribute that is not there does not hold (`<>` does), numbers are equal as numbers, values
of two types are never ordered, and all that an update computes it computes of the item as it was. A name or a
value that no expression uses is refused, as DynamoDB refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

__all__ = ["ExpressionError", "check_used", "holds", "updated"]

type Item = dict[str, Any]
type Names = Mapping[str, str]
type Test = Callable[[Item, Names, Item], bool]
type Value = Callable[[Item, Names, Item], Any]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[<>=(),+-]|[#:]?[A-Za-z_]\w*)")
_FUNCTIONS = {"attribute_exists", "attribute_not_exists", "begins_with"}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class ExpressionError(Exception):
    """An expression that DynamoDB refuses, or that is beyond this module."""


def holds(request: Mapping[str, Any], item: Item, member: str = "ConditionExpression") -> bool:
    """Whether a request's condition holds of an item; one without a condition always does.

    Args:
        request: The request.
        item: The item as it is; empty where there is none.
        member: Where the request has the condition.
    """
    text = request.get(member)
    return not text or _condition(text)(item, *_given(request))


def updated(request: Mapping[str, Any], item: Item) -> tuple[Item, list[str]]:
    """An item after a request's update, and the attributes that were written.

    Args:
        request: The request.
        item: The item as it is, or its key; it is not changed.

    Raises:
        ExpressionError: What is added to is not there, or is no number.
    """
    names, values = _given(request)
    after, written = dict(item), []
    for verb, name, value in _update(request["UpdateExpression"]):
        place = names[name] if name.startswith("#") else name
        if verb == "REMOVE":
            after.pop(place, None)
            continue
        made = value(item, names, values) if value else None
        if verb == "ADD":
            made = _added(item.get(place), made)
        if made is None:
            raise ExpressionError("The provided expression refers to an attribute that does not exist")
        after[place] = made
        written.append(place)
    return after, written


def check_used(request: Mapping[str, Any]) -> None:
    """Refuse names and values that no expression uses, or that are not given.

    Raises:
        ExpressionError: There is one.
    """
    used: set[str] = set()
    for member in ("ConditionExpression", "UpdateExpression", "KeyConditionExpression"):
        if member in request:
            tokens = _tokens(request[member])
            if not tokens:
                raise ExpressionError(f"{member} must not be empty")
            used.update(token for token in tokens if token[0] in "#:")
    given = {*request.get("ExpressionAttributeNames", ()), *request.get("ExpressionAttributeValues", ())}
    if used != given:
        raise ExpressionError(f"names and values that are unused or not given: {sorted(used ^ given)}")


def _given(request: Mapping[str, Any]) -> tuple[Names, Item]:
    return request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})


def _plain(value: Any) -> Any:
    """An attribute's value such that equal ones are equal in Python."""
    [(kind, content)] = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind in ("SS", "NS", "BS"):
        return kind, frozenset(content)
    if kind == "M":
        return kind, {name: _plain(each) for name, each in content.items()}
    if kind == "L":
        return kind, [_plain(each) for each in content]
    return kind, content


def _compared(operator: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return operator == "<>"
    (kind, one), (other_kind, other) = _plain(left), _plain(right)
    if operator in ("=", "<>"):
        return bool((kind == other_kind and one == other) == (operator == "="))
    return kind == other_kind and _COMPARISONS[operator](one, other)


def _added(known: Any, more: Any) -> Any:
    """The value that ADD makes of what is there."""
    [(kind, content)] = more.items()
    if kind in ("SS", "NS"):
        return {kind: sorted({*(known or {}).get(kind, ()), *content})}
    return _sum(known or {"N": "0"}, more, 1)


def _sum(left: Any, right: Any, sign: int) -> Any:
    if left is None:
        return None
    if "N" not in left or "N" not in right:
        raise ExpressionError("An operand in the update expression has an incorrect data type")
    return {"N": str(Decimal(left["N"]) + sign * Decimal(right["N"]))}


@cache
def _tokens(text: str) -> tuple[str, ...]:
    found, position = [], 0
    while position < len(text.rstrip()):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ExpressionError(f"Syntax error at {text[position:]!r}")
        found.append(token[1])
        position = token.end()
    return tuple(found)


@cache
def _condition(text: str) -> Test:
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return found


@cache
def _update(text: str) -> list[tuple[str, str, Value | None]]:
    parser = _Parser(text)
    found = parser.changes()
    parser.end()
    return found


class _Parser:
    """Reads an expression, and makes functions of its parts."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))

    def end(self) -> None:
        if self._tokens:
            raise ExpressionError(f"Syntax error at {self._tokens}")

    def _comes(self, *words: str) -> bool:
        return bool(self._tokens) and self._tokens[0].upper() in words

    def _next(self, expected: str = "") -> str:
        token = self._tokens.pop(0) if self._tokens else ""
        if not token or (expected and token != expected):
            raise ExpressionError(f"Syntax error at {token!r}")
        return token

    # ---- conditions

    def either(self) -> Test:
        tests = [self._both()]
        while self._comes("OR"):
            self._next()
            tests.append(self._both())
        return lambda *given: any(test(*given) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._comes("AND"):
            self._next()
            tests.append(self._one())
        return lambda *given: all(test(*given) for test in tests)

    def _one(self) -> Test:
        if self._comes("NOT"):
            self._next()
            test = self._one()
            return lambda *given: not test(*given)
        if self._comes("("):
            self._next()
            inner = self.either()
            self._next(")")
            return inner
        if self._tokens and self._tokens[0] in _FUNCTIONS:
            return self._function(self._next())
        left, operator, right = self._operand(), self._next(), self._operand()
        if operator not in (*_COMPARISONS, "=", "<>"):
            raise ExpressionError(f"Syntax error at {operator!r}")
        return lambda *given: _compared(operator, left(*given), right(*given))

    def _function(self, name: str) -> Test:
        self._next("(")
        place = self._operand()
        if name == "begins_with":
            self._next(",")
            start = self._operand()
            self._next(")")
            return lambda *given: (place(*given) or {}).get("S", "\0").startswith(start(*given)["S"])
        self._next(")")
        return lambda *given: (place(*given) is not None) == (name == "attribute_exists")

    # ---- updates

    def changes(self) -> list[tuple[str, str, Value | None]]:
        found: list[tuple[str, str, Value | None]] = []
        while self._tokens:
            verb = self._next().upper()
            if verb not in ("SET", "REMOVE", "ADD"):
                raise ExpressionError(f"Syntax error at {verb!r}")
            while True:
                name, value = self._next(), None
                if verb == "SET":
                    self._next("=")
                    value = self._computed()
                elif verb == "ADD":
                    value = self._operand()
                found.append((verb, name, value))
                if not self._comes(","):
                    break
                self._next()
        return found

    def _computed(self) -> Value:
        left = self._operand()
        if not self._comes("+", "-"):
            return left
        sign = 1 if self._next() == "+" else -1
        right = self._operand()
        return lambda *given: _sum(left(*given), right(*given), sign)

    def _operand(self) -> Value:
        name = self._next()
        if name == "if_not_exists":
            self._next("(")
            place = self._operand()
            self._next(",")
            other = self._operand()
            self._next(")")
            return lambda *given: other(*given) if place(*given) is None else place(*given)
        if name.startswith(":"):
            return lambda _item, _names, values: values[name]
        if name.startswith("#"):
            return lambda item, names, _values: item.get(names[name])
        return lambda item, _names, _values: item.get(name)
