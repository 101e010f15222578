"""Originals that cannot be resized, and why: so that a bomb costs its second of CPU once.

An item belongs to one original, by key and ETag: all its variants, where the file itself is refused, or one.
Another upload under the key has another ETag, and is looked at afresh. Items expire after a day (DynamoDB
deletes them later, so that the time is compared, too), and an original has at most one more than variants.
Nobody but the resize function reads or writes the table.

No key of an original looks like a variant's, so the name of a variant is nobody else's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.clients import client
from shared.http import BusyError, HttpError, UnprocessableError, UnsupportedTypeError

from .storage import READ_TIMEOUT_S, Stored, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

__all__ = ["REFUSED_S", "Refusals"]

REFUSED_S = 86_400
_ERRORS: dict[int, type[HttpError]] = {422: UnprocessableError, 415: UnsupportedTypeError}


class Refusals:
    """What is known of one table.

    Args:
        table: Its name; empty: nothing is noted.
        now: Unix time in seconds.
    """

    def __init__(self, table: str, now: float) -> None:
        self._table, self._now = table, int(now)

    def check(self, key: str, original: Stored, segment: str) -> None:
        """Refuse again what was refused before.

        Raises:
            UnprocessableError, UnsupportedTypeError: As then.
        """
        if not self._table:
            return
        names: list[dict[str, AttributeValueTypeDef]] = [
            {"name": {"S": name}} for name in (key, f"{segment}/{key}")
        ]
        with translated():
            dynamodb = client("dynamodb", read_timeout=READ_TIMEOUT_S)
            found = dynamodb.batch_get_item(RequestItems={self._table: {"Keys": names}})
        if found.get("UnprocessedKeys"):
            raise BusyError("storage_busy", "The storage is busy; try again in a moment.")
        for item in found["Responses"].get(self._table, []):
            if item["etag"]["S"] == original.etag and int(item["expires"]["N"]) > self._now:
                raise _ERRORS[int(item["status"]["N"])](item["code"]["S"], item["message"]["S"])

    @contextmanager
    def remembered(self, name: str, original: Stored) -> Iterator[None]:
        """Note a refusal under the name of an original, or of one variant of it."""
        try:
            yield
        except (UnprocessableError, UnsupportedTypeError) as error:
            if not self._table:
                raise
            item: dict[str, Any] = {
                "name": {"S": name},
                "etag": {"S": original.etag},
                "status": {"N": str(error.status)},
                "code": {"S": error.code},
                "message": {"S": error.message},
                "expires": {"N": str(self._now + REFUSED_S)},
            }
            with translated():
                client("dynamodb", read_timeout=READ_TIMEOUT_S).put_item(TableName=self._table, Item=item)
            raise
