"""Grants: what a person allowed applications.

===========  ==============================================================
Item         the consent of a person to an application, as it was registered then
Key          `pk` = `U#<user>`, `sk` = `G#<client>#<registration>` (`G#<client>` where it has no name), and
             `#<cleaned>` behind it of an account that was begun anew
Attributes   `scopes` SS
TTL          none
Written by   the consent page; deleted when the account is merged or erased
===========  ==============================================================
"""

from collections.abc import Iterable
from typing import NamedTuple

from ._table import Item, Table, Write, update
from ._users import user_key

__all__ = ["Grant", "Grants"]


class Grant(NamedTuple):
    """What a person allowed an application.

    Attributes:
        client: The application.
        scopes: What it may know.
    """

    client: str
    scopes: tuple[str, ...]


class Grants:
    """Reads and writes of grants."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def scopes(self, user: str, cleaned: str, client: str, registration: str) -> frozenset[str] | None:
        """What a person allowed an application; None if they never were asked.

        Args:
            user: The person.
            cleaned: The epoch at which the account was begun anew: what was allowed before is void.
            client: The application.
            registration: Its registration.
        """
        item = self._table.get(user_key(user), _sort_key(client, registration, cleaned))
        return None if item is None else frozenset(_grant(item).scopes)

    def of_user(self, user: str, cleaned: str) -> list[Grant]:
        """All grants of a person; for the arguments see `scopes`."""
        items = self._table.query(user_key(user), _PREFIX)
        return [_grant(item) for item in items if _cleaned(item) == cleaned]

    def add(self, user: str, cleaned: str, client: str, registration: str, scopes: Iterable[str]) -> Write:
        """Allow an application more; for the arguments see `scopes`."""
        return update(
            user_key(user),
            _sort_key(client, registration, cleaned),
            "ADD scopes :scopes",
            ExpressionAttributeValues={":scopes": {"SS": list(scopes)}},
        )


_PREFIX = "G#"


def _sort_key(client: str, registration: str, cleaned: str) -> str:
    return "#".join((f"{_PREFIX}{client}", registration, cleaned)).rstrip("#")


def _cleaned(item: Item) -> str:
    return "".join(item["sk"]["S"].split("#")[3:])


def _grant(item: Item) -> Grant:
    client, _, _ = item["sk"]["S"].removeprefix(_PREFIX).partition("#")
    return Grant(client, tuple(item["scopes"]["SS"]))
