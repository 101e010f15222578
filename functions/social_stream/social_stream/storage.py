"""Calls of other services: the write function, the posts table under a condition, the dead-letter queue."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from shared.batch_write import serialized
from shared.clients import client

from . import write_request
from .posts import KEYS, Post

__all__ = ["Put", "invoke", "put_newer", "send_to_dlq"]

_AT_ONCE = 16


class Put(NamedTuple):
    """What became of conditional puts: how many were written, how many met a newer item, what is left."""

    written: int
    superseded: int
    unwritten: list[Post]


def invoke(function: str, payload: bytes) -> None:
    """Invoke a function asynchronously."""
    client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)


def put_newer(table: str, posts: Sequence[Post], deadline: float) -> Put:
    """Put posts one by one, each only where the table has no post of its key that is as new.

    Args:
        table: The posts table.
        posts: In any order, keys may repeat.
        deadline: When no further put begins, on the monotonic clock.
    """
    dynamodb = client("dynamodb")
    newer = dynamodb.exceptions.ConditionalCheckFailedException

    def put(post: Post) -> str:
        if time.monotonic() >= deadline:
            return "unwritten"
        item: dict[str, Any] = {name: serialized(value) for name, value in post.items()}
        try:
            dynamodb.put_item(
                TableName=table,
                Item=item,
                ConditionExpression="attribute_not_exists(#key) OR #number < :number",
                ExpressionAttributeNames={"#key": KEYS[0], "#number": "RecordNum"},
                ExpressionAttributeValues={":number": item["RecordNum"]},
            )
        except newer:
            return "superseded"
        except (ClientError, BotoCoreError):
            return "unwritten"
        return "written"

    with ThreadPoolExecutor(_AT_ONCE, "put") as pool:
        results = list(pool.map(put, posts))
    unwritten = [post for post, result in zip(posts, results, strict=True) if result == "unwritten"]
    return Put(results.count("written"), results.count("superseded"), unwritten)


def send_to_dlq(queue_url: str, posts: list[Post]) -> None:
    """Send posts to the dead-letter queue, as a write request, so that they can be redriven."""
    client("sqs").send_message(QueueUrl=queue_url, MessageBody=write_request.payload(posts).decode())
