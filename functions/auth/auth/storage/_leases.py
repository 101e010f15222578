"""Leases: who does what only one may do at a time.

===========  ==============================================================
Item         a lease
Key          `pk` = `N#<name>`, `sk` = `.`
Attributes   none
TTL          when the lease ends, if it is not given back before
Written by   the rotation of signing keys
===========  ==============================================================
"""

from ._table import ONLY, Table, Write, delete, put

__all__ = ["Leases"]


class Leases:
    """Writes of leases."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, name: str, seconds: int) -> Write:
        """Take a lease; fails while somebody has it.

        Args:
            name: What for.
            seconds: For how long; longer than who takes it can run.
        """
        now = int(self._table.now())
        taken = put(f"N#{name}", ONLY, {"expires": {"N": str(now + seconds)}})
        return Write(
            taken.operation,
            {
                **taken.request,
                "ConditionExpression": "attribute_not_exists(pk) OR expires < :now",
                "ExpressionAttributeValues": {":now": {"N": str(now)}},
            },
        )

    def give_back(self, name: str) -> Write:
        """End a lease."""
        return delete(f"N#{name}", ONLY)
