"""Aliases: whose an e-mail address or a phone number is, and how its log-ins went.

===========  ==============================================================
Item         an identifier that somebody has, or tried to log in with
Key          `pk` = `E#<blind index>` of an address, `P#<blind index>` of a number; `sk` = `.`
Attributes   `user` S, `forever` N while it is somebody's; `failed` N, `wait` N, `locked` N, `last` N (the
             last three in milliseconds since the epoch)
TTL          none (the year 9999) while it is somebody's; else a day after the last attempt
Written by   accounts, imports, log-ins
===========  ==============================================================
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..identity import Kind
from ._table import ONLY, Item, Table, Write, update

__all__ = ["Alias", "Aliases", "Attempts"]

_FOREVER = "253402300799"  # year 9999: an alias of a person never expires, one of nobody does
_ATTEMPTS_S = 86_400
_PREFIXES: dict[Kind, str] = {"email": "E#", "phone": "P#"}


@dataclass(frozen=True)
class Alias:
    """An identifier.

    Attributes:
        kind: email or phone.
        index: Its blind index.
    """

    kind: Kind
    index: str

    @property
    def text(self) -> str:
        """The alias as one text, for forms, counters and the trail."""
        return _PREFIXES[self.kind] + self.index

    @classmethod
    def of_text(cls, text: str) -> "Alias":
        """The alias of `text`.

        Raises:
            KeyError: It is none.
        """
        kinds: dict[str, Kind] = {prefix: kind for kind, prefix in _PREFIXES.items()}
        return cls(kinds[text[:2]], text[2:])


class Attempts(NamedTuple):
    """The state of an identifier at a log-in that is tried now.

    Attributes:
        user: Whose it is; None for nobody's.
        failed: Log-ins since the last success, this one included.
        wait_ms: Time until which a log-in is refused without being tried; milliseconds since the epoch.
        locked_ms: Time until which every log-in fails; the same.
        last_ms: When the one before was tried; the same.
    """

    user: str | None
    failed: int
    wait_ms: int
    locked_ms: int
    last_ms: int


class Aliases:
    """Reads and writes of aliases."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def owner(self, alias: Alias) -> str | None:
        """Whose alias it is; None for nobody's."""
        item = self._table.get(alias.text)
        return item["user"]["S"] if item and "user" in item else None

    def claim(self, alias: Alias, user: str, held_by: str | None = None) -> Write:
        """Make an alias a person's; fails if it is somebody else's than the present holder's."""
        condition = "attribute_not_exists(#user) OR #user = :user" + (" OR #user = :held" if held_by else "")
        values: Item = {":user": {"S": user}, ":forever": {"N": _FOREVER}}
        return update(
            alias.text,
            ONLY,
            "SET #user = :user, forever = :forever, expires = :forever",
            ConditionExpression=condition,
            ExpressionAttributeNames={"#user": "user"},
            ExpressionAttributeValues=values | ({":held": {"S": held_by}} if held_by else {}),
        )

    def releases(self, alias: Alias, user: str) -> list[Write]:
        """Free an alias, if it is the person's; the write fails if it no longer is."""
        if self.owner(alias) != user:
            return []
        return [
            update(
                alias.text,
                ONLY,
                "REMOVE #user, forever SET expires = :soon",
                ConditionExpression="#user = :user",
                ExpressionAttributeNames={"#user": "user"},
                ExpressionAttributeValues={":user": {"S": user}, ":soon": {"N": "1"}},
            )
        ]

    def count_attempt(self, alias: Alias) -> Attempts:
        """Count a log-in of an identifier, known or not, and say how things stand with it.

        The count is raised before the password is looked at, so that guesses made side by side count too. A
        log-in that has to wait is not counted.
        """
        now = self._table.now()
        item = self._table.update(
            alias.text,
            ONLY,
            UpdateExpression=(
                "SET #failed = if_not_exists(#failed, :none) + :one, #last = :now,"
                " expires = if_not_exists(forever, :soon)"
            ),
            ConditionExpression="attribute_not_exists(#wait) OR #wait <= :now",
            ExpressionAttributeNames={"#failed": "failed", "#last": "last", "#wait": "wait"},
            ExpressionAttributeValues={
                ":none": {"N": "0"},
                ":one": {"N": "1"},
                ":now": {"N": str(int(1000 * now))},
                ":soon": {"N": str(int(now) + _ATTEMPTS_S)},
            },
            ReturnValues="ALL_OLD",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

        def number(name: str) -> int:
            return int(item[name]["N"]) if name in item else 0

        return Attempts(
            user=item["user"]["S"] if "user" in item else None,
            failed=number("failed") + 1,
            wait_ms=number("wait"),
            locked_ms=number("locked"),
            last_ms=number("last"),
        )

    def set_attempts(
        self,
        alias: Alias,
        *,
        add: int = 0,
        failed: int | None = None,
        wait: int | None = None,
        locked: int | None = None,
    ) -> Write:
        """Change how things stand with an identifier after a log-in; None changes nothing.

        Args:
            alias: The identifier's.
            add: What to add to the count; others may have raised it meanwhile.
            failed: The count.
            wait: Milliseconds since the epoch until which a log-in is refused.
            locked: Milliseconds since the epoch until which every log-in fails.
        """
        given = {"failed": failed, "wait": wait, "locked": locked}
        values = {name: value for name, value in given.items() if value is not None}
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        names = {f"#{name}": name for name in values} | ({"#failed": "failed"} if add else {})
        return update(
            alias.text,
            ONLY,
            (f"SET {sets} " if sets else "") + ("ADD #failed :add" if add else ""),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                **{f":{name}": {"N": str(value)} for name, value in values.items()},
                **({":add": {"N": str(add)}} if add else {}),
            },
        )
