"""Posts of records, and aggregated records taken apart."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.social_posts import Posts
from shared.batch_write import MAX_ITEM_BYTES, item_size, serialized
from shared.events import ForeignEventError
from social_stream import kpl, write_request
from social_stream.errors import BadRecordError
from social_stream.posts import MAX_POST_BYTES, Arrival, encoded, post_of

ARRIVAL = Arrival("495", 2, 1_795_464_000.25)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_item_is_made_of_the_record_alone() -> None:
    post = post_of(b'{"user_id": "u", "tweet_id": "12", "Tags": [], "Other": 0.5}', ARRIVAL, days=30)
    assert post == {
        "user_id": "u", "tweet_id": 12, "Tags": [], "TimeStamp": "2026-11-23T20:00:00.250Z",
        "RecordNum": f"{495:056d}.00002", "TTL": 1_795_464_000 + 30 * 86_400,
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 10**56 - 1), st.integers(0, 99_999)), min_size=2, max_size=2))
def test_record_numbers_sort_as_sequence_numbers_and_parts_do(pair: list[tuple[int, int]]) -> None:
    first, second = (Arrival(str(number), part, 0.0).record_number for number, part in pair)
    assert (first < second) == (pair[0] < pair[1])


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_a_post_or_a_bad_record(data: bytes) -> None:
    with suppress(BadRecordError):
        post_of(data, ARRIVAL, days=1)


@given(
    st.fixed_dictionaries(
        {"user_id": st.text() | JSON, "tweet_id": st.integers() | st.text() | JSON},
        optional={"Tweet": st.text() | JSON, "Tags": st.lists(st.text()) | JSON, "Location": JSON},
    )
)
def test_every_post_fits_an_item_and_a_write_request(given_: dict[str, Any]) -> None:
    try:
        post = post_of(json.dumps(given_).encode(), ARRIVAL, days=1)
    except BadRecordError:
        return
    item = {name: serialized(value) for name, value in post.items()}
    assert item_size(item) <= MAX_ITEM_BYTES
    assert 0 <= post["tweet_id"] < 2**63
    assert 1 <= len(post["user_id"].encode()) <= 2048
    assert json.loads(write_request.payload([post])) == {"posts": [post], "fresh_until": 0.0}


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def aggregated(records: list[bytes]) -> bytes:
    """Encode records as the Kinesis Producer Library does, one explicit hash key and a tag among them."""
    message = field(1, b"key") + field(2, b"12345")
    for data in records:
        tag = field(4, field(1, b"name") + field(2, b"value"))
        message += field(3, b"\x08\x00" + b"\x10\x00" + field(3, data) + tag)
    return kpl.MAGIC + message + hashlib.md5(message).digest()  # noqa: S324 - the format's own checksum


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_aggregated_records_come_apart_as_they_were(records: list[bytes]) -> None:
    assert kpl.split(aggregated(records)) == records


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.data())
def test_an_aggregate_with_a_changed_byte_is_one_record(records: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(aggregated(records))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    assert kpl.split(bytes(whole)) == [bytes(whole)]


@given(st.binary())
def test_a_valid_checksum_of_nonsense_is_no_crash(message: bytes) -> None:
    whole = kpl.MAGIC + message + hashlib.md5(message).digest()  # noqa: S324 - the format's own checksum
    assert all(isinstance(part, bytes) for part in kpl.split(whole))


@given(st.binary())
def test_a_plain_record_is_left_alone(data: bytes) -> None:
    if not data.startswith(kpl.MAGIC):
        assert kpl.split(data) == [data]


@given(st.lists(st.integers(0, MAX_POST_BYTES - 100), max_size=8))
def test_write_requests_are_small_enough_and_in_order(sizes: list[int]) -> None:
    posts = [(str(number), {"Tweet": "x" * size}) for number, size in enumerate(sizes)]
    parts = list(write_request.packed(posts))
    assert [post for _, some in parts for post in some] == [post for _, post in posts]
    for first, some in parts:
        assert len(write_request.payload(some)) < 1_000_000
        assert posts[int(first)][1] == some[0]
    for (_, one), (_, other) in pairwise(parts):
        assert sum(len(encoded(post)) for post in [*one, other[0]]) > MAX_POST_BYTES - 2 * len(one) - 2


@pytest.mark.parametrize(
    "event", [{}, {"posts": 1, "fresh_until": 0}, {"posts": [], "fresh_until": "soon"}, []]
)
def test_what_ingest_did_not_make_is_no_write_request(event: Any) -> None:
    with pytest.raises(ForeignEventError):
        write_request.decoded(event)


def test_generator_is_seeded_and_its_truth_is_the_count_by_hand() -> None:
    one, other = Posts(3_000, seed=5, poison=0.02), Posts(3_000, seed=5, poison=0.02)
    records = list(one)
    assert records == list(other)
    broken = set(one.broken)
    keys = {
        (post["user_id"], post["tweet_id"])
        for post in (json.loads(record.data) for record in records if record.data not in broken)
    }
    assert len(keys) == one.truth.total() == 3_000
    assert len(records) > 3_000 + len(one.broken), "some posts are put twice"
    assert 30 < len(one.broken) < 120
    [(_, most), (_, second)] = one.truth.most_common(2)
    assert most > 1.5 * second, "skewed as users are"
    for data in broken:
        with pytest.raises(BadRecordError):
            post_of(data, ARRIVAL, days=1)
