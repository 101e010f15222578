"""Codes of second factors that were redeemed: each is good once.

===========  ==============================================================
Item         a time step whose code was redeemed
Key          `pk` = `F#<user>`, `sk` = `<step>`
Attributes   none
TTL          when no clock takes the code any more
Written by   log-ins, and the end of a second factor
===========  ==============================================================
"""

from ._table import Table, Write, put

__all__ = ["TotpSteps"]


class TotpSteps:
    """Reads and writes of redeemed codes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def redeemed(self, user: str, step: int) -> bool:
        """Whether the code of a step was redeemed."""
        return self._table.get(_key(user), str(step)) is not None

    def redeem(self, user: str, step: int, expires: int) -> Write:
        """Note that the code of a step was redeemed; fails if it was before.

        Args:
            user: Whose.
            step: The step.
            expires: When no clock takes its code any more; seconds since the epoch.
        """
        return put(_key(user), str(step), {"expires": {"N": str(expires)}}, new=True)


def _key(user: str) -> str:
    return f"F#{user}"
