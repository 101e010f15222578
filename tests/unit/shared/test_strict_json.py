"""JSON as RFC 7493 has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import strict_json
from shared.strict_json import is_shallow


def test_json_has_each_member_once() -> None:
    assert strict_json.parse(b'{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    for text in (
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":1}}',
        "[Infinity]",
        "[1e999]",
        r'["\ud800"]',
        r'{"\udc00": 1}',
        b'"\xed\xa0\x80"',
        "",
        "{'a': 1}",
    ):
        with pytest.raises(ValueError, match=r".+"):
            strict_json.parse(text)


# RFC 8259, section 8.1: "MUST be encoded using UTF-8", "MUST NOT add a byte order mark". Python's parser
# takes all of these.
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
def test_json_in_another_encoding_or_with_a_mark_is_refused(encoding: str) -> None:
    data = '{"a": 1}'.encode(encoding)
    assert json.loads(data) == {"a": 1}
    with pytest.raises(ValueError, match=r".+"):
        strict_json.parse(data)


def test_a_text_with_a_byte_order_mark_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json.parse("\ufeff{}")


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_json_writes_is_read(value: Any) -> None:
    """The oracle is Python's parser, which takes all that is strict."""
    text = json.dumps(value)
    assert strict_json.parse(text) == json.loads(text)


@given(st.integers(0, 12), st.booleans())
def test_depth_is_counted_through_lists_and_objects(depth: int, lists: bool) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value] if lists else {"a": value}
    assert is_shallow(value) == (depth <= 8)


def test_nesting_beyond_the_parser_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested"):
        strict_json.parse("[" * 100_000)
