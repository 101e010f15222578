"""What ingest invokes the write function with, and what the dead-letter queue holds: one form for both.

`{"posts": [...], "fresh_until": <seconds since the epoch>}`. Lambda tries an event again after a minute at
the earliest, and may keep one for hours: a write before `fresh_until` is the first one, soon after ingest
read the records; a later one may meet newer posts in the table, and needs a condition. What is redriven is
never fresh.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from shared.events import ForeignEventError

from .posts import MAX_POST_BYTES, Post, encoded

__all__ = ["FRESH_S", "WriteRequest", "decoded", "packed", "payload"]

FRESH_S = 30.0
_BYTES = MAX_POST_BYTES  # of the posts together; asynchronous events and messages take 1 MB


class WriteRequest(NamedTuple):
    """Posts to be written, and until when they are surely not older than what is in the table."""

    posts: list[Post]
    fresh_until: float


def packed(posts: Iterable[tuple[str, Post]]) -> Iterator[tuple[str, list[Post]]]:
    """Divide posts among as few requests as their size allows.

    Args:
        posts: Sequence numbers and posts, in order.

    Yields:
        The first sequence number of a request, and its posts.
    """
    first, waiting, size = "", list[Post](), 0
    for sequence_number, post in posts:
        length = len(encoded(post)) + 1
        if waiting and size + length > _BYTES:
            yield first, waiting
            waiting, size = [], 0
        if not waiting:
            first = sequence_number
        waiting.append(post)
        size += length
    if waiting:
        yield first, waiting


def payload(posts: list[Post], fresh_until: float = 0.0) -> bytes:
    """A write request as JSON."""
    return json.dumps({"posts": posts, "fresh_until": fresh_until}, separators=(",", ":")).encode()


def decoded(event: Mapping[str, Any]) -> WriteRequest:
    """Read a write request.

    Raises:
        ForeignEventError: The event is not a write request.
    """
    try:
        return WriteRequest(list(event["posts"]), float(event["fresh_until"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ForeignEventError("expected posts and fresh_until") from error
