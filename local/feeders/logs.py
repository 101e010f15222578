"""Feed the stream of real-time logs with made-up traffic: ``python -m local.feeders.logs --rate 200``.

The demo, the tests and people use it on a suite that is up. Records are those of the seeded generator in
``datagen/cloudfront_logs.py``; some are put twice, as a producer does that tries again. A record that is put
twice has two sequence numbers, so both count: what counts once is one that Kinesis delivers twice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from rich.console import Console

from datagen.cloudfront_logs import DISTRIBUTIONS, RealtimeRecord, realtime_records
from local.commands import reported
from local.feeders.feeding import suite_to_feed
from local.progress import Bars

__all__ = ["Truth", "feed", "put"]

_A_CALL = 500  # PutRecords takes no more


@dataclass
class Truth:
    """The exact answers over what was fed.

    Attributes:
        requests: Requests by second.
        bots: Requests and bytes of bots by (second, address, location, distribution).
        traffic: Requests and bytes by (second, distribution, location).
        viewers: Requests by address, by the first second of the minute.
    """

    requests: Counter[int] = field(default_factory=Counter)
    bots: dict[tuple[int, str, str, str], tuple[int, int]] = field(default_factory=dict)
    traffic: dict[tuple[int, str, str], tuple[int, int]] = field(default_factory=dict)
    viewers: dict[int, Counter[str]] = field(default_factory=dict)

    def add(self, record: RealtimeRecord) -> None:
        """Count a record."""
        second = record.second
        self.requests[second] += 1
        here = (second, record.distribution, record.location)
        requests, sent = self.traffic.get(here, (0, 0))
        self.traffic[here] = (requests + 1, sent + record.sent)
        if record.category != "-":
            bot = (second, record.address, record.location, record.distribution)
            requests, sent = self.bots.get(bot, (0, 0))
            self.bots[bot] = (requests + 1, sent + record.sent)
        self.viewers.setdefault(second - second % 60, Counter())[record.address] += 1


def put(kinesis: Any, stream: str, records: Sequence[RealtimeRecord]) -> None:
    """Put records on the stream; those that it refuses for a moment are put again."""
    left = [{"Data": record.data, "PartitionKey": str(hash(record.data) % 997)} for record in records]
    while left:
        answer = kinesis.put_records(StreamName=stream, Records=left[:_A_CALL])
        refused = [
            entry for entry, result in zip(left, answer["Records"], strict=False) if "ErrorCode" in result
        ]
        if refused:
            time.sleep(0.2)
        left = refused + left[_A_CALL:]


def feed(
    kinesis: Any,
    stream: str,
    *,
    rate: float,
    seconds: float,
    seed: int | None = None,
    again: float = 0.01,
    distributions: Sequence[str] = DISTRIBUTIONS,
    advance: Callable[[int], Any] = lambda _: None,
) -> Truth:
    """Feed traffic at a steady rate, and return what it was.

    Args:
        kinesis: The boto3 client.
        stream: The stream's name.
        rate: Records a second.
        seconds: For how long.
        seed: Of the generator; another one each time by default.
        again: The share of records that are put twice.
        distributions: Whose traffic it is.
        advance: Called with the number of records after each call.
    """
    truth, start = Truth(), time.time()
    traffic = realtime_records(
        round(rate * seconds), seed=int(start) if seed is None else seed, per_second=rate,
        start=datetime.fromtimestamp(start, UTC), delays=(0.0, 0.5, 1.0, 2.0), distributions=distributions,
    )  # fmt: skip
    for records in _calls(traffic, rate, again):
        wait = records[0].arrival - time.time()
        if wait > 0:
            time.sleep(wait)
        put(kinesis, stream, records)
        for record in records:
            truth.add(record)
        advance(len(records))
    return truth


def _calls(traffic: Iterator[RealtimeRecord], rate: float, again: float) -> Iterator[list[RealtimeRecord]]:
    """The records of each call, about four calls a second; some records twice."""
    every = max(1, round(1 / again)) if again else 0
    for chunk in batched(traffic, max(1, min(_A_CALL, round(rate / 4))), strict=False):
        twice = [record for record in chunk if every and int(record.sequence_number) % every == 0]
        yield [*chunk, *twice]


@reported
def main() -> int:
    """Feed the suite that is up."""
    parser = argparse.ArgumentParser(prog="local.feeders.logs", description=__doc__)
    parser.add_argument("--rate", type=float, default=100, help="records a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="the same seed gives the same traffic")
    arguments = parser.parse_args()
    suite = suite_to_feed("LogStreamName")
    with Bars(Console()) as bars:
        bar = bars.begin("records", round(arguments.rate * arguments.seconds))
        feed(
            suite.client("kinesis"), suite["LogStreamName"], rate=arguments.rate,
            seconds=arguments.seconds, seed=arguments.seed,
            advance=lambda count: bars.advance(bar, steps=count),
        )  # fmt: skip
        bars.end(bar)
    return 0


if __name__ == "__main__":
    sys.exit(main())
