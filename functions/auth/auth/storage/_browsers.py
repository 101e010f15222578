"""Sessions in browsers at the sign-on pages.

===========  ==============================================================
Item         a person who is signed in in a browser
Key          `pk` = `U#<user>`, `sk` = `S#<SHA-256 of the cookie>`
Attributes   `auth_time` N, `sid` S, `epoch` S (of the account)
TTL          twelve hours after the log-in
Written by   log-ins at the pages; deleted by signing out and by whatever ends all sessions
===========  ==============================================================
"""

from hashlib import sha256
from typing import NamedTuple

from ._table import Item, Table, Write, check, delete, put
from ._users import user_key

__all__ = ["BrowserSession", "BrowserSessions", "cookie_hash"]


class BrowserSession(NamedTuple):
    """A session in a browser.

    Attributes:
        user: Who is signed in.
        cookie_hash: SHA-256 of the cookie.
        auth_time: When they logged in; seconds since the epoch.
        sid: Name of the session, in ID tokens too.
        expires: When it ends; seconds since the epoch.
        epoch: The account's, at which it is good.
    """

    user: str
    cookie_hash: str
    auth_time: int
    sid: str
    expires: int
    epoch: str = ""


class BrowserSessions:
    """Reads and writes of sessions in browsers."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, user: str, cookie: str) -> BrowserSession | None:
        """The session of a cookie; None if it has ended."""
        item = self._table.get(user_key(user), sort_key(cookie_hash(cookie)))
        return None if item is None else _session(user, item)

    def of_user(self, user: str) -> list[BrowserSession]:
        """The sessions of a person."""
        return [_session(user, item) for item in self._table.query(user_key(user), sort_key(""))]

    def create(self, session: BrowserSession) -> Write:
        """Write a new session."""
        item: Item = {
            "auth_time": {"N": str(session.auth_time)},
            "sid": {"S": session.sid},
            "expires": {"N": str(session.expires)},
        }
        if session.epoch:
            item["epoch"] = {"S": session.epoch}
        return put(user_key(session.user), sort_key(session.cookie_hash), item, new=True)

    def exists(self, user: str, cookie_hash: str) -> Write:
        """Check that a session has not ended."""
        return check(user_key(user), sort_key(cookie_hash), "attribute_exists(pk)")

    def delete(self, user: str, cookie_hash: str) -> Write:
        """End a session."""
        return delete(user_key(user), sort_key(cookie_hash))


def cookie_hash(cookie: str) -> str:
    """SHA-256 of a cookie in hexadecimal: all that the table knows of it."""
    return sha256(cookie.encode()).hexdigest()


def sort_key(cookie_hash: str) -> str:
    """The sort key of a session."""
    return f"S#{cookie_hash}"


def _session(user: str, item: Item) -> BrowserSession:
    return BrowserSession(
        user,
        item["sk"]["S"].removeprefix(sort_key("")),
        int(item["auth_time"]["N"]),
        item["sid"]["S"],
        int(item["expires"]["N"]),
        item["epoch"]["S"] if "epoch" in item else "",
    )
