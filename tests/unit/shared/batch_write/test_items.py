"""Attribute values, and the sizes that DynamoDB counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from shared.batch_write import item_size, serialized

NUMBERS = st.integers(-(10**37), 10**37) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_values_come_back_as_boto3_reads_them(value: Any) -> None:
    assert TypeDeserializer().deserialize(cast("Any", serialized(value))) == value


@given(VALUES)
def test_values_are_those_that_boto3_writes(value: Any) -> None:
    assert numbers_by_value(serialized(value)) == numbers_by_value(TypeSerializer().serialize(value))


def numbers_by_value(value: Any) -> Any:
    """An attribute value with its numbers as numbers: 1.0 and 1 are the same to DynamoDB."""
    [(kind, content)] = value.items()
    if kind == "N":
        return Decimal(content)
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


@pytest.mark.parametrize("number", [0, 7, -7, 10**30, 123456789, Decimal("0.001"), Decimal("12.5")])
def test_size_of_a_number_is_a_byte_for_two_digits_and_at_most_21(number: int | Decimal) -> None:
    digits = len(str(abs(number)).replace(".", "").strip("0"))
    size = item_size({"n": serialized(number)}) - 1
    assert digits / 2 + 1 <= size <= 21
