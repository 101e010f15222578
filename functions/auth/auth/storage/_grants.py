"""Grants: what a person allowed applications.

===========  ==============================================================
Item         the consent of a person to an application
Key          `pk` = `U#<user>`, `sk` = `G#<client>`
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

    def scopes(self, user: str, client: str) -> frozenset[str] | None:
        """What a person allowed an application; None if they never were asked."""
        item = self._table.get(user_key(user), _sort_key(client))
        return None if item is None else frozenset(_grant(item).scopes)

    def of_user(self, user: str) -> list[Grant]:
        """All grants of a person."""
        return [_grant(item) for item in self._table.query(user_key(user), _sort_key(""))]

    def add(self, user: str, client: str, scopes: Iterable[str]) -> Write:
        """Allow an application more."""
        return update(
            user_key(user),
            _sort_key(client),
            "ADD scopes :scopes",
            ExpressionAttributeValues={":scopes": {"SS": list(scopes)}},
        )


def _sort_key(client: str) -> str:
    return f"G#{client}"


def _grant(item: Item) -> Grant:
    return Grant(item["sk"]["S"].removeprefix(_sort_key("")), tuple(item["scopes"]["SS"]))
