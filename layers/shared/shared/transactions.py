"""Writes on several items of DynamoDB, all or none of them."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

__all__ = ["ConflictingWriteError", "write_together"]

_TRIES = 4  # of a transaction that met another one


class ConflictingWriteError(Exception):
    """Another write was faster; what there is now decides what to do.

    Attributes:
        places: Which items of the transaction are not what they had to be; empty for a write of one item.
    """

    def __init__(self, places: frozenset[int] = frozenset()) -> None:
        super().__init__(sorted(places))
        self.places = places


def write_together(
    dynamodb: "DynamoDBClient",
    items: "Sequence[TransactWriteItemTypeDef]",
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write all or nothing; a transaction that met another one is tried again, up to three times.

    Args:
        dynamodb: The client.
        items: The writes, up to 100 of them
            (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
        sleep: Takes seconds.

    Raises:
        ConflictingWriteError: A condition does not hold.
        ClientError: DynamoDB refused, or the transaction met others at every try.
    """
    for left in reversed(range(_TRIES)):
        try:
            dynamodb.transact_write_items(TransactItems=items)
        except dynamodb.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            failed = frozenset(place for place, code in enumerate(codes) if code == "ConditionalCheckFailed")
            if failed:
                raise ConflictingWriteError(failed) from error
            if left == 0 or "TransactionConflict" not in codes:
                raise
        except ClientError as error:
            if left == 0 or error.response["Error"]["Code"] != "TransactionInProgressException":
                raise
        else:
            return
        sleep(0.05 * (_TRIES - left))
