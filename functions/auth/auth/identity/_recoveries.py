"""A delayed reset of a person's second factor or main address, as their document has it.

It waits for a day, in which every mailbox of the person can stop it, and is good for a week after. A change
of any credential in between makes it void, as every other proof: it carries the account's epoch.
"""

from typing import Literal, NamedTuple

from ._documents import Document

__all__ = ["RECOVERY_GOOD_S", "Recovery", "recovery_of"]

RECOVERY_GOOD_S = 7 * 86_400
"""For how long a reset can be applied once it is due."""

type RecoveryState = Literal["pending", "done", "cancelled"]
"""Asked for; applied; stopped by the person."""


class Recovery(NamedTuple):
    """A delayed reset.

    Attributes:
        state: What became of it.
        second_factor: Whether the second factor is to be taken away.
        email: The main address that is to be, in canonical form; empty to keep the present one.
        due: From when on it can be applied; seconds since the epoch.
        epoch: The account's, at which it is good; of one that is done, that which it made.
        region: Where it was asked for; empty in older records.
    """

    state: RecoveryState
    second_factor: bool
    email: str
    due: int
    epoch: str
    region: str = ""

    def is_pending(self, epoch: str, now: float) -> bool:
        """Whether it waits, or can be applied.

        Args:
            epoch: The account's.
            now: Seconds since the epoch.
        """
        return self.state == "pending" and self.epoch == epoch and now <= self.due + RECOVERY_GOOD_S

    def asks_for(self, *, second_factor: bool, email: str) -> bool:
        """Whether it is for the same."""
        return (self.second_factor, self.email) == (second_factor, email)


def recovery_of(document: Document) -> Recovery | None:
    """The latest delayed reset of a person; None if there never was one."""
    field = document["recovery"]
    return Recovery(**field) if isinstance(field, dict) else None
