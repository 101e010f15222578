"""What a dry run of an import would have made, so that it finds duplicates among its own lines.

===========  ==============================================================
Item         an identifier that a line would have got
Key          `pk` = `D#<job>#<alias>`, `sk` = `.`
Attributes   `user` S, `verified` BOOL
TTL          a day
Written by   the importer, at a dry run
===========  ==============================================================
"""

from typing import NamedTuple

from ._aliases import Alias
from ._table import ONLY, Item, Table, Write, put

__all__ = ["DryRunClaim", "DryRuns"]

_KEPT_S = 86_400


class DryRunClaim(NamedTuple):
    """The account that would have got an identifier.

    Attributes:
        user: The account.
        verified: Whether the identifier was verified.
    """

    user: str
    verified: bool


class DryRuns:
    """Reads and writes of what dry runs would have made."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, job: str, alias: Alias) -> DryRunClaim | None:
        """Which account would have got an identifier; None if none would."""
        item = self._table.get(_key(job, alias))
        return None if item is None else DryRunClaim(item["user"]["S"], item["verified"]["BOOL"])

    def create(self, job: str, alias: Alias, claim: DryRunClaim) -> Write:
        """Write who would have got an identifier; fails if somebody would have before."""
        item: Item = {
            "user": {"S": claim.user},
            "verified": {"BOOL": claim.verified},
            "expires": {"N": str(int(self._table.now()) + _KEPT_S)},
        }
        return put(_key(job, alias), ONLY, item, new=True)


def _key(job: str, alias: Alias) -> str:
    return f"D#{job}#{alias.text}"
