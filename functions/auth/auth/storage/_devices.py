"""Devices from which people logged in who want to be told of new ones.

===========  ==============================================================
Item         a device of a person
Key          `pk` = `U#<user>`, `sk` = `V#<rate limit key>` of a client or of its visitor
Attributes   none
TTL          90 days after the last log-in
Written by   log-ins of people who chose `notify_new_device`
===========  ==============================================================
"""

from ._table import Table, Write, put
from ._users import user_key

__all__ = ["Devices"]

_KEPT_S = 90 * 86_400


class Devices:
    """Reads and writes of devices."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def exists(self, user: str, device: str) -> bool:
        """Whether a person logged in from a device in the last 90 days."""
        return self._table.get(user_key(user), _sort_key(device)) is not None

    def remember(self, user: str, device: str) -> Write:
        """Note that a person logs in from a device now."""
        expires = {"N": str(int(self._table.now()) + _KEPT_S)}
        return put(user_key(user), _sort_key(device), {"expires": expires})


def _sort_key(device: str) -> str:
    return f"V#{device}"
