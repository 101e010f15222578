"""Bluesky's public feed (Jetstream) as posts: a WebSocket that needs no credentials.

``posts(url)`` yields records for the stream of posts for as long as somebody listens. If the connection
breaks, it connects again and tells the server where it was (``cursor``); what comes twice on the way is one
post to the table.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from datagen.social_posts import Record

__all__ = ["PUBLIC", "post_of", "posts"]

PUBLIC = "wss://jetstream2.us-east.bsky.network/subscribe"
_COLLECTION = "app.bsky.feed.post"
_SILENCE_S = 30.0  # the public feed is never silent for so long
_LONGEST_PAUSE_S = 30.0
_TID = "234567abcdefghijklmnopqrstuvwxyz"  # base32-sortable: https://atproto.com/specs/tid


def posts(
    url: str = PUBLIC,
    *,
    cursor: int | None = None,
    silence: float = _SILENCE_S,
    sleep: Callable[[float], object] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> Iterator[Record]:
    """Yield the feed's new posts; endless.

    Args:
        url: Address of a Jetstream server.
        cursor: Where to begin, in microseconds since the epoch; now when None.
        silence: Seconds without a frame after which the connection is taken for broken.
        sleep: Waits for seconds.
        jitter: A random number from 0 to 1.
    """
    failures = 0
    while True:
        query = {"wantedCollections": _COLLECTION} | ({} if cursor is None else {"cursor": str(cursor)})
        try:
            with connect(f"{url}?{urlencode(query)}", max_size=1 << 20) as socket:
                while True:
                    frame = json.loads(socket.recv(timeout=silence))
                    failures = 0
                    cursor = int(frame["time_us"])
                    post = post_of(frame)
                    if post is not None:
                        yield Record(post["user_id"], json.dumps(post).encode())
        except (OSError, WebSocketException):  # OSError: nobody listens, and silence (TimeoutError)
            sleep(jitter() * min(_LONGEST_PAUSE_S, 2.0**failures))
            failures = min(failures + 1, 10)


def post_of(frame: dict[str, Any]) -> dict[str, Any] | None:
    """Return the post of a frame, or None if it is about something else."""
    commit = frame.get("commit") or {}
    if (commit.get("operation"), commit.get("collection")) != ("create", _COLLECTION):
        return None
    record, user = commit["record"], frame["did"]
    tags = [
        feature["tag"]
        for facet in record.get("facets") or []
        for feature in facet.get("features") or []
        if "tag" in feature
    ]
    return {
        "user_id": user,
        "tweet_id": _number(commit["rkey"]),
        "TwitterUser": user,
        "TwitterTime": record["createdAt"],
        "Tweet": record["text"],
        "Tags": tags,
        "TweetTopic": tags[0].lower() if tags else "",
    }


def _number(tid: str) -> int:
    """Return the number that a record's key is: 53 bits of microseconds, 10 of a clock's id."""
    number = 0
    for character in tid:
        number = number << 5 | _TID.index(character)
    return number
