"""Counters, each in windows of time that follow each other.

===========  ==============================================================
Item         a counter in a window
Key          `pk` = `L#<name>#<subject>`, `sk` = `<first second of the window>`
Attributes   `count` N
TTL          the end of the next window
Written by   log-ins that failed, mails, codes of a second factor
===========  ==============================================================
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from shared.http import BusyError, HttpError

from ._table import Table

__all__ = ["CounterName", "Counters"]

type CounterName = Literal["failures", "mail", "approve", "recovery", "totp"]
"""Failed log-ins of a rate limit key; mails that anybody causes, of an alias; mails about a new address and
about a delayed reset, which companies cause, of a person; codes that a person tried."""


class Counters:
    """Counters; they are written at once, outside of any transaction."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, name: CounterName, subject: str, seconds: int) -> int:
        """Count one more in the present window, and return the count.

        Args:
            name: What is counted.
            subject: Of whom.
            seconds: Length of a window.
        """
        return self._add(name, subject, self._window(seconds), seconds, 1)

    @contextmanager
    def counted(self, name: CounterName, subject: str, seconds: int) -> Iterator[int]:
        """Count what is done within, and give the count; for the arguments see `add`.

        What ends without a verdict, by an outage or a lost race, is not counted.
        """
        window = self._window(seconds)
        count = self._add(name, subject, window, seconds, 1)
        try:
            yield count
        except Exception as error:
            if not (isinstance(error, HttpError) and error.status < 500):
                with suppress(BusyError):
                    self._add(name, subject, window, seconds, -1)
            raise

    def get(self, name: CounterName, subject: str, seconds: int) -> int:
        """The count of the present window; for the arguments see `add`."""
        item = self._table.get(_key(name, subject), str(self._window(seconds)))
        return int(item["count"]["N"]) if item else 0

    def _add(self, name: CounterName, subject: str, window: int, seconds: int, change: int) -> int:
        item = self._table.update(
            _key(name, subject),
            str(window),
            UpdateExpression="SET expires = :end ADD #count :change",
            ExpressionAttributeNames={"#count": "count"},
            ExpressionAttributeValues={
                ":end": {"N": str(window + 2 * seconds)},
                ":change": {"N": str(change)},
            },
            ReturnValues="UPDATED_NEW",
        )
        return int(item["count"]["N"])

    def _window(self, seconds: int) -> int:
        now = int(self._table.now())
        return now - now % seconds


def _key(name: CounterName, subject: str) -> str:
    return f"L#{name}#{subject}"
