"""Sessions: families of refresh tokens.

===========  ==============================================================
Item         a session of a person at a client
Key          `pk` = `U#<user>`, `sk` = `R#<family>`
Attributes   `client` S, `scope` S, `number` N (of the newest token), `rotated` N (when it was made, in
             milliseconds), `began` N, `auth_time` N, `epoch` S (of the account); `sid` S of the browser
             session that it comes from; `registration` S of the client, `audience` S of its access tokens
TTL          after the days of `refresh_idle_days` without a refresh
Written by   log-ins, the token endpoint, refreshes; deleted by whatever ends a session
===========  ==============================================================
"""

from typing import NamedTuple

from ._table import Item, Table, Write, delete, put, update
from ._users import user_key

__all__ = ["Session", "Sessions"]

_OPTIONAL = ("sid", "epoch", "registration", "audience")
"""Attributes that are empty where there are none."""


class Session(NamedTuple):
    """A session.

    Attributes:
        user: Whose.
        family: Its name.
        client: Who may refresh it.
        scope: Scopes of its access tokens, parted by blanks.
        began: When it began; seconds since the epoch.
        auth_time: When the person logged in; the same.
        expires: When it ends if nobody refreshes it; the same.
        number: Which of its tokens is the newest, from 0.
        rotated_ms: When the newest was made; milliseconds since the epoch, 0 for the first.
        sid: The browser session that it comes from; empty for none.
        epoch: The account's, at which it is good.
        registration: The client's, for which it is good.
        audience: Whom its access tokens are for.
    """

    user: str
    family: str
    client: str
    scope: str
    began: int
    auth_time: int
    expires: int
    number: int = 0
    rotated_ms: int = 0
    sid: str = ""
    epoch: str = ""
    registration: str = ""
    audience: str = ""


class Sessions:
    """Reads and writes of sessions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, user: str, family: str) -> Session | None:
        """A session; None if it has ended."""
        item = self._table.get(user_key(user), _sort_key(family))
        return None if item is None else _session(user, item)

    def of_user(self, user: str) -> list[Session]:
        """The sessions of a person."""
        return [_session(user, item) for item in self._table.query(user_key(user), _sort_key(""))]

    def create(self, session: Session) -> Write:
        """Write a new session."""
        item: Item = {
            "client": {"S": session.client},
            "scope": {"S": session.scope},
            "number": {"N": str(session.number)},
            "rotated": {"N": str(session.rotated_ms)},
            "began": {"N": str(session.began)},
            "auth_time": {"N": str(session.auth_time)},
            "expires": {"N": str(session.expires)},
        }
        item |= {name: {"S": value} for name in _OPTIONAL if (value := getattr(session, name))}
        return put(user_key(session.user), _sort_key(session.family), item, new=True)

    def rotate(self, user: str, family: str, number: int, now_ms: int, expires: int) -> Write:
        """Make the successor of a token the newest; fails if the token is not the newest any more.

        Args:
            user: Whose.
            family: The session.
            number: The token's.
            now_ms: Milliseconds since the epoch.
            expires: When the session ends if nobody refreshes it; seconds since the epoch.
        """
        return update(
            user_key(user),
            _sort_key(family),
            "SET #number = :next, rotated = :rotated, expires = :expires",
            ConditionExpression="#number = :number",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues={
                ":number": {"N": str(number)},
                ":next": {"N": str(number + 1)},
                ":rotated": {"N": str(now_ms)},
                ":expires": {"N": str(expires)},
            },
        )

    def move(self, user: str, family: str, epoch: str) -> Write:
        """Have a session go on at a new epoch of the account; fails if it has ended."""
        return update(
            user_key(user),
            _sort_key(family),
            "SET epoch = :epoch",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":epoch": {"S": epoch}},
        )

    def delete(self, user: str, family: str) -> Write:
        """End a session."""
        return delete(user_key(user), _sort_key(family))


def _sort_key(family: str) -> str:
    return f"R#{family}"


def _session(user: str, item: Item) -> Session:
    return Session(
        user,
        item["sk"]["S"].removeprefix(_sort_key("")),
        item["client"]["S"],
        item["scope"]["S"],
        began=int(item["began"]["N"]),
        auth_time=int(item["auth_time"]["N"]),
        expires=int(item["expires"]["N"]),
        number=int(item["number"]["N"]),
        rotated_ms=int(item["rotated"]["N"]),
        **{name: item[name]["S"] for name in _OPTIONAL if name in item},
    )
