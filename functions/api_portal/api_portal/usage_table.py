"""Calls by key and hour, as `shared.usage` counts them."""

from collections.abc import Iterable
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.clients import client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["UsageTable"]

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

    def calls(self, keys: Iterable[str], hour: str) -> int:
        """The calls of some keys in an hour.

        Args:
            keys: API Gateway's ids of them.
            hour: `2026-11-28T03`, UTC.
        """
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
                total += sum(int(item["calls"]["N"]) for item in found)
                wanted = answer.get("UnprocessedKeys")
        return total
