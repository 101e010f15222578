"""Authorization codes.

===========  ==============================================================
Item         an authorization code
Key          `pk` = `O#<SHA-256 of the code>`, `sk` = `.`
Attributes   `client` S, `redirect_uri` S, `challenge` S, `nonce` S, `scope` S, `user` S, `session` S (sort
             key of the session in the browser), `sid` S, `epoch` S (of the account), `registration` S (of
             the client), `resource` S, `auth_time` N, `good_until` N; `family` S once it was redeemed
TTL          an hour, for which a code that was redeemed is remembered as one
Written by   the authorization endpoint, the token endpoint
===========  ==============================================================
"""

from hashlib import sha256
from typing import NamedTuple

from ._browsers import sort_key
from ._table import ONLY, Item, Table, Write, put, update

__all__ = ["AuthorizationCode", "AuthorizationCodes"]

_OPTIONAL = ("epoch", "registration", "resource")
"""Attributes that are empty where there are none."""


class AuthorizationCode(NamedTuple):
    """What a code stands for.

    Attributes:
        client: The application that it was made for.
        redirect_uri: Where it was sent.
        challenge: PKCE's challenge.
        nonce: What the ID token repeats; empty for nothing.
        scope: Scopes that were allowed, parted by blanks.
        user: Whose.
        cookie_hash: SHA-256 of the browser's cookie.
        sid: Name of the session in the browser.
        auth_time: When the person logged in; seconds since the epoch.
        good_until: Until when it can be redeemed; the same.
        expires: Until when it is remembered; the same.
        family: The session that it led to; empty until it is redeemed.
        epoch: The account's, at which it is good.
        registration: The client's, for which it is good.
        resource: Whom access tokens have to be for (RFC 8707); empty for any that the client has.
    """

    client: str
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str
    user: str
    cookie_hash: str
    sid: str
    auth_time: int
    good_until: int
    expires: int
    family: str = ""
    epoch: str = ""
    registration: str = ""
    resource: str = ""


class AuthorizationCodes:
    """Reads and writes of authorization codes; the table keeps only their hashes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, code: str) -> AuthorizationCode | None:
        """What a code stands for; None if it is unknown."""
        item = self._table.get(_key(code))
        return None if item is None else _authorization_code(item)

    def create(self, code: str, stands_for: AuthorizationCode) -> Write:
        """Write a new code."""
        item: Item = {
            "client": {"S": stands_for.client},
            "redirect_uri": {"S": stands_for.redirect_uri},
            "challenge": {"S": stands_for.challenge},
            "nonce": {"S": stands_for.nonce},
            "scope": {"S": stands_for.scope},
            "user": {"S": stands_for.user},
            "session": {"S": sort_key(stands_for.cookie_hash)},
            "sid": {"S": stands_for.sid},
            "auth_time": {"N": str(stands_for.auth_time)},
            "good_until": {"N": str(stands_for.good_until)},
            "expires": {"N": str(stands_for.expires)},
        }
        item |= {name: {"S": value} for name in _OPTIONAL if (value := getattr(stands_for, name))}
        return put(_key(code), ONLY, item, new=True)

    def redeem(self, code: str, family: str) -> Write:
        """Note the session that a code leads to; fails if it was redeemed before."""
        return update(
            _key(code),
            ONLY,
            "SET #family = :family",
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#family)",
            ExpressionAttributeNames={"#family": "family"},
            ExpressionAttributeValues={":family": {"S": family}},
        )


def _key(code: str) -> str:
    return f"O#{sha256(code.encode()).hexdigest()}"


def _authorization_code(item: Item) -> AuthorizationCode:
    return AuthorizationCode(
        item["client"]["S"],
        item["redirect_uri"]["S"],
        item["challenge"]["S"],
        item["nonce"]["S"],
        item["scope"]["S"],
        item["user"]["S"],
        item["session"]["S"].removeprefix(sort_key("")),
        item["sid"]["S"],
        int(item["auth_time"]["N"]),
        int(item["good_until"]["N"]),
        int(item["expires"]["N"]),
        **{name: item[name]["S"] for name in ("family", *_OPTIONAL) if name in item},
    )
