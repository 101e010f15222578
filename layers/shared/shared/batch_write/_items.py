"""Python values as DynamoDB's attribute values, and how large they are there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, NamedTuple

__all__ = [
    "MAX_DEPTH",
    "MAX_ITEM_BYTES",
    "Delete",
    "Identity",
    "Refused",
    "check_names",
    "identity",
    "item_size",
    "serialized",
]

MAX_ITEM_BYTES = 400 * 1024
"""Bytes of an item, names included (DynamoDB Developer Guide, "Quotas")."""
MAX_DEPTH = 32
"""Levels of lists and maps in one another (DynamoDB Developer Guide, "Quotas", nested attribute depth)."""
_MAX_KEY_BYTES = (2048, 1024)  # of partition and sort key
_MAX_DIGITS = 38
_EXPONENTS = range(-130, 126)
_DECIMALS = Context(prec=_MAX_DIGITS)
_SHORT_DIGITS = (
    20  # a longer number is sent without its zeros: they cost bytes on the wire that nobody counts
)

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
    text = str(value)
    if len(text) <= _SHORT_DIGITS and not isinstance(value, Decimal):
        return {"N": text}
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("a number is not finite")
    if len("".join(map(str, number.as_tuple().digits)).strip("0")) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS} digits")
    if number and number.adjusted() not in _EXPONENTS:
        raise ValueError("a number is out of range")
    return {"N": text if len(text) <= _SHORT_DIGITS else str(number.normalize(_DECIMALS))}


def _set(values: Set[Any]) -> AttributeValue:
    kinds = {kind for value in values for kind in serialized(value)}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise ValueError("a set must hold texts, numbers or bytes of one kind, and not be empty")
    [kind] = kinds
    return {f"{kind}S": [serialized(value)[kind] for value in values]}


_SCALARS: dict[type, Callable[[Any], AttributeValue]] = {
    str: lambda value: {"S": value},
    int: _number,
    Decimal: _number,
    bool: lambda value: {"BOOL": value},
    type(None): lambda _: {"NULL": True},
    bytes: lambda value: {"B": value},
    bytearray: lambda value: {"B": bytes(value)},
    set: _set,
    frozenset: _set,
}


def serialized(value: Any) -> AttributeValue:
    """A Python value as an attribute value.

    Args:
        value: What boto3's `TypeSerializer` takes, its `Binary` included.

    Raises:
        TypeError: DynamoDB has no such type. Floats are among them: they would lose digits on the way.
        ValueError: The number or set is none that DynamoDB takes, or lists and maps are nested too deeply.
    """
    return _serialized(value, MAX_DEPTH)


def _serialized(value: Any, levels: int) -> AttributeValue:
    """A value in which lists and maps may be nested so many levels deep."""
    made = _SCALARS.get(type(value))
    if made is not None:
        return made(value)
    if isinstance(value, list | tuple):
        _go_down(levels)
        return {"L": [_serialized(each, levels - 1) for each in value]}
    if isinstance(value, Mapping):
        _go_down(levels)
        check_names(value)
        return {"M": {name: _serialized(each, levels - 1) for name, each in value.items()}}
    return _of_subclass(value)


def _go_down(levels: int) -> None:
    if levels == 0:
        raise ValueError(f"lists and maps are nested more than {MAX_DEPTH} levels deep")


def _of_subclass(value: Any) -> AttributeValue:
    """A value of a derived type, a set of any class, or boto3's `Binary`."""
    for kind, make in _SCALARS.items():
        if isinstance(value, kind):
            return make(value)
    if isinstance(value, Set):
        return _set(value)
    boto3_types = sys.modules.get("boto3.dynamodb.types")  # whoever has a Binary has imported its module
    if boto3_types is not None and isinstance(value, boto3_types.Binary):
        return {"B": bytes(value.value)}
    raise TypeError(f"{type(value).__name__} is not a type of DynamoDB")


def check_names(item: Mapping[Any, Any]) -> None:
    """Check that attributes have names.

    Raises:
        TypeError: A name is no text.
    """
    if not all(isinstance(name, str) for name in item):
        raise TypeError("an attribute's name must be a text")


def item_size(item: Mapping[str, AttributeValue]) -> int:
    """Bytes that DynamoDB counts for an item of attribute values.

    DynamoDB Developer Guide, "DynamoDB item sizes and formats", which calls the size of a number approximate.
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content) if content.isascii() else len(content.encode())
    if kind == "N":
        # "Leading and trailing zeroes are trimmed", "1 byte per two significant digits", and one.
        digits = content.partition("E")[0].lstrip("-").replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + 1
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
