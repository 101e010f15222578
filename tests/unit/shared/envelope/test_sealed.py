"""A sealed record survives being stored and sent, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.envelope import EnvelopeError, Sealed, TamperedError

RECORDS = st.builds(
    Sealed,
    info=st.binary(max_size=100),
    keys=st.dictionaries(st.text(max_size=20), st.binary(max_size=300), max_size=3),
)


@given(RECORDS)
def test_a_record_survives_a_stream(record: Sealed) -> None:
    assert Sealed.from_bytes(record.to_bytes()) == record


@given(RECORDS)
def test_a_record_survives_a_table(record: Sealed) -> None:
    assert Sealed.from_attribute(record.to_attribute()) == record


def test_the_form_on_a_stream_stays_what_it_is() -> None:
    record = Sealed(b"message", {"us-east-1": b"\x02" * 300, "eu-west-1": b"\x01"})
    assert record.to_bytes() == (
        b"\xe1\x02\x09eu-west-1\x00\x01\x01\x09us-east-1\x01\x2c" + b"\x02" * 300 + b"message"
    )


def test_the_form_in_a_table_stays_what_it_is() -> None:
    assert Sealed(b"message", {"eu-west-1": b"key"}).to_attribute() == {
        "M": {"info": {"B": b"message"}, "keys": {"M": {"eu-west-1": {"B": b"key"}}}}
    }


def test_equal_records_have_equal_bytes() -> None:
    one, two = ("eu-west-1", b"1"), ("us-east-1", b"2")
    assert Sealed(b"", dict([one, two])).to_bytes() == Sealed(b"", dict([two, one])).to_bytes()


@given(st.binary(max_size=60) | st.binary(max_size=60).map(b"\xe1".__add__))
@example(b"\xe1\x02\x01b\x00\x00\x01a\x00\x00")  # out of order
@example(b"\xe1\x02\x01a\x00\x00\x01a\x00\x00")  # twice
def test_bytes_are_a_record_only_if_they_are_what_it_writes(data: bytes) -> None:
    try:
        record = Sealed.from_bytes(data)
    except EnvelopeError:
        return
    assert record.to_bytes() == data


@given(RECORDS.filter(lambda record: record.keys), st.data())
def test_a_record_that_ends_within_its_keys_is_refused(record: Sealed, data: st.DataObject) -> None:
    whole = record.to_bytes()
    cut = data.draw(st.integers(0, len(whole) - len(record.info) - 1))
    with pytest.raises(TamperedError):
        Sealed.from_bytes(whole[:cut])


@pytest.mark.parametrize(
    "attribute",
    [
        {},
        {"B": b"message"},
        {"M": {}},
        {"M": {"info": {"S": "text"}, "keys": {"M": {}}}},
        {"M": {"info": {"B": b"message"}}},
        {"M": {"info": {"B": b"message"}, "keys": {"L": []}}},
        {"M": {"info": {"B": b"message"}, "keys": {"M": {"eu-west-1": {"S": "key"}}}}},
    ],
)
def test_another_attribute_is_refused(attribute: dict[str, Any]) -> None:
    with pytest.raises(TamperedError):
        Sealed.from_attribute(attribute)


def test_keys_that_do_not_fit_are_the_callers_mistake() -> None:
    with pytest.raises(OverflowError):
        Sealed(b"", {"eu-west-1": bytes(65_536)}).to_bytes()


def test_a_printed_record_shows_no_bytes() -> None:
    assert repr(Sealed(b"message", {"b": b"1", "a": b"2"})) == "Sealed(7 bytes, keys of a, b)"
    assert repr(Sealed(b"message", {})) == "Sealed(7 bytes, keys of no region)"
