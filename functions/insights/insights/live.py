"""Live traffic of CloudFront distributions, as the page shows it."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from shared.http import BadRequestError
from shared.live_traffic import Minute, read

from .moments import iso

__all__ = ["answer", "live"]

BOT_ROWS = 50
MAX_MINUTES = 10
_MINUTE = 60


def answer(table: str, query: dict[str, str]) -> dict[str, Any]:
    """The panel `live`.

    Args:
        table: The table of results.
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
    return live(read(table, wanted), now)


def live(minutes: Iterable[Minute], now: int) -> dict[str, Any]:
    """Live traffic as the page shows it.

    Args:
        minutes: The latest minutes, in the order of time.
        now: Seconds since the epoch.
    """
    minutes = list(minutes)
    seconds: dict[int, list[int]] = {}
    by_distribution: _Sums = {}
    by_location: _Sums = {}
    by_bot: _Sums = {}
    for minute in minutes:
        for second, distribution, location, requests, sent in minute.traffic:
            _sum(seconds, second, requests, sent, 0)
            _sum(by_distribution, (distribution,), requests, sent)
            _sum(by_location, (location,), requests, sent)
        for second, address, location, distribution, requests, sent in minute.bots:
            _sum(seconds, second, 0, 0, requests)
            _sum(by_bot, (address, location, distribution), requests, sent)
    totals = Counter[str]()
    for minute in minutes:
        for name in ("requests", "sent", "bot_requests", "late", "duplicates"):
            totals[name] += getattr(minute, name)
    shown = [minute for minute in minutes if minute.viewers]
    latest = shown[-1] if shown else None
    return {
        "as_of": iso(now),
        "totals": {name: totals[name] for name in ("requests", "sent", "bot_requests", "late", "duplicates")},
        "seconds": {
            "columns": ["second", "requests", "sent", "bot_requests"],
            "rows": [[second, *values] for second, values in sorted(seconds.items())],
        },
        "distributions": _table(["distribution"], by_distribution),
        "locations": _table(["location"], by_location),
        "bots": _table(["address", "location", "distribution"], by_bot),
        "viewers": {
            "minute": latest.minute if latest else None,
            "error": latest.viewers_error if latest else 0,
            "columns": ["address", "requests"],
            "rows": latest.viewers if latest else [],
        },
    }


type _Sums = dict[tuple[str, ...], list[int]]


def _sum[K](table: dict[K, list[int]], key: K, *values: int) -> None:
    table[key] = [old + new for old, new in zip(table.get(key, [0] * len(values)), values, strict=True)]


def _table(names: list[str], sums: _Sums) -> dict[str, Any]:
    heaviest = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))[:BOT_ROWS]
    return {"columns": [*names, "requests", "sent"], "rows": [[*key, *values] for key, values in heaviest]}
