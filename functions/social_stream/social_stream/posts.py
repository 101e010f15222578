"""A post: what may be in a record of the stream, and the item that becomes of it.

A record is a JSON object with the names of the table's attributes. `user_id` and `tweet_id` are needed, the
others may be missing; what is not listed here is dropped. An item is the record's own in every respect: its
time is when the record arrived, its number the record's sequence number, so that a record that comes again
makes the same item again, and of two items of a key the one with the higher RecordNum is the newer.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.batch_write import MAX_ITEM_BYTES, item_size, serialized

from .errors import BadRecordError

__all__ = ["KEYS", "MAX_POST_BYTES", "Arrival", "Post", "encoded", "post_of"]

KEYS = ("user_id", "tweet_id")
"""Partition key and sort key of the posts table."""
MAX_POST_BYTES = 900_000
"""Bytes of a post as JSON: one alone fits into an asynchronous invocation and into a message of its queue."""

_TEXTS = (
    "TwitterUser", "TwitterUserPic", "TwitterTime", "Tweet", "TweetTopic", "Location", "Country",
)  # fmt: skip
_MAX_USER_BYTES = 2048  # DynamoDB: of a partition key
_MAX_ID = 2**63 - 1  # Athena's bigint
_DAY = 86_400

type Post = dict[str, Any]


class Arrival(NamedTuple):
    """How a record came.

    Attributes:
        sequence_number: The Kinesis record's.
        part: Its place in an aggregated record; 0 if it is not.
        seconds: When it came into the stream, since the epoch.
    """

    sequence_number: str
    part: int
    seconds: float

    @property
    def record_number(self) -> str:
        """Sorts as the records of a shard do: sequence numbers have up to 56 digits, more than a number of
        DynamoDB's."""
        return f"{self.sequence_number:0>56}.{self.part:05d}"


def post_of(data: bytes, arrival: Arrival, days: int) -> Post:
    """The item of a record.

    Args:
        data: The record.
        arrival: How it came.
        days: After how many days the item expires.

    Raises:
        BadRecordError: It is not a post.
    """
    given = _decoded(data)
    post: Post = {"user_id": _user(given), "tweet_id": _id(given)}
    for name in _TEXTS:
        if given.get(name) is not None:
            post[name] = _text(name, given[name])
    if given.get("Tags") is not None:
        if not isinstance(given["Tags"], list):
            raise BadRecordError("Tags is not a list")
        post["Tags"] = [_text("Tags", tag) for tag in given["Tags"]]
    moment = datetime.fromtimestamp(arrival.seconds, UTC)
    post["TimeStamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    post["RecordNum"] = arrival.record_number
    post["TTL"] = int(arrival.seconds) + days * _DAY
    if item_size({name: serialized(value) for name, value in post.items()}) > MAX_ITEM_BYTES:
        raise BadRecordError("larger than an item may be")
    if len(encoded(post)) > MAX_POST_BYTES:
        raise BadRecordError("larger than a write request may be")
    return post


def encoded(post: Post) -> bytes:
    """A post as JSON in ASCII: a queue would refuse some characters."""
    return json.dumps(post, separators=(",", ":")).encode()


def _decoded(data: bytes) -> Mapping[str, Any]:
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        raise BadRecordError("no JSON") from None
    if not isinstance(given, dict):
        raise BadRecordError("no JSON object")
    return given


def _user(given: Mapping[str, Any]) -> str:
    user = _text("user_id", given.get("user_id"))
    if not 1 <= len(user.encode()) <= _MAX_USER_BYTES:
        raise BadRecordError("user_id is empty or too long")
    return user


def _id(given: Mapping[str, Any]) -> int:
    number = given.get("tweet_id")
    if isinstance(number, str) and number.isascii() and number.isdigit():
        number = int(number[:20])
    if type(number) is not int or not 0 <= number <= _MAX_ID:
        raise BadRecordError("tweet_id is missing, or no whole number of 63 bits")
    return number


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadRecordError(f"{name} is missing or no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRecordError(f"{name} holds half of a surrogate pair") from None
    return value
