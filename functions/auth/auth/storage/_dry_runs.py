"""What a dry run of an import would have made, so that later lines meet it.

===========  ==============================================================
Item         an account that a line would have made or changed
Key          `pk` = `D#<job>#<user>`, `sk` = `.`
Attributes   `merged_into` S; or `verified` SS, `phone` S, `ids` SS, `cost` N; `revision` N
TTL          a day
Written by   the importer, at a dry run
===========  ==============================================================

===========  ==============================================================
Item         an identifier that a line would have got, or an account would have lost
Key          `pk` = `D#<job>#<alias>`, `sk` = `.`
Attributes   `user` S, empty for nobody; `revision` N
TTL          a day
Written by   the importer, at a dry run
===========  ==============================================================
"""

from typing import NamedTuple

from ._aliases import Alias
from ._table import ONLY, Item, Table, Write, put

__all__ = ["AccountSummary", "DryRunOwner", "DryRuns"]

_KEPT_S = 86_400


class AccountSummary(NamedTuple):
    """What an import has to know of an account.

    Attributes:
        verified: Blind indexes of its verified addresses.
        phone: Blind index of its phone number; empty for none.
        ids: Ids of the accounts that the lines which joined it would have made by themselves.
        cost: What its legacy hashes cost together, in thousandths of `legacy.cost`.
        merged_into: The account that took it over; empty for none.
        revision: How often a dry run changed it.
    """

    verified: frozenset[str] = frozenset()
    phone: str = ""
    ids: frozenset[str] = frozenset()
    cost: int = 0
    merged_into: str = ""
    revision: int = 0


class DryRunOwner(NamedTuple):
    """Whose an identifier would be.

    Attributes:
        user: The account; empty for nobody's.
        revision: How often a dry run changed it.
    """

    user: str = ""
    revision: int = 0


class DryRuns:
    """Reads and writes of what dry runs would have made."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def account(self, job: str, user: str) -> AccountSummary | None:
        """An account as a dry run left it; None if it did not touch it."""
        item = self._table.get(_key(job, user))
        if item is None:
            return None
        return AccountSummary(
            frozenset(item["verified"]["SS"]) if "verified" in item else frozenset(),
            item["phone"]["S"],
            frozenset(item["ids"]["SS"]) if "ids" in item else frozenset(),
            int(item["cost"]["N"]),
            item["merged_into"]["S"],
            int(item["revision"]["N"]),
        )

    def owner(self, job: str, alias: Alias) -> DryRunOwner | None:
        """Whose an identifier would be; None if the dry run did not touch it."""
        item = self._table.get(_key(job, alias.text))
        return None if item is None else DryRunOwner(item["user"]["S"], int(item["revision"]["N"]))

    def save_account(self, job: str, user: str, account: AccountSummary) -> Write:
        """Write an account over the revision that was read."""
        item: Item = {
            "phone": {"S": account.phone},
            "cost": {"N": str(account.cost)},
            "merged_into": {"S": account.merged_into},
        }
        for name, texts in (("verified", account.verified), ("ids", account.ids)):
            if texts:
                item[name] = {"SS": sorted(texts)}
        return self._save(_key(job, user), item, account.revision)

    def save_owner(self, job: str, alias: Alias, owner: DryRunOwner) -> Write:
        """Write whose an identifier would be over the revision that was read."""
        return self._save(_key(job, alias.text), {"user": {"S": owner.user}}, owner.revision)

    def _save(self, key: str, item: Item, revision: int) -> Write:
        item |= {
            "revision": {"N": str(revision + 1)},
            "expires": {"N": str(int(self._table.now()) + _KEPT_S)},
        }
        made = put(key, ONLY, item, new=revision == 0)
        if revision == 0:
            return made
        condition = {
            "ConditionExpression": "revision = :before",
            "ExpressionAttributeValues": {":before": {"N": str(revision)}},
        }
        return made._replace(request={**made.request, **condition})


def _key(job: str, what: str) -> str:
    return f"D#{job}#{what}"
