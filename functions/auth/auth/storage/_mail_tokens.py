"""Verification tokens: what a mail's link is good for.

===========  ==============================================================
Item         the single-use token of a mail
Key          `pk` = `T#<SHA-256 of the token>`, `sk` = `.`
Attributes   `kind` S, `user` S, `index` S (of the address that it was sent to), `client` S, `epoch` S (of the
             account), `about` S (blind index of the address that is let in); `used` BOOL once it was redeemed
TTL          by its kind: a day, an hour, or eight days
Written by   accounts
===========  ==============================================================
"""

from hashlib import sha256
from typing import Literal, NamedTuple

from ._table import ONLY, Item, Table, Write, put, update

__all__ = ["MailKind", "MailToken", "MailTokens"]

type MailKind = Literal["verify", "known", "reset", "email", "approve", "recovery", "none"]
"""A new account; a sign-up of who has one; a forgotten password; a new address, to it and to the old one; a
delayed reset, which its token stops; nobody's."""


class MailToken(NamedTuple):
    """What a token stands for.

    Attributes:
        kind: Of which mail.
        user: To whom; any text for `none`.
        email_index: Blind index of the address that it was sent to.
        client: The company in whose name.
        expires: Until when it is good; seconds since the epoch.
        epoch: The account's, at which it is good.
        about: Blind index of the new address that an `approve` lets in; empty for the other kinds.
        used: Whether it was redeemed.
    """

    kind: MailKind
    user: str
    email_index: str
    client: str
    expires: int
    epoch: str = ""
    about: str = ""
    used: bool = False


class MailTokens:
    """Reads and writes of verification tokens; the table keeps only their hashes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, token: str) -> MailToken | None:
        """What a token stands for; None if it is unknown or has expired."""
        item = self._table.get(_key(token))
        if item is None:
            return None
        return MailToken(
            item["kind"]["S"],
            item["user"]["S"],
            item["index"]["S"],
            item["client"]["S"],
            int(item["expires"]["N"]),
            epoch=item["epoch"]["S"] if "epoch" in item else "",
            about=item["about"]["S"] if "about" in item else "",
            used="used" in item,
        )

    def create(self, token: str, stands_for: MailToken) -> Write:
        """Write a new token."""
        item: Item = {
            "kind": {"S": stands_for.kind},
            "user": {"S": stands_for.user},
            "index": {"S": stands_for.email_index},
            "client": {"S": stands_for.client},
            "expires": {"N": str(stands_for.expires)},
        }
        item |= {name: {"S": value} for name in ("epoch", "about") if (value := getattr(stands_for, name))}
        return put(_key(token), ONLY, item, new=True)

    def redeem(self, token: str) -> Write:
        """Note that a token was redeemed; fails if it was before."""
        return update(
            _key(token),
            ONLY,
            "SET #used = :yes",
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#used)",
            ExpressionAttributeNames={"#used": "used"},
            ExpressionAttributeValues={":yes": {"BOOL": True}},
        )


def _key(token: str) -> str:
    return f"T#{sha256(token.encode()).hexdigest()}"
