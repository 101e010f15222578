"""The last code of a second factor that was redeemed: steps only rise (RFC 6238, section 5.2).

===========  ==============================================================
Item         the last time step whose code a person redeemed
Key          `pk` = `F#<user>`, `sk` = `.`
Attributes   `step` N
TTL          when no clock takes the step's code any more
Written by   log-ins, and the beginning and the end of a second factor
===========  ==============================================================
"""

from ._table import ONLY, Table, Write, update

__all__ = ["TotpSteps"]


class TotpSteps:
    """Reads and writes of redeemed codes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def last(self, user: str) -> int:
        """The last step whose code was redeemed; -1 if no code of before would be taken any more."""
        item = self._table.get(_key(user))
        return -1 if item is None else int(item["step"]["N"])

    def redeem(self, user: str, step: int, expires: int) -> Write:
        """Note that the code of a step was redeemed; fails if it was before, or that of a later step.

        Args:
            user: Whose.
            step: The step.
            expires: When no clock takes its code any more; seconds since the epoch.
        """
        return update(
            _key(user),
            ONLY,
            "SET step = :step, expires = :expires",
            ConditionExpression="attribute_not_exists(step) OR step < :step",
            ExpressionAttributeValues={":step": {"N": str(step)}, ":expires": {"N": str(expires)}},
        )


def _key(user: str) -> str:
    return f"F#{user}"
