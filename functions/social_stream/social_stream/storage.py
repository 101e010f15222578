"""Calls of other services: the write function, the posts table under a condition, the dead-letter queue."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from shared.batch_write import Refused, serialized
from shared.clients import client

from . import write_request
from .posts import KEYS, Post

__all__ = ["Put", "invoke", "put_newer", "send_to_dlq"]

_AT_ONCE = 16
_RESULTS = {"written", "superseded", "unwritten"}


class Put(NamedTuple):
    """What became of posts.

    Attributes:
        written: How many were written.
        superseded: How many met a newer item.
        unwritten: What is left, and may be written another time.
        refused: What the table can never take.
    """

    written: int
    superseded: int
    unwritten: list[Post]
    refused: list[Refused]


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
        """What became of a post, or why the table can never take it."""
        if time.monotonic() >= deadline:
            return "unwritten"
        try:
            item: dict[str, Any] = {name: serialized(value) for name, value in post.items()}
            dynamodb.put_item(
                TableName=table,
                Item=item,
                ConditionExpression="attribute_not_exists(#key) OR #number < :number",
                ExpressionAttributeNames={"#key": KEYS[0], "#number": "RecordNum"},
                ExpressionAttributeValues={":number": item["RecordNum"]},
            )
        except newer:
            return "superseded"
        except ClientError as error:
            refusal = error.response["Error"]
            if refusal["Code"] != "ValidationException":
                return "unwritten"
            return f"{refusal['Code']}: {refusal['Message']}"
        except BotoCoreError:
            return "unwritten"
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return f"not a post: {type(error).__name__}"
        return "written"

    with ThreadPoolExecutor(_AT_ONCE, "put") as pool:
        results = list(pool.map(put, posts))
    found = list(zip(posts, results, strict=True))
    return Put(
        results.count("written"),
        results.count("superseded"),
        [post for post, result in found if result == "unwritten"],
        [Refused(post, result) for post, result in found if result not in _RESULTS],
    )


def send_to_dlq(queue_url: str, posts: list[Post], reason: str) -> None:
    """Send posts to the dead-letter queue, as a write request, so that they can be redriven.

    Args:
        queue_url: The queue's.
        posts: At most as many as a write request has.
        reason: Why, without their contents; the message's attribute `reason`.
    """
    client("sqs").send_message(
        QueueUrl=queue_url,
        MessageBody=write_request.payload(posts).decode(),
        MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
    )
