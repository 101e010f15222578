"""Metering for AWS Marketplace, stopped where it hurts: `make bench BENCH=api_portal_metering`.

The peer is the way of a public sample, written anew from its description (see `local.metering_in_memory`).
Both meter the same customers on the same market with the same clock, in memory; keys go on being used while
they are stopped, and are run every hour afterwards; the sample's queue has what was not done after 30 seconds
again. A point is wrong if, in the end, the calls that are billed are not those that were made.
"""

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.harness import ROOT, Suite

sys.path[:0] = [str(ROOT / "layers/shared"), str(ROOT / "functions/api_portal")]
os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "bench",
    "POWERTOOLS_SERVICE_NAME": "api_portal",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}
# ruff: noqa: E402  # the lines above come first

from local.metering_in_memory import RECEIVED_AGAIN_S, START, Crash, Sample, Stop, World

SHUFFLES = 1_000
HOUR, MINUTE = 3600, 60
BAR_PEER = 3


class Way(Protocol):
    """A way to meter."""

    def use(self, subscription: str, calls: int = 1) -> None:
        """Have a customer's calls counted."""

    def meter(self, stop: Stop | None = None) -> None:
        """An invocation."""


@dataclass(frozen=True)
class Point:
    """Where an invocation is stopped.

    Attributes:
        name: For people.
        stop: Where it ends; nowhere if the market does not process its record.
        at: When it begins, in seconds of the hour.
    """

    name: str
    stop: Stop | None
    at: int = 11 * MINUTE


def _points() -> list[Point]:
    send, record, late = "batch_meter_usage", "update_item", HOUR - 15
    return [
        Point("before the send", Stop(1, only=send)),
        Point("between send and record", Stop(1, behind=True, only=send)),
        Point("between send and record, at the end of an hour", Stop(1, behind=True, only=send), late),
        Point("in the middle of the record, at the end of an hour", Stop(1, behind=True, only=record), late),
        Point("behind the record, of what the market did not process", None),
    ]


def _run(point: Point, way_of: Callable[[World], Way]) -> World:
    world = World("sns")
    way, subscription = way_of(world), world.subscribe()
    for minute, calls in ((10, 3), (40, 4)):
        world.now = START + minute * MINUTE
        way.use(subscription, calls)
    world.now = START + HOUR + point.at
    world.book.unprocessed = 0 if point.stop else 1
    try:
        way.meter(point.stop)
    except Crash:
        world.now += RECEIVED_AGAIN_S
        if isinstance(way, Sample):
            way.receive()
    way.use(subscription, 5)
    world.now += HOUR
    for _ in range(4):
        way.meter()
        world.now += HOUR
    return world


def _named_points(suite: Suite) -> None:
    ours, theirs, misplaced = 0, 0, 0
    for point in _points():
        mine = _run(point, lambda world: world)
        ours += mine.billed != mine.used
    for point in _points():
        other = _run(point, Sample)
        theirs += other.billed.total() != other.used.total()
        misplaced += other.billed != other.used
    suite.add("of five points to be stopped at: billed calls are not those made", ours, "points", 0)
    suite.add("the sample's way: billed calls are not those made", theirs, "points", BAR_PEER, "higher")
    suite.add("the sample's way: or are billed in another hour", misplaced, "points")


def _busy(era: str) -> World:
    world = World(era)
    first, second = world.subscribe(1), world.subscribe(2)
    world.use(first, 3)
    world.use(second, 5)
    world.now += HOUR
    world.use(first, 4)
    world.now += HOUR + 11 * MINUTE
    return world


def _every_call(suite: Suite) -> None:
    """Stop an invocation before and behind each of its calls to AWS, in both eras."""
    wrong = points = 0
    for era in ("agreements", "sns"):
        counted = Stop()
        _busy(era).meter(counted)
        for call in range(1, counted.calls + 1):
            for behind in (False, True):
                world = _busy(era)
                try:
                    world.meter(Stop(call, behind))
                except Crash:
                    world.now += HOUR
                world.meter()
                points += 1
                wrong += world.billed != world.used
    suite.add(
        f"stopped before and behind each call to AWS, {points} points: not exactly once", wrong, "points", 0
    )


def _shuffles(suite: Suite) -> None:
    """A life with a second subscription after the end, in any order, each fact up to twice."""
    life = [
        ("began", 1), ("registered", 2), ("ending", 30), ("ended", 40), ("began", 50), ("ending", 70),
    ]  # fmt: skip
    chance, found = random.Random(17), set()
    for _ in range(SHUFFLES):
        storage = World().storage
        facts = life + chance.choices(life, k=chance.randint(0, len(life)))
        chance.shuffle(facts)
        for kind, moment in facts:
            _, after = storage.learn("l-1", "imagesproduct", "images", {kind: moment})  # type: ignore[dict-item]
        found.add((after.state, after.facts))
    suite.add(
        f"{SHUFFLES:,} shuffles of a subscription's events, doubled: final states", len(found), "states", 1
    )


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("api_portal_metering", steps=3)
    suite.step("subscription events")
    _shuffles(suite)
    suite.step("five points")
    _named_points(suite)
    suite.step("every call")
    _every_call(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
