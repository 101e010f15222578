"""Attribute values, and the sizes that DynamoDB counts."""

from __future__ import annotations

import json
from collections import OrderedDict
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from shared.batch_write import item_size, serialized

NUMBERS = st.integers(-(10**37), 10**37) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9
)
BINARIES = st.binary() | st.binary().map(Binary) | st.binary().map(bytearray)
SETS = st.frozensets(st.text(), min_size=1) | st.frozensets(NUMBERS, min_size=1)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | BINARIES | SETS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


class Colour(StrEnum):
    RED = "red"


class Weight(IntEnum):
    LIGHT = 1


class Pair(NamedTuple):
    number: int
    text: str


@given(VALUES)
def test_values_come_back_as_boto3_reads_them(value: Any) -> None:
    assert TypeDeserializer().deserialize(cast("Any", serialized(value))) == value


@pytest.mark.parametrize(
    "value",
    [
        {Binary(b"x"), Binary(b"y")}, MappingProxyType({"a": {"b": (1, [2])}}), {"k": 1}.keys(),
        OrderedDict(a=1), Colour.RED, Weight.LIGHT, Pair(1, "x"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_derived_types_are_those_that_boto3_writes(value: Any) -> None:
    assert serialized(value) == TypeSerializer().serialize(value)


@given(VALUES)
def test_values_are_those_that_boto3_writes(value: Any) -> None:
    assert numbers_by_value(serialized(value)) == numbers_by_value(TypeSerializer().serialize(value))


def numbers_by_value(value: Any) -> Any:
    """An attribute value with its numbers as numbers: 1.0 and 1 are the same to DynamoDB."""
    [(kind, content)] = value.items()
    if kind == "N":
        return Decimal(content)
    if kind == "NS":
        return {Decimal(each) for each in content}
    if kind == "SS":
        return set(content)
    if kind == "L":
        return [numbers_by_value(each) for each in content]
    if kind == "M":
        return {name: numbers_by_value(each) for name, each in content.items()}
    return {kind: bytes(content) if kind == "B" else content}


@pytest.mark.parametrize("values", [{"a", "b"}, {1, Decimal("2.5")}, frozenset({b"x"})])
def test_sets_keep_their_kind(values: Any) -> None:
    [(kind, content)] = serialized(values).items()
    assert kind in ("SS", "NS", "BS")
    assert len(content) == len(values)


@pytest.mark.parametrize(
    "value", [{1, "a"}, {("a",)}, Decimal("NaN"), Decimal("Infinity"), Decimal("1E+126")]
)
def test_values_that_dynamodb_lacks_are_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        serialized(value)


# DynamoDB Developer Guide, "DynamoDB item sizes and formats".
@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("", 0), ("abc", 3), ("ü", 2), ("😀", 4), (b"12345", 5), (True, 1), (None, 1), ([], 3), ({}, 3),
        (["a", "b"], 3 + 2 * 2), ({"n": "abc"}, 3 + 1 + 1 + 3), ({"ab", "c"}, 3),
    ],
)  # fmt: skip
def test_size_of_a_value(value: Any, size: int) -> None:
    assert item_size({"name": serialized(value)}) == 4 + size


# The same chapter: "Leading and trailing zeroes are trimmed. The size of a number is approximately (length of
# attribute name) + (1 byte per two significant digits) + (1 byte)", and numbers have up to 38 digits.
@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (0, 0), (7, 1), (-7, 1), (12, 2), (10**30, 1), (-120_000, 2), (123456789, 9), (1001, 4),
        (Decimal("0.001"), 1), (Decimal("12.50"), 3), (Decimal("-0.0"), 0), (Decimal("1E+125"), 1),
        (Decimal("12E-130"), 2), (10**125, 1), (Decimal("1." + "0" * 300), 1), (10**38 - 1, 38),
        (Decimal((0, (5,) * 38, -9)), 38),
    ],
)  # fmt: skip
def test_size_of_a_number_is_a_byte_for_two_significant_digits(number: int | Decimal, digits: int) -> None:
    value = serialized(number)
    assert item_size({"n": value}) == 1 + -(-digits // 2) + 1
    assert Decimal(value["N"]) == number


def test_numbers_with_many_zeros_leave_room_for_others() -> None:
    assert item_size({"v": serialized([10**30] * 25_000)}) < 100_000


ZEROS = st.integers(0, 125)
LONG = ZEROS.map(lambda zeros: 10**zeros) | ZEROS.map(lambda zeros: Decimal("1." + "0" * zeros))
ANY = VALUES | LONG | st.frozensets(LONG, min_size=1)


@given(st.dictionaries(st.text(min_size=1), ANY | st.lists(ANY), max_size=8))
def test_wire_takes_at_most_twenty_times_what_is_counted(item: dict[str, Any]) -> None:
    wire = {name: serialized(value) for name, value in item.items()}
    sent = json.dumps(wire, default=lambda content: "=" * (-(-len(content) // 3) * 4))
    assert len(sent) <= 20 * item_size(wire) + 2
