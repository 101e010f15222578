"""Live traffic of CloudFront distributions, as the page shows it."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from shared.access_log import OTHERS
from shared.http import BadRequestError
from shared.live_traffic import Minute, read

from .moments import iso

__all__ = ["answer", "live"]

ROWS = 50
MAX_MINUTES = 10
_MINUTE = 60


def answer(table: str, window: int, query: dict[str, str]) -> dict[str, Any]:
    """The panel `live`.

    Args:
        table: The table of results.
        window: Seconds for which traffic is counted before the counts are published.
        query: The request's parameters: `minutes`, 1 to 10.

    Raises:
        BadRequestError: The parameters are wrong.
    """
    minutes = query.get("minutes", "3")
    if not re.fullmatch(r"[1-9]|10", minutes):
        raise BadRequestError("bad_request", f"minutes must be 1 to {MAX_MINUTES}.")
    now = int(time.time())
    newest = now - now % _MINUTE
    wanted = [newest - _MINUTE * age for age in range(-1, int(minutes))]  # viewers' clocks may be ahead
    return live(read(table, wanted), now, window)


def live(minutes: Iterable[Minute], now: int, window: int) -> dict[str, Any]:
    """Live traffic as the page shows it.

    Args:
        minutes: The latest minutes, in the order of time.
        now: Seconds since the epoch.
        window: Seconds for which traffic is counted before the counts are published.
    """
    minutes = list(minutes)
    seconds: dict[int, list[int]] = {}
    by_distribution: _Sums = {}
    by_location: _Sums = {}
    by_bot: _Sums = {}
    by_address: _Sums = {}
    for minute in minutes:
        for second, distribution, location, requests, sent in minute.traffic:
            _sum(seconds, second, requests, sent, 0)
            _sum(by_distribution, (distribution,), requests, sent)
            _sum(by_location, (location,), requests, sent)
        for second, address, location, distribution, requests, sent in minute.bots:
            _sum(seconds, second, 0, 0, requests)
            _sum(by_bot, (address, location, distribution), requests, sent)
            _sum(by_address, (address,), requests, sent)
    totals = Counter[str]()
    for minute in minutes:
        for name in ("requests", "sent", "bot_requests", "late", "duplicates"):
            totals[name] += getattr(minute, name)
    until = _complete_until(max(seconds, default=now), now, window)
    shown = [minute for minute in minutes if minute.viewers]
    whole = [minute for minute in shown if minute.minute + _MINUTE - 1 <= until]
    latest = (whole or shown)[-1] if shown else None
    return {
        "as_of": iso(now),
        "totals": {name: totals[name] for name in ("requests", "sent", "bot_requests", "late", "duplicates")},
        "seconds": {
            "columns": ["second", "requests", "sent", "bot_requests"],
            "rows": [[second, *values] for second, values in sorted(seconds.items())],
            "complete_until": until,
        },
        "distributions": _table(["distribution"], by_distribution, _SENT),
        "locations": _table(["location"], by_location, _SENT),
        "bots": _table(["address", "location", "distribution"], by_bot, _REQUESTS),
        "bot_addresses": _table(["address"], by_address, _REQUESTS),
        "viewers": {
            "minute": latest.minute if latest else None,
            "complete": latest in whole,
            "error": latest.viewers_error if latest else 0,
            "columns": ["address", "requests"],
            "rows": latest.viewers if latest else [],
        },
    }


type _Sums = dict[tuple[str, ...], list[int]]


def _sum[K](table: dict[K, list[int]], key: K, *values: int) -> None:
    table[key] = [old + new for old, new in zip(table.get(key, [0] * len(values)), values, strict=True)]


_REQUESTS, _SENT = 0, 1


def _table(names: list[str], sums: _Sums, heaviest: int) -> dict[str, Any]:
    """The rows with the most requests or bytes, and one that sums up the others: all that there is.

    Args:
        names: What rows are about.
        sums: Requests and bytes.
        heaviest: Which of the two counts.
    """
    # A window may have summed up before.
    ranked = sorted(sums.items(), key=lambda item: (OTHERS in item[0], -item[1][heaviest], item[0]))
    rows = [[*key, *values] for key, values in ranked[:ROWS]]
    if rest := ranked[ROWS:]:
        rows.append([OTHERS] * len(names) + [sum(values[place] for _, values in rest) for place in (0, 1)])
    return {"columns": [*names, "requests", "sent"], "rows": rows}


def _complete_until(newest: int, now: int, window: int) -> int:
    """The last second whose counts are complete, but for what comes late.

    Args:
        newest: The newest second of which there are counts.
        now: Seconds since the epoch.
        window: Seconds for which traffic is counted before the counts are published.
    """
    # While traffic comes, another window may add to the newest seconds; two windows later it has.
    return newest if now - newest > 2 * window else newest - window
