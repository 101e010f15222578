"""The counts of one window, cut into minutes: what the window function stores and the reducer adds up.

One item a minute, shard and window: partition key `minute` (its first second), sort key `part`, and `counts`,
the deflated JSON of a `Window` state that holds that minute alone. Every item of a window can be written
again: the same window has the same keys and contents. A full minute deflates to less than the 400 KB that an
item may have (tests/unit/access_logs holds it).
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.access_log import Window
from shared.clients import client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import QueryInputPaginateTypeDef

__all__ = ["CorruptPartialError", "decode", "encode", "merged", "minutes_of", "store"]

_MINUTE = 60


class CorruptPartialError(Exception):
    """What is stored is not what `encode` made; it never will be."""


def minutes_of(state: Mapping[str, Any], start: int) -> dict[int, dict[str, Any]]:
    """Cut a window's state into states of one minute each.

    Args:
        state: What `Window.to_state` returned.
        start: The window's first second: its minute takes what belongs to no event's minute, which is the
            counters of late and of repeated records.
    """
    seconds = {int(second) for kind in ("bots", "traffic") for second in state[kind]}
    minutes = {second - second % _MINUTE for second in seconds} | {int(minute) for minute in state["viewers"]}
    home = start - start % _MINUTE
    if state["late"] or state["duplicates"]:
        minutes.add(home)
    return {minute: _cut(state, minute, home) for minute in sorted(minutes)}


def _cut(state: Mapping[str, Any], minute: int, home: int) -> dict[str, Any]:
    within = range(minute, minute + _MINUTE)
    tables = {
        kind: {second: rows for second, rows in state[kind].items() if int(second) in within}
        for kind in ("bots", "traffic")
    }
    viewers = state["viewers"].get(str(minute))
    return {
        "lateness": state["lateness"],
        "events": sum(requests for rows in tables["traffic"].values() for _, requests, _ in rows),
        "late": state["late"] if minute == home else 0,
        "duplicates": state["duplicates"] if minute == home else 0,
        "last": {},
        **tables,
        "viewers": {} if viewers is None else {str(minute): viewers},
    }


def encode(state: Mapping[str, Any]) -> bytes:
    """A state as it is stored."""
    return zlib.compress(json.dumps(state, separators=(",", ":")).encode())


def decode(counts: bytes) -> dict[str, Any]:
    """The state that `encode` stored."""
    state: dict[str, Any] = json.loads(zlib.decompress(counts))
    return state


def _window(counts: bytes) -> Window:
    try:
        return Window.from_state(decode(counts))
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptPartialError(f"counts of the minute are malformed: {type(error).__name__}") from error


def store(table: str, part: str, states: Mapping[int, Mapping[str, Any]], expires: int) -> None:
    """Write a window's minutes, or write them again.

    Args:
        table: The table of partials.
        part: Identifies shard and window.
        states: What `minutes_of` returned.
        expires: Second since the epoch at which the items may go.
    """
    for minute, state in states.items():
        client("dynamodb").put_item(
            TableName=table,
            Item={
                "minute": {"N": str(minute)},
                "part": {"S": part},
                "counts": {"B": encode(state)},
                "expires": {"N": str(expires)},
            },
        )


def merged(table: str, minute: int) -> tuple[Window, int]:
    """All that is known of a minute, and from how many items.

    Raises:
        CorruptPartialError: An item of it is malformed.
    """
    window, parts = Window(), 0
    for counts in _counts(table, minute):
        window.merge(_window(counts))
        parts += 1
    return window, parts


def _counts(table: str, minute: int) -> Iterator[bytes]:
    request: QueryInputPaginateTypeDef = {
        "TableName": table,
        "KeyConditionExpression": "#minute = :minute",
        "ProjectionExpression": "counts",
        "ExpressionAttributeNames": {"#minute": "minute"},
        "ExpressionAttributeValues": {":minute": {"N": str(minute)}},
        "ConsistentRead": True,
    }
    for page in client("dynamodb").get_paginator("query").paginate(**request):
        for item in page["Items"]:
            yield bytes(item["counts"]["B"])
