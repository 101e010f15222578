"""Python values as DynamoDB's attribute values, and how large they are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

__all__ = ["MAX_ITEM_BYTES", "Delete", "Identity", "Refused", "identity", "item_size", "serialized"]

MAX_ITEM_BYTES = 400 * 1024
"""Bytes of an item, names included (DynamoDB Developer Guide, "Quotas")."""
_MAX_KEY_BYTES = (2048, 1024)  # of partition and sort key
_MAX_DIGITS = 38
_EXPONENTS = range(-130, 126)

type Item = Mapping[str, Any]
type AttributeValue = dict[str, Any]
type Identity = tuple[object, ...]


@dataclass(frozen=True)
class Delete:
    """A request to delete an item.

    Attributes:
        key: The key's attributes.
    """

    key: Item


class Refused(NamedTuple):
    """A request that DynamoDB can never take.

    Attributes:
        request: As it was given.
        reason: What is wrong with it, in a few words and without its contents.
    """

    request: Item | Delete
    reason: str


def _number(value: int | Decimal) -> AttributeValue:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("a number is not finite")
    if len("".join(map(str, number.as_tuple().digits)).strip("0")) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS} digits")
    if number and number.adjusted() not in _EXPONENTS:
        raise ValueError("a number is out of range")
    return {"N": str(value)}


def _whole(value: int) -> AttributeValue:
    small = -(10**_MAX_DIGITS) < value < 10**_MAX_DIGITS
    return {"N": str(value)} if small else _number(value)


def _set(values: set[Any] | frozenset[Any]) -> AttributeValue:
    kinds = {kind for value in values for kind in serialized(value)}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise ValueError("a set must hold texts, numbers or bytes of one kind, and not be empty")
    [kind] = kinds
    return {f"{kind}S": [serialized(value)[kind] for value in values]}


def _map(value: Item) -> AttributeValue:
    if not all(isinstance(name, str) for name in value):
        raise TypeError("a map's names must be texts")
    return {"M": {name: serialized(each) for name, each in value.items()}}


_OF: dict[type, Callable[[Any], AttributeValue]] = {
    str: lambda value: {"S": value},
    int: _whole,
    Decimal: _number,
    bool: lambda value: {"BOOL": value},
    type(None): lambda _: {"NULL": True},
    bytes: lambda value: {"B": value},
    bytearray: lambda value: {"B": bytes(value)},
    list: lambda value: {"L": [serialized(each) for each in value]},
    tuple: lambda value: {"L": [serialized(each) for each in value]},
    dict: _map,
    set: _set,
    frozenset: _set,
}


def serialized(value: Any) -> AttributeValue:
    """A Python value as an attribute value.

    Raises:
        TypeError: DynamoDB has no such type. Floats are among them: they would lose digits on the way.
        ValueError: The number or set is none that DynamoDB takes.
    """
    made = _OF.get(type(value))
    if made is None:
        made = next((make for kind, make in _OF.items() if isinstance(value, kind)), None)
        if made is None:
            raise TypeError(f"{type(value).__name__} is not a type of DynamoDB")
    return made(value)


def item_size(item: Mapping[str, AttributeValue]) -> int:
    """Bytes that DynamoDB counts for an item of attribute values.

    DynamoDB Developer Guide, "DynamoDB item sizes and formats".
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content) if content.isascii() else len(content.encode())
    if kind == "N":
        return len(content.lstrip("-0").replace(".", "")) // 2 + 2
    if kind == "B":
        return len(content)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _size(each) for name, each in content.items())
    if kind == "L":
        return 3 + sum(1 + _size(each) for each in content)
    return sum(_size({kind[0]: each}) for each in content)


def identity(item: Mapping[str, AttributeValue], keys: Sequence[str]) -> Identity:
    """What makes two items the same: their keys, numbers by value, since DynamoDB takes 1 and 1.0 for one.

    Raises:
        ValueError: A key's attribute is missing, empty, too long, or of a type that no key has.
    """
    found: list[object] = []
    for name, limit in zip(keys, _MAX_KEY_BYTES, strict=False):
        [(kind, value)] = item.get(name, {"": None}).items()
        if kind == "N":
            found.append(Decimal(value))
            continue
        if kind not in ("S", "B") or not value:
            raise ValueError(f"the key {name} is missing, empty, or neither text, number nor bytes")
        if len(value.encode() if kind == "S" else value) > limit:
            raise ValueError(f"the key {name} is longer than {limit} bytes")
        found.append(value)
    return tuple(found)
