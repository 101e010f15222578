"""The portal's table, as its two storages read it: an owner's items, and what is due."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .hours import iso

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["items_due", "items_of"]


def items_of(dynamodb: "DynamoDBClient", table: str, owner: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """An owner's items whose name begins so, as they are now.

    Args:
        dynamodb: The client.
        table: Name of the table.
        owner: Whose.
        prefix: What `item` begins with.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table, KeyConditionExpression="#owner = :owner AND begins_with(#item, :prefix)",
        ExpressionAttributeNames={"#owner": "owner", "#item": "item"}, ConsistentRead=True,
        ExpressionAttributeValues={":owner": {"S": owner}, ":prefix": {"S": prefix}},
    )  # fmt: skip
    return (item for page in pages for item in page["Items"])


def items_due(dynamodb: "DynamoDBClient", table: str, due: str, until: int) -> Iterator[Mapping[str, Any]]:
    """What the schedule has to do, oldest first; the index is behind by a moment.

    Args:
        dynamodb: The client.
        table: Name of the table.
        due: What is to be done.
        until: The latest moment that it may be due at, milliseconds since the epoch.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table, IndexName="by_due", KeyConditionExpression="due = :due AND #at <= :until",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":due": {"S": due}, ":until": {"S": iso(until)}},
    )  # fmt: skip
    return (item for page in pages for item in page["Items"])
