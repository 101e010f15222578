"""A minute of live traffic as it is shown: its totals, its seconds, its viewers.

One item a minute, under its first second. `requests`, `sent`, `bot_requests`, `late`, `duplicates` and
`viewers_error` are numbers that anybody can read; `bots`, `traffic` and `viewers` are deflated JSON rows:

    bots     [second, address, location, distribution, requests, bytes], heaviest first in each second
    traffic  [second, distribution, location, requests, bytes]
    viewers  [address, requests], the 50 with the most
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .access_log import OTHERS, Window
from .clients import client

__all__ = ["Minute", "read", "summarize", "write"]

TOP_VIEWERS = 50
BOT_ROWS = 100  # of each second; the rest are one row
TRAFFIC_ROWS = 200
_NUMBERS = ("requests", "sent", "bot_requests", "late", "duplicates", "viewers_error", "parts")
_TABLES = ("bots", "traffic", "viewers")
_KEYS_A_CALL = 100  # of BatchGetItem


@dataclass(frozen=True)
class Minute:
    """Results of one minute.

    Attributes:
        minute: Its first second, since the epoch.
        requests: Requests that count.
        sent: Their bytes.
        bot_requests: Requests of bots.
        late: Records that came too late, in windows that began in this minute.
        duplicates: Records that came twice, likewise.
        viewers_error: By how much a viewer's requests may be too low.
        parts: From how many windows' counts this was made.
        bots: Rows of bots per second.
        traffic: Rows of traffic per second.
        viewers: The viewers with the most requests.
    """

    minute: int
    requests: int
    sent: int
    bot_requests: int
    late: int
    duplicates: int
    viewers_error: int
    parts: int
    bots: Sequence[Sequence[Any]]
    traffic: Sequence[Sequence[Any]]
    viewers: Sequence[Sequence[Any]]


def summarize(minute: int, window: Window, parts: int) -> Minute:
    """The results of a minute.

    Args:
        minute: Its first second.
        window: The counts of that minute alone, from all shards.
        parts: From how many items they were added up.
    """
    bots, traffic, viewers = window.bots(), window.traffic(), window.top_viewers(TOP_VIEWERS)
    sketch = window.to_state()["viewers"].get(str(minute))
    return Minute(
        minute,
        requests=sum(row.requests for row in traffic),
        sent=sum(row.sent for row in traffic),
        bot_requests=sum(row.requests for row in bots),
        late=window.late,
        duplicates=window.duplicates,
        viewers_error=sketch["error"] if sketch else 0,
        parts=parts,
        bots=_heaviest(bots, BOT_ROWS),
        traffic=_heaviest(traffic, TRAFFIC_ROWS),
        viewers=viewers.get(minute, []),
    )


def _heaviest(rows: Iterable[tuple[Any, ...]], limit: int) -> list[tuple[Any, ...]]:
    """Of each second the rows with the most requests, and one row that sums up the others."""
    kept: list[tuple[Any, ...]] = []
    for second, group in groupby(rows, key=lambda row: row[0]):
        # A window may have summed up before.
        ranked = sorted(group, key=lambda row: (row[1] == OTHERS, -row[-2], row))
        kept += ranked[:limit]
        if rest := ranked[limit:]:
            names = (OTHERS,) * (len(rest[0]) - 3)
            kept.append((second, *names, sum(row[-2] for row in rest), sum(row[-1] for row in rest)))
    return kept


def write(table: str, minute: Minute, expires: int) -> bool:
    """Store a minute's results unless there are some from more windows; whether they were stored."""
    dynamodb = client("dynamodb")
    numbers = {name: {"N": str(getattr(minute, name))} for name in _NUMBERS}
    tables = {name: {"B": _deflate(getattr(minute, name))} for name in _TABLES}
    try:
        dynamodb.put_item(
            TableName=table,
            Item={"minute": {"N": str(minute.minute)}, "expires": {"N": str(expires)}, **numbers, **tables},
            ConditionExpression="attribute_not_exists(parts) OR parts <= :parts",
            ExpressionAttributeValues={":parts": numbers["parts"]},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def read(table: str, minutes: Sequence[int]) -> list[Minute]:
    """The results of minutes, in the order of time; those without any are left out.

    Args:
        table: The table of results.
        minutes: First seconds of at most 100 minutes.
    """
    wanted: Any = {table: {"Keys": [{"minute": {"N": str(minute)}} for minute in minutes[:_KEYS_A_CALL]]}}
    found: list[Minute] = []
    while wanted:
        answer = client("dynamodb").batch_get_item(RequestItems=wanted)
        for item in answer["Responses"].get(table, []):
            values: dict[str, Any] = {name: int(item[name]["N"]) for name in ("minute", *_NUMBERS)}
            found.append(Minute(**values, **{name: _inflate(item[name]["B"]) for name in _TABLES}))
        wanted = answer.get("UnprocessedKeys")
    return sorted(found, key=lambda minute: minute.minute)


def _deflate(rows: Any) -> bytes:
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())


def _inflate(data: Any) -> Any:
    return json.loads(zlib.decompress(bytes(data)))
