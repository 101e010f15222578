"""The users table as DynamoDB has it: consistent reads, transactions, and what is worth another try.

Only the modules of this package use it; each of them knows one kind of item. The keys are `pk` and `sk` (`.`
where a partition has one item), the time to live is `expires`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from shared.http import BusyError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "ONLY", "Change", "Item", "LostRaceError", "Table", "Write", "change_of", "check", "delete",
    "key_of", "put", "update",
]  # fmt: skip

type Item = dict[str, Any]
"""Attributes by name, as DynamoDB has them: `{"S": "text"}`."""

ONLY = "."
"""The sort key where a partition has one item."""

_RACES = 4
_RETRYABLE = {
    "InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ServiceUnavailable", "ThrottlingException", "TransactionConflictException",
    "TransactionInProgressException",
}  # fmt: skip


class LostRaceError(Exception):
    """A write's condition did not hold.

    Attributes:
        lost: Places, in the list of writes, of those whose condition failed.
    """

    def __init__(self, lost: tuple[int, ...]) -> None:
        super().__init__(lost)
        self.lost = lost


class Write(NamedTuple):
    """One item of a transaction; made in this package, and handed to `Store.commit` as it is.

    Attributes:
        operation: Which of the operations of TransactWriteItems.
        request: What the operation wants, less the table's name.
    """

    operation: Literal["ConditionCheck", "Delete", "Put", "Update"]
    request: Mapping[str, Any]


class Change(NamedTuple):
    """What was written.

    Attributes:
        key: The partition key.
        at: When, seconds since the epoch; None if the record does not say.
    """

    key: str
    at: float | None


def change_of(record: Mapping[str, Any]) -> Change:
    """What a record of the stream says."""
    told = record["dynamodb"]
    return Change(told["Keys"]["pk"]["S"], told.get("ApproximateCreationDateTime"))


def key_of(pk: str, sk: str = ONLY) -> Item:
    """The key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def put(pk: str, sk: str, item: Item, *, new: bool = False) -> Write:
    """Write a whole item.

    Args:
        pk: Partition key.
        sk: Sort key.
        item: Its other attributes.
        new: Fails if there is an item already.
    """
    request: Item = {"Item": key_of(pk, sk) | item}
    if new:
        request["ConditionExpression"] = "attribute_not_exists(pk)"
    return Write("Put", request)


def update(pk: str, sk: str, expression: str, **request: Any) -> Write:
    """Change an item; `request` is what UpdateItem takes besides key and expression."""
    return Write("Update", {"Key": key_of(pk, sk), "UpdateExpression": expression, **request})


def delete(pk: str, sk: str) -> Write:
    """Delete an item."""
    return Write("Delete", {"Key": key_of(pk, sk)})


def check(pk: str, sk: str, condition: str, **request: Any) -> Write:
    """Write nothing, and fail if a condition does not hold."""
    return Write("ConditionCheck", {"Key": key_of(pk, sk), "ConditionExpression": condition, **request})


class Table:
    """Reads and writes of items.

    Args:
        dynamodb: A DynamoDB client.
        name: The table's name.
        now: Seconds since the epoch.
    """

    def __init__(self, dynamodb: "DynamoDBClient", name: str, now: Callable[[], float]) -> None:
        self._dynamodb, self._name, self.now = dynamodb, name, now

    def get(self, pk: str, sk: str = ONLY, *, even_expired: bool = False) -> Item | None:
        """An item as it is now (a consistent read); None if there is none or it has expired.

        Args:
            pk: Partition key.
            sk: Sort key.
            even_expired: Read what has expired, too, as long as DynamoDB has not deleted it.
        """
        with _Busy():
            item = self._dynamodb.get_item(TableName=self._name, Key=key_of(pk, sk), ConsistentRead=True).get(
                "Item"
            )
        return None if item is None or (self._expired(item) and not even_expired) else item

    def query(self, pk: str, prefix: str = "", most: int | None = None) -> list[Item]:
        """Items of a partition whose sort key has a prefix, in the order of the sort key.

        Args:
            pk: The partition.
            prefix: The prefix.
            most: How many at most; None for all.
        """
        found: list[Item] = []
        values = {":pk": {"S": pk}} | ({":prefix": {"S": prefix}} if prefix else {})
        condition = "pk = :pk" + (" AND begins_with(sk, :prefix)" if prefix else "")
        with _Busy():
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._name,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                PaginationConfig={} if most is None else {"PageSize": most},
            )
            for page in pages:
                found += [item for item in page["Items"] if not self._expired(item)]
                if most is not None and len(found) >= most:
                    break
        return found[:most]

    def query_index(self, index: str, value: str) -> list[Item]:
        """The items that have a value in an index of the same name (behind by a moment)."""
        with _Busy():
            answer = self._dynamodb.query(
                TableName=self._name,
                IndexName=index,
                KeyConditionExpression=f"{index} = :index",
                ExpressionAttributeValues={":index": {"S": value}},
            )
        return answer["Items"]

    def update(self, pk: str, sk: str, **request: Any) -> Item:
        """Change an item at once, outside of a transaction; the attributes that were asked for."""
        with _Busy():
            return self._dynamodb.update_item(TableName=self._name, Key=key_of(pk, sk), **request).get(
                "Attributes", {}
            )

    def update_if(self, pk: str, sk: str, **request: Any) -> tuple[bool, Item]:
        """Change an item at once, if a condition holds.

        Returns:
            Whether it was changed; the attributes that were asked for, or the item as it is if it was not.
        """
        with _Busy():
            try:
                answer = self._dynamodb.update_item(
                    TableName=self._name,
                    Key=key_of(pk, sk),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **request,
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
                return False, error.response.get("Item", {})  # type: ignore[return-value]
            return True, answer.get("Attributes", {})

    def transact(self, writes: Sequence[Write]) -> None:
        """Write all or nothing.

        Raises:
            LostRaceError: The condition of one of the writes does not hold.
            BusyError: The table throttles or cannot be reached; nothing is written.
        """
        items: list[Any] = [{each.operation: {"TableName": self._name, **each.request}} for each in writes]
        for attempt in range(_RACES):
            with _Busy():
                try:
                    self._dynamodb.transact_write_items(TransactItems=items)
                except self._dynamodb.exceptions.TransactionCanceledException as error:
                    reasons = [reason.get("Code") for reason in error.response["CancellationReasons"]]
                    lost = [place for place, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
                    if lost:
                        raise LostRaceError(tuple(lost)) from error
                    if attempt == _RACES - 1:
                        raise BusyError("busy", "The service is busy; try again in a moment.") from error
                else:
                    return
            time.sleep(0.01 * 2**attempt)

    def _expired(self, item: Item) -> bool:
        """Whether an item is past its time: DynamoDB deletes what has expired within days."""
        return "expires" in item and int(item["expires"]["N"]) < self.now()


class _Busy:
    """Turns what is worth another try into `BusyError`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
        if code in _RETRYABLE or isinstance(error, BotoCoreError):
            raise BusyError("busy", "The service is busy; try again in a moment.") from error
