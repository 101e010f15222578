"""Drive of the live access logs: feeds the stream, and holds the results against exact answers."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.demo.checks import Checks
from local.feeders.logs import Truth, feed
from local.suite import Suite

__all__ = ["FLOW", "PAGE", "STEPS", "drive", "minutes_of", "table_of"]

FLOW = "stream → window → partials → reduce → results → API"
PAGE = "insights/?app=log_streaming"
STEPS = 9
RATE, SECONDS = 800.0, 4.0
PATIENCE_S = 60.0


def minutes_of(suite: Suite, minutes: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Read minutes from the table of results, by their first second; those without results are left out."""
    table = suite["LogResultsTableName"]
    keys = [{"minute": {"N": str(minute)}} for minute in sorted(set(minutes))]
    answer = suite.client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys}})
    found = {}
    for item in answer["Responses"][table]:
        minute: dict[str, Any] = {name: int(value["N"]) for name, value in item.items() if "N" in value}
        for name in ("bots", "traffic", "viewers"):
            minute[name] = json.loads(zlib.decompress(item[name]["B"]))
        found[minute["minute"]] = minute
    return found


def table_of(
    minutes: dict[int, dict[str, Any]], name: str, seconds: Iterable[int]
) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Requests and bytes by second and names, of the rows that are of certain seconds."""
    wanted = set(seconds)
    return {
        tuple(row[:-2]): (row[-2], row[-1])
        for minute in minutes.values()
        for row in minute[name]
        if row[0] in wanted
    }


def drive(suite: Suite, checks: Checks) -> None:
    """Feed some thousand records, wait for their results, compare."""
    person = PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD)
    stranger = suite.http.get(f"{suite['InsightsApiUrl']}/v1/insights/live")
    checks.equal("who is not signed in sees nothing", stranger.status_code, 401)

    # Distributions of this run's own: somebody else may be feeding the stream as well.
    now = int(time.time())
    own = tuple(f"EDEMO{now % 10**8:08}{place}" for place in range(4))
    late = person.get("live").json()["totals"]["late"]
    truth = feed(
        suite.client("kinesis"),
        suite["LogStreamName"],
        rate=RATE,
        seconds=SECONDS,
        seed=now,
        distributions=own,
    )
    fed, seconds = truth.requests.total(), set(truth.requests)
    end = time.monotonic() + PATIENCE_S
    while True:
        minutes = minutes_of(suite, truth.viewers)
        every = table_of(minutes, "traffic", seconds)
        traffic = {key: amounts for key, amounts in every.items() if key[1] in own}
        found = sum(count for count, _ in traffic.values())
        if found >= fed or time.monotonic() > end:
            break
        time.sleep(0.3)
    checks.equal("every record counts, once", found, fed)
    _check_rows(
        checks, "per second, distribution and edge location, requests and bytes", traffic, truth.traffic
    )
    bots = table_of(minutes, "bots", seconds)
    _check_rows(
        checks, "per second and bot, requests and bytes",
        {key: amounts for key, amounts in bots.items() if key[3] in own},
        {key: amounts for key, amounts in truth.bots.items() if key in bots},
    )  # fmt: skip
    mixed = {key[0] for key in every if key[1] not in own}
    others = {key[0]: amounts for key, amounts in bots.items() if key[1] == "others"}
    _check_rows(
        checks, "per second, bots that were not heavy enough for a row",
        {second: amounts for second, amounts in others.items() if second not in mixed},
        _others(truth, bots, mixed),
    )  # fmt: skip
    _check_viewers(checks, minutes, truth)

    live = person.get("live").json()
    shown = {row[0]: (row[1], row[2]) for row in live["distributions"]["rows"] if row[0] in own}
    _check_rows(checks, "the API's distributions", shown, _sums(truth.traffic, 1))
    checks.true("nothing came too late", live["totals"]["late"] <= late, str(live["totals"]["late"]))
    page = suite.http.get(f"{suite['WebUrl']}/{PAGE}")
    checks.equal("the page is there", page.status_code, 200)


def _check_rows(checks: Checks, what: str, found: Mapping[Any, Any], exact: Mapping[Any, Any]) -> None:
    wrong = [key for key in found.keys() | exact.keys() if found.get(key) != exact.get(key)]
    checks.true(f"{what}: exact", not wrong, f"{len(wrong)} of {len(exact)} rows differ, such as {wrong[:3]}")


def _others(truth: Truth, named: Mapping[Any, Any], but: set[int]) -> dict[int, tuple[int, int]]:
    """What the bots without a row of their own must sum up to, except in some seconds."""
    rest = {key: amounts for key, amounts in truth.bots.items() if key not in named and key[0] not in but}
    return _sums(rest, 0)


def _sums(table: Mapping[Any, tuple[int, int]], place: int) -> dict[Any, tuple[int, int]]:
    """Requests and bytes by one part of the key."""
    sums: dict[Any, tuple[int, int]] = {}
    for key, (count, sent) in table.items():
        before = sums.get(key[place], (0, 0))
        sums[key[place]] = (before[0] + count, before[1] + sent)
    return sums


def _check_viewers(checks: Checks, minutes: Mapping[int, Any], truth: Truth) -> None:
    """At least 98 % of the exact top 50 of each minute are named."""
    expected, named = 0, 0
    for start, viewers in truth.viewers.items():
        minute = minutes.get(start, {"requests": 0, "viewers": [], "viewers_error": 0})
        # Whoever is no heavier than the 51st may be named or not. If others fed the same minute, this run's
        # viewers must be above the last that is named.
        line = [count for _, count in viewers.most_common(51)][-1]
        if minute["requests"] != viewers.total() and minute["viewers"]:
            line = minute["viewers"][-1][1] + minute["viewers_error"]
        heaviest = {address for address, count in viewers.items() if count > line}
        expected += len(heaviest)
        named += len(heaviest & {address for address, _ in minute["viewers"]})
    checks.true("top 50 viewers: recall of at least 0.98", named >= 0.98 * expected, f"{named} of {expected}")
