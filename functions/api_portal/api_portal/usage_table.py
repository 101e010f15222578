"""Calls by key and hour, as `shared.usage` counts them."""

from collections.abc import Iterable
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.clients import client

from .hours import hour_start

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["UsageTable"]

MINUTE_MS = 60_000
MAX_GET = 100
"""Items of a call: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html."""


class UsageTable:
    """The table of calls.

    Args:
        table: Its name.
        dynamodb: The client; this process's by default.
    """

    def __init__(self, table: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    def calls(self, keys: Iterable[str], hour: str, until: int) -> int:
        """The calls of some keys in an hour.

        Args:
            keys: API Gateway's ids of them.
            hour: `2026-11-28T03`, UTC.
            until: When their use ended if it did so in this hour, milliseconds since the epoch: the minute in
                which it ended is the last that counts.
        """
        last = (until - hour_start(hour)) // MINUTE_MS
        counted = ["calls"] if last >= 60 else [f"m{minute:02}" for minute in range(last + 1)]
        total = 0
        for some in batched(sorted(set(keys)), MAX_GET, strict=False):
            wanted: Any = {
                self._table: {
                    "Keys": [{"key": {"S": key}, "hour": {"S": hour}} for key in some],
                    "ConsistentRead": True,
                }
            }
            while wanted:
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)
                found = answer["Responses"].get(self._table, [])
                total += sum(int(item[name]["N"]) for item in found for name in counted if name in item)
                wanted = answer.get("UnprocessedKeys")
        return total
