"""Feed the stream of posts: ``python -m local.feeders.posts --rate 200``.

Posts are made up (seeded, see ``datagen/social_posts.py``), read from a file of JSON lines (``--file``), or
taken live from Bluesky's public feed (``--live``, with another server's address if wanted); ``--encrypt``
encrypts each before it enters the stream. The demo and the tests use the same ``feed``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from datagen.social_posts import Posts, Record
from local.commands import reported
from local.engine_process import REGION
from local.feeders.feeding import suite_to_feed
from local.progress import Bars

if TYPE_CHECKING:
    from shared.envelope import Envelope

__all__ = ["feed", "put", "recorded", "sealed"]

_A_CALL, _A_CALL_BYTES = 500, 4 << 20  # PutRecords takes no more than 500 records and 5 MiB with their keys


def put(kinesis: Any, stream: str, records: list[Record]) -> None:
    """Put records on the stream; those that it refuses for a moment are put again."""
    left = [{"Data": record.data, "PartitionKey": record.partition_key[:256]} for record in records]
    while left:
        answer = kinesis.put_records(StreamName=stream, Records=left)
        left = [entry for entry, result in zip(left, answer["Records"], strict=True) if "ErrorCode" in result]
        if left:
            time.sleep(0.2)


def feed(
    kinesis: Any,
    stream: str,
    records: Iterable[Record],
    *,
    rate: float = 0.0,
    seconds: float = float("inf"),
    advance: Callable[[int], Any] = lambda _: None,
) -> int:
    """Put records on the stream at a steady rate, and return how many.

    Args:
        kinesis: The boto3 client.
        stream: The stream's name.
        records: Taken as they are needed.
        rate: Records a second; as fast as they come when 0.
        seconds: When to stop, if there are still records.
        advance: Called with the number of records after each call.
    """
    start, count = time.monotonic(), 0
    for call in _calls(records, max(1, min(_A_CALL, round(rate / 4))) if rate else _A_CALL):
        ahead = (start + count / rate if rate else 0.0) - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        put(kinesis, stream, call)
        count += len(call)
        advance(len(call))
        if time.monotonic() - start >= seconds:
            break
    return count


def _calls(records: Iterable[Record], most: int) -> Iterator[list[Record]]:
    """Divide records among calls by number and size."""
    call: list[Record] = []
    size = 0
    for record in records:
        if call and (len(call) == most or size + len(record.data) > _A_CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(record)
        size += len(record.data)
    if call:
        yield call


def recorded(path: Path) -> Iterator[Record]:
    """Yield the posts of a file of JSON lines as they are; the user is the partition key, if there is one."""
    with path.open("rb") as lines:
        for line in filter(None, map(bytes.strip, lines)):
            try:
                user = str(json.loads(line)["user_id"])
            except (ValueError, KeyError, TypeError):
                user = "-"  # whether it is a post is for the stream's reader to say
            yield Record(user, line)


def sealed(records: Iterable[Record], envelope: Envelope, stream: str) -> Iterator[Record]:
    """Yield the records encrypted for a stream; each costs a call of KMS."""
    for record in records:
        yield Record(record.partition_key, envelope.encrypt(record.data, {"stream": stream}).to_bytes())


class _Rate(ProgressColumn):
    """How many a second lately."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.0f}/s")


@reported
def main() -> int:
    """Feed the suite that is up."""
    from local.feeders import jetstream  # whoever only puts posts needs no WebSocket

    parser = argparse.ArgumentParser(prog="local.feeders.posts", description=__doc__)
    parser.add_argument("--rate", type=float, default=100, help="posts a second; 0 for as fast as possible")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="the same seed gives the same posts")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--file", type=Path, help="JSON lines, a post each")
    source.add_argument("--live", nargs="?", const=jetstream.PUBLIC, metavar="URL", help="Jetstream's feed")
    parser.add_argument("--encrypt", action="store_true", help="encrypt each record before it is put")
    arguments = parser.parse_args()
    suite = suite_to_feed("SocialStreamName")
    records: Iterable[Record]
    total: int | None = None
    if arguments.file:
        records = recorded(arguments.file)
    elif arguments.live:
        records = jetstream.posts(arguments.live)
    else:
        total = round((arguments.rate or 1_000) * arguments.seconds)
        seed = int(time.time()) if arguments.seed is None else arguments.seed
        records = islice(
            Posts(total, seed=seed, start=time.time(), per_second=arguments.rate or 1_000), total
        )
    if arguments.encrypt:
        from shared.envelope import Envelope

        envelope = Envelope(suite.client("kms"), suite["SocialRecordKeyArn"], REGION)
        records = sealed(records, envelope, suite["SocialStreamName"])
    with Bars(Console(), _Rate()) as bars:
        bar = bars.begin("posts", total)
        feed(
            suite.client("kinesis"), suite["SocialStreamName"], records, rate=arguments.rate,
            seconds=arguments.seconds, advance=lambda count: bars.advance(bar, steps=count),
        )  # fmt: skip
        bars.end(bar)
    return 0


if __name__ == "__main__":
    sys.exit(main())
