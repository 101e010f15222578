"""Live traffic: what a tumbling window of a stream remembers, in a state of bounded size."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ._columns import Layout
from ._errors import BadRecordError
from ._user_agents import UserAgents

__all__ = ["OTHERS", "BotTraffic", "Event", "EventReader", "HeavyHitters", "Traffic", "Window"]

COUNTERS = 2_000
MAX_SKETCH = 50_900  # bytes of a sketch's keys and counts in a state
_MAX_SKETCHES = 400_000  # and of all minutes' together
MAX_STATE = 1_000_000  # Lambda Developer Guide, "Tumbling windows": 1 MB for each shard's state
OTHERS = "others"
"""Stands for all names that are not among the heaviest of their second."""

_MINUTE = 60
_MAX_NAME = 64  # characters of an address, edge location or distribution
_MAX_BOT_ROWS = 4_000  # in a state, of all seconds together
_MAX_TRAFFIC_ROWS = 8_000
_MAX_SECONDS = 1_200  # Lambda's longest window is 900 s, and events come before and after their time


class Event(NamedTuple):
    """A request.

    Attributes:
        second: When it was made, in seconds since the epoch.
        address: Viewer's address.
        location: Edge location.
        distribution: Distribution id.
        sent: Bytes of the response.
        is_bot: Whether a bot made it.
    """

    second: int
    address: str
    location: str
    distribution: str
    sent: int
    is_bot: bool


class EventReader:
    """Reads real-time log records, which have no header.

    Args:
        layout: Of the records, see `realtime_layout`. Needed are `timestamp` (or `date` and
            `time`), `c-ip`, `x-edge-location`, `sc-bytes` and `cs-user-agent`.
        agents: Looks up user agents.
        distribution: Whose records they are, if the configuration has no `primary-distribution-id`.

    Raises:
        ValueError: A needed field is not in the layout.
    """

    def __init__(self, layout: Layout, agents: UserAgents, distribution: str = "-") -> None:
        needed = ("timestamp", "c-ip", "x-edge-location", "sc-bytes", "cs(User-Agent)")
        if missing := [name for name in needed if layout.place(name) is None]:
            raise ValueError(f"the layout lacks {', '.join(missing)}")
        self._fields = len(layout.names)
        self._places = [layout.place(name) or 0 for name in needed]
        self._distribution_place = layout.place("primary-distribution-id")
        self._distribution = distribution
        self._agents = agents

    def __call__(self, data: bytes) -> Event:
        """The event of one record.

        Raises:
            BadRecordError: It has another number of fields, or its time or bytes are no numbers.
        """
        values = data.decode(errors="replace").rstrip("\r\n").split("\t")
        if len(values) != self._fields:
            raise BadRecordError(f"{len(values)} fields instead of {self._fields}")
        time, address, location, sent, agent = (values[place] for place in self._places)
        place = self._distribution_place
        try:
            return Event(
                int(time.partition(".")[0]),
                address,
                location,
                self._distribution if place is None else values[place],
                int(sent),
                self._agents[agent].is_bot,
            )
        except ValueError as error:
            raise BadRecordError("time or bytes are not numbers") from error


class HeavyHitters:
    """The most frequent keys of a stream, with a bounded number of counters (Misra and Gries, 1982).

    An estimate is never above the true count, and below it by at most `error`, which is at most
    `total / (counters + 1)` as long as the sketch was not cut to fit into a state. Sketches merge with the
    same bound (Agarwal et al., "Mergeable Summaries", 2012).

    Args:
        counters: How many keys are counted at a time.

    Attributes:
        total: How many keys were added.
        error: By how much an estimate may be too low.
    """

    def __init__(self, counters: int = COUNTERS) -> None:
        self.total = 0
        self.error = 0
        self._counters = counters
        self._counts: dict[str, int] = {}

    def add(self, key: str) -> None:
        """Count a key; a space in it becomes an underscore, and it is cut at 64 characters."""
        key = key[:_MAX_NAME].replace(" ", "_")
        self.total += 1
        counts = self._counts
        if key in counts:
            counts[key] += 1
        elif len(counts) < self._counters:
            counts[key] = 1
        else:
            # The new key and one count of every other cancel out.
            self._lower(1)

    def merge(self, other: HeavyHitters) -> None:
        """Add what another sketch has counted."""
        self.total += other.total
        self.error += other.error
        for key, count in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + count
        if len(self._counts) > self._counters:
            self._lower(heapq.nlargest(self._counters + 1, self._counts.values())[-1])

    def top(self, count: int) -> list[tuple[str, int]]:
        """The keys with the highest estimates, highest first; among equals by key."""
        return heapq.nsmallest(count, self._counts.items(), key=lambda item: (-item[1], item[0]))

    def to_state(self, room: int = MAX_SKETCH) -> dict[str, Any]:
        """The sketch as JSON values; the lightest keys are left out if there is not room for all.

        Args:
            room: Bytes of the keys and counts; 2,000 IPv4 addresses need 45 KB.
        """
        ranked = self.top(len(self._counts))
        error = self.error
        while True:
            text = " ".join(f"{key} {count}" for key, count in ranked)
            size = len(json.dumps(text))
            if size <= room or not ranked:
                return {"total": self.total, "error": error, "counts": text}
            keep = min(len(ranked) - 1, int(len(ranked) * 0.98 * room / size))
            error = self.error + ranked[keep][1]
            del ranked[keep:]

    @classmethod
    def from_state(cls, state: Mapping[str, Any], counters: int = COUNTERS) -> HeavyHitters:
        """The sketch that `to_state` returned."""
        sketch = cls(counters)
        sketch.total, sketch.error = state["total"], state["error"]
        words = state["counts"].split(" ") if state["counts"] else []
        sketch._counts = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        return sketch

    def _lower(self, by: int) -> None:
        self.error += by
        self._counts = {key: count - by for key, count in self._counts.items() if count > by}


# By second and names: requests and bytes.
type _Seconds = dict[int, dict[tuple[str, ...], tuple[int, int]]]


def _count(table: _Seconds, second: int, names: tuple[str, ...], requests: int, sent: int) -> None:
    rows = table.setdefault(second, {})
    before = rows.get(names, (0, 0))
    rows[names] = (before[0] + requests, before[1] + sent)


def _heaviest(table: _Seconds, limit: int, others: tuple[str, ...]) -> dict[str, list[tuple[Any, int, int]]]:
    """About so many rows as JSON values: of each second those with most requests, and the sum of the rest."""
    each = limit // max(1, len(table))
    state = {}
    for second, rows in table.items():
        ranked = sorted(rows.items(), key=lambda row: (row[0] == others, -row[1][0], row[0]))
        kept = ranked if len(ranked) <= each else ranked[: max(0, each - 1)]
        state[str(second)] = [(names, *amount) for names, amount in kept]
        if rest := ranked[len(kept) :]:
            requests, sent = (sum(amount[place] for _, amount in rest) for place in (0, 1))
            state[str(second)].append((others, requests, sent))
    return state


class BotTraffic(NamedTuple):
    """Requests of one bot address in one second; all three names may be `OTHERS`."""

    second: int
    address: str
    location: str
    distribution: str
    requests: int
    sent: int


class Traffic(NamedTuple):
    """Bytes of one distribution at one edge location in one second; both names may be `OTHERS`."""

    second: int
    distribution: str
    location: str
    requests: int
    sent: int


class Window:
    """Counts of one tumbling window.

    Events count under their own second and minute, so that windows of other shards, and later windows in
    which late events arrive, can be added by `merge`, or where they are stored. Kinesis delivers a shard's
    records in the order of their sequence numbers, so that the highest one seen tells a repeated record.

    Args:
        lateness: Seconds by which an event may arrive late and still count.

    Attributes:
        events: How many events count.
        late: How many did not, because they arrived later than that, bear a time as far in the future, or
            would be of a 1,201st second.
        duplicates: How many records were seen before.
    """

    def __init__(self, lateness: float = 120) -> None:
        self.lateness = lateness
        self.events = 0
        self.late = 0
        self.duplicates = 0
        self._last: dict[str, int] = {}
        self._bots: _Seconds = {}
        self._traffic: _Seconds = {}
        self._viewers: dict[int, HeavyHitters] = {}

    def add(self, event: Event, *, sequence_number: str, arrival: float, shard: str = "") -> bool:
        """Count an event.

        Args:
            event: The event.
            sequence_number: Its record's, in decimal digits.
            arrival: When its record came into the stream (`approximateArrivalTimestamp`), in seconds since
                the epoch. It is the record's own, so that a repeated invocation counts the same.
            shard: Id of the shard whose record it is.

        Returns:
            Whether it counts.
        """
        number = int(sequence_number)
        if number <= self._last.get(shard, -1):
            self.duplicates += 1
            return False
        self._last[shard] = number
        crowded = len(self._traffic) >= _MAX_SECONDS and event.second not in self._traffic
        if crowded or abs(arrival - event.second) > self.lateness:
            self.late += 1
            return False
        self.events += 1
        address, location, distribution = (text[:_MAX_NAME] for text in event[1:4])
        _count(self._traffic, event.second, (distribution, location), 1, event.sent)
        if event.is_bot:
            _count(self._bots, event.second, (address, location, distribution), 1, event.sent)
        minute = event.second - event.second % _MINUTE
        if minute not in self._viewers:
            self._viewers[minute] = HeavyHitters()
        self._viewers[minute].add(address)
        return True

    def merge(self, other: Window) -> None:
        """Add what another window has counted: of another shard, or of the same time but later arrival."""
        self.events += other.events
        self.late += other.late
        self.duplicates += other.duplicates
        for shard, number in other._last.items():
            self._last[shard] = max(number, self._last.get(shard, -1))
        for mine, theirs in ((self._bots, other._bots), (self._traffic, other._traffic)):
            for second, rows in theirs.items():
                for names, amount in rows.items():
                    _count(mine, second, names, *amount)
        for minute, sketch in other._viewers.items():
            if minute not in self._viewers:
                self._viewers[minute] = HeavyHitters()
            self._viewers[minute].merge(sketch)

    def bots(self) -> list[BotTraffic]:
        """Bots per second by address, edge location and distribution, in the order of time and requests."""
        return [
            BotTraffic(second, names[0], names[1], names[2], requests, sent)
            for second, rows in sorted(self._bots.items())
            for names, (requests, sent) in sorted(rows.items(), key=lambda row: (-row[1][0], row[0]))
        ]

    def traffic(self) -> list[Traffic]:
        """Bytes per second by distribution and edge location, in the order of time."""
        return [
            Traffic(second, names[0], names[1], requests, sent)
            for second, rows in sorted(self._traffic.items())
            for names, (requests, sent) in sorted(rows.items())
        ]

    def top_viewers(self, count: int = 50) -> dict[int, list[tuple[str, int]]]:
        """The viewers with the most requests in each minute, by the minute's first second."""
        return {minute: sketch.top(count) for minute, sketch in sorted(self._viewers.items())}

    def to_state(self) -> dict[str, Any]:
        """The window as JSON values of at most 1 MB, as Lambda hands them to the next invocation.

        Where there are too many rows, each second keeps its heaviest, and the rest become one row named
        `OTHERS`: sums stay exact.
        """
        room = min(MAX_SKETCH, _MAX_SKETCHES // max(1, len(self._viewers)))
        viewers = {str(minute): sketch.to_state(room) for minute, sketch in self._viewers.items()}
        for share in (1.0, 0.5, 0.2, 0.0):
            state = {
                "lateness": self.lateness,
                "events": self.events,
                "late": self.late,
                "duplicates": self.duplicates,
                "last": {shard: str(number) for shard, number in self._last.items()},
                "bots": _heaviest(self._bots, int(_MAX_BOT_ROWS * share), (OTHERS, OTHERS, OTHERS)),
                "traffic": _heaviest(self._traffic, int(_MAX_TRAFFIC_ROWS * share), (OTHERS, OTHERS)),
                "viewers": viewers,
            }
            if len(json.dumps(state)) <= MAX_STATE:
                break
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None, lateness: float = 120) -> Window:
        """The window that `to_state` returned, or a new one if there is none: `{}` in a first invocation."""
        window = cls(lateness)
        if not state:
            return window
        window.lateness = state["lateness"]
        window.events, window.late = state["events"], state["late"]
        window.duplicates = state["duplicates"]
        window._last = {shard: int(number) for shard, number in state["last"].items()}
        for tables, kind in ((window._bots, "bots"), (window._traffic, "traffic")):
            for second, rows in state[kind].items():
                tables[int(second)] = {tuple(names): (requests, sent) for names, requests, sent in rows}
        for minute, sketch in state["viewers"].items():
            window._viewers[int(minute)] = HeavyHitters.from_state(sketch)
        return window
