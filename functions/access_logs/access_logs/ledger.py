"""Which objects are done: a DynamoDB item for each, written under a condition."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.clients import client

from .errors import BusyError
from .notifications import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as AttributeValue

__all__ = ["Ledger"]

KEPT_S = 30 * 86_400  # a message lives 14 days, and 14 more in the dead-letter queue


class Ledger:
    """Gives every object to one invocation at a time, and only once to one that succeeds.

    An item's `Object` is bucket, key and ETag; its `State` is `working` until `Until` (seconds since the
    epoch), or `done`.

    Args:
        table: The DynamoDB table.
    """

    def __init__(self, table: str) -> None:
        self._table = table

    @contextmanager
    def turn(self, stored: StoredObject, seconds: float) -> Iterator[bool]:
        """Work on an object; yields whether there is anything to do.

        If the block fails the object is free again at once; if the invocation dies, after `seconds`.

        Raises:
            BusyError: Another invocation works on it.
        """
        key: dict[str, AttributeValue] = {"Object": {"S": f"{stored.bucket}/{stored.key}#{stored.etag}"}}
        now = int(time.time())
        try:
            client("dynamodb").put_item(
                TableName=self._table,
                Item={
                    **key,
                    "State": {"S": "working"},
                    "Until": {"N": str(now + int(seconds) + 1)},
                    "ExpiresAt": {"N": str(now + KEPT_S)},
                },
                ConditionExpression="attribute_not_exists(#object) OR (#state = :working AND #until < :now)",
                ExpressionAttributeNames={"#object": "Object", "#state": "State", "#until": "Until"},
                ExpressionAttributeValues={":working": {"S": "working"}, ":now": {"N": str(now)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except client("dynamodb").exceptions.ConditionalCheckFailedException as error:
            if _state(error) != "done":
                raise BusyError("another invocation works on this object") from None
            yield False
            return
        try:
            yield True
            self._set(key, "State", {"S": "done"})
        except BaseException:
            self._set(key, "Until", {"N": "0"})
            raise

    def _set(self, key: Mapping[str, AttributeValue], name: str, value: AttributeValue) -> None:
        client("dynamodb").update_item(
            TableName=self._table,
            Key=key,
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )


def _state(error: ClientError) -> str:
    """The state of the item that kept a condition from holding."""
    response: dict[str, Any] = {**error.response}
    state: str = response.get("Item", {}).get("State", {}).get("S", "")
    return state
