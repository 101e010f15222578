"""Made-up posts with a known truth: seeded, skewed as real users are, some twice, some late, some broken.

The feeder, the demo, the tests and the benchmark share them. A record is what the stream takes: a JSON object
with the names of the posts table's attributes.
"""

from __future__ import annotations

import bisect
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

__all__ = ["TOPICS", "Posts", "Record"]

TOPICS = ("awscloud", "serverless")
_WORDS = re.findall(
    r"\w+",
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea "
    "commodo consequat duis aute irure in reprehenderit voluptate velit esse cillum fugiat nulla pariatur",
)
_ENDINGS = ("", "", "", " 🚀", "\nmore soon", ' "quoted"', " — ünïcödé", "\tend")
_PLACES = (
    ("Berlin", "DE"), ("Lagos", "NG"), ("São Paulo", "BR"), ("Seattle", "US"), ("Tokyo", "JP"), ("", ""),
)  # fmt: skip
# What is not a post: broken JSON, no object, no user, no id, an id that is a fraction, an empty user.
_BROKEN = (
    "{{ {n}", "[{n}]", '{{"tweet_id": {n}}}', '{{"user_id": "u{n}"}}',
    '{{"user_id": "u", "tweet_id": {n}.5}}', '{{"user_id": "", "tweet_id": {n}}}',
)  # fmt: skip
_AGO_S = 26 * 3600  # of the latest post
_EPOCH_MS = 1_288_834_974_657  # of the original's ids


class Record(NamedTuple):
    """What goes on the stream."""

    partition_key: str
    data: bytes


@dataclass
class Posts:
    """Posts, and what is true of them; iterate once.

    Args:
        count: Distinct posts.
        seed: The same seed and start give the same posts.
        start: Time of the first post, in seconds since the epoch.
        per_second: Posts in a second of their own time.
        users: How many users there are; the n-th busiest posts as often as 1 / n.
        prefix: Of the users' ids.
        again: Share of posts that are put twice: at once, or up to 200 records later.
        late: Share of posts whose time is up to 26 hours ago.
        poison: Share of records beside the posts that are not posts.

    Attributes:
        truth: Distinct posts by user, of the records that were given out.
        broken: Records that are not posts, of those that were given out.
    """

    count: int
    seed: int = 1
    start: float = 1_795_464_000.0
    per_second: float = 1_000.0
    users: int = 2_000
    prefix: str = "user"
    again: float = 0.02
    late: float = 0.03
    poison: float = 0.0
    truth: Counter[str] = field(default_factory=Counter, init=False)
    broken: list[bytes] = field(default_factory=list, init=False)

    def __iter__(self) -> Iterator[Record]:
        rng = random.Random(self.seed)
        weights = list(itertools.accumulate(1 / rank for rank in range(1, self.users + 1)))
        waiting: list[tuple[int, Record]] = []
        for number in range(self.count):
            if rng.random() < self.poison:
                broken = rng.choice(_BROKEN).format(n=number).encode()
                self.broken.append(broken)
                yield Record(f"poison-{number}", broken)
            rank = bisect.bisect(weights, rng.random() * weights[-1])
            post = self._post(rng, number, f"{self.prefix}-{rank:05d}")
            record = Record(post["user_id"], json.dumps(post).encode())
            self.truth[post["user_id"]] += 1
            yield record
            if rng.random() < self.again:
                waiting.append((number + rng.randrange(200), record))
            while waiting and waiting[0][0] <= number:
                yield waiting.pop(0)[1]
        yield from (record for _, record in waiting)

    def _post(self, rng: random.Random, number: int, user: str) -> dict[str, Any]:
        moment = self.start + number / self.per_second
        if rng.random() < self.late:
            moment -= rng.random() * _AGO_S
        topic = rng.choice(TOPICS)
        place, country = rng.choice(_PLACES)
        text = " ".join(rng.choices(_WORDS, k=rng.randint(4, 30)))
        return {
            "user_id": user,
            "tweet_id": (int(moment * 1000) - _EPOCH_MS) << 22 | number % (1 << 22),
            "TwitterUser": user.replace("-", " ").title(),
            "TwitterUserPic": f"https://pictures.example/{user}.jpg",
            "TwitterTime": datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Tweet": f"{text} #{topic}{rng.choice(_ENDINGS)}",
            "TweetTopic": topic,
            "Tags": [topic, *rng.sample(_WORDS, rng.randrange(3))],
            "Location": place,
            "Country": country,
        }
