"""Partitions by the hour of delivery: from an object's key to the partition that it belongs to."""

import re
from enum import StrEnum
from typing import NamedTuple

__all__ = ["KEYS", "WHOLE", "Partition", "PartitionType", "parse_type", "partition_of"]

KEYS = ("year", "month", "day", "hour")
"""The table's partition keys, from coarse to fine."""

WHOLE = "all"
"""Value of the keys that are finer than the partition."""

# Firehose writes YYYY/MM/DD/HH/<name>, UTC; whatever is elsewhere is not a row of the table.
_KEY = re.compile(r"(\d{4})/(0[1-9]|1[0-2])/(0[1-9]|[12]\d|3[01])/([01]\d|2[0-3])/[^/]+")


class PartitionType(StrEnum):
    """How many keys a partition has a value of its own in; `ALL` and `HOUR` have all four."""

    ALL = "ALL"
    HOUR = "Hour"
    DATE = "Date"
    MONTH = "Month"
    YEAR = "Year"

    @property
    def depth(self) -> int:
        """The number of keys."""
        return {"Year": 1, "Month": 2, "Date": 3}.get(self.value, len(KEYS))


def parse_type(text: str) -> PartitionType:
    """A partition type by its name.

    Raises:
        ValueError: There is none of that name.
    """
    try:
        return PartitionType(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(PartitionType)}") from None


class Partition(NamedTuple):
    """A partition of the table.

    Attributes:
        spec: Its signature, such as `year="2017"; month="05"; day="15"; hour="10"`.
        path: Where its objects are, such as `2017/05/15/10/`.
        values: The values of the four keys; `all` for those finer than the partition.
    """

    spec: str
    path: str
    values: tuple[str, ...]


def partition_of(key: str, kind: PartitionType) -> Partition | None:
    """The partition that an object belongs to; None for one that is not under YYYY/MM/DD/HH/."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    values = match.groups()[: kind.depth]
    spec = "; ".join(f'{name}="{value}"' for name, value in zip(KEYS, values, strict=False))
    return Partition(spec, "/".join(values) + "/", (*values, *[WHOLE] * (len(KEYS) - len(values))))
