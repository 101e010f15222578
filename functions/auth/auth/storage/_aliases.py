"""Aliases: whose an e-mail address or a phone number is, and how its log-ins went.

===========  ==============================================================
Item         an identifier that somebody has, or tried to log in with
Key          `pk` = `E#<blind index>` of an address, `P#<blind index>` of a number; `sk` = `.`
Attributes   `user` S, `forever` N while it is somebody's; `failed` N (attempts since the last success),
             `wrong` N (those of them that were told so), `wait` N, `locked` N, `last` N (the last three
             in milliseconds since the epoch); `ending` S, `begun` N once a session began by it;
             `waiting` SS (accounts that claim it, and have not got it), with `unsettled` BOOL
TTL          none (the year 9999) while it is somebody's; else a day after the last attempt
Written by   accounts, imports, log-ins, the replication
===========  ==============================================================

Within a region an identifier has one owner. Two regions can give it to two accounts, within the time that a
write takes from one to the other: whoever has not got it waits, and the replication decides whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..identity import Kind
from ._table import ONLY, Item, Table, Write, update

__all__ = ["Alias", "Aliases", "Attempts", "Holding"]

_FOREVER = "253402300799"  # year 9999: an alias of a person never expires, one of nobody does
_ATTEMPTS_S = 86_400
_FORGET_MS = 3_600_000
_UNENDED_MS = 60_000  # longer than any function runs that counts
_RACES = 4
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
        failed: Log-ins since the last success that failed or are still under way, this one included.
        wait_ms: Time until which a log-in is refused without being tried; milliseconds since the epoch.
        locked_ms: Time until which every log-in fails; the same, 0 if it is not locked.
        counted: Whether this one counts: not if it has to wait, or if too many are under way.
        ending: For each session that may begin by it before the person's are counted again, the session that
            ends for it; empty for none.
    """

    user: str | None
    failed: int
    wait_ms: int
    locked_ms: int
    counted: bool
    ending: tuple[str, ...] = ()


class Holding(NamedTuple):
    """Who has an identifier, and who would.

    Attributes:
        user: Whose it is; None for nobody's.
        waiting: The accounts that claim it, and have not got it; some may claim it no more.
    """

    user: str | None = None
    waiting: frozenset[str] = frozenset()


class Aliases:
    """Reads and writes of aliases."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def owner(self, alias: Alias) -> str | None:
        """Whose alias it is; None for nobody's."""
        item = self._table.get(alias.text)
        return item["user"]["S"] if item and "user" in item else None

    def holding(self, alias: Alias) -> Holding:
        """Who has an identifier and who waits for it, if it was let go lately, too."""
        item = self._table.get(alias.text, even_expired=True) or {}
        return Holding(
            item["user"]["S"] if "user" in item else None,
            frozenset(item["waiting"]["SS"]) if "waiting" in item else frozenset(),
        )

    def hold(self, alias: Alias, before: Holding, after: Holding) -> Write:
        """Write who has an identifier and who waits for it; fails if that is not as it was read."""
        sets, removes, conditions = [], [], []
        names, values = {"#user": "user", "#waiting": "waiting"}, dict[str, Item]()
        if after.user:
            sets.append("#user = :user, forever = :forever, expires = :forever")
            values |= {":user": {"S": after.user}, ":forever": {"N": _FOREVER}}
        elif before.user:
            sets.append("expires = :soon")
            values[":soon"] = {"N": "1"}
            removes.append("#user, forever")
        if after.waiting:
            sets.append("#waiting = :waiting, unsettled = :true")
            values |= {":waiting": {"SS": sorted(after.waiting)}, ":true": {"BOOL": True}}
        elif before.waiting:
            removes.append("#waiting, unsettled")
        for name, value in (
            ("user", {"S": before.user} if before.user else None),
            ("waiting", {"SS": sorted(before.waiting)} if before.waiting else None),
        ):
            conditions.append(f"#{name} = :before_{name}" if value else f"attribute_not_exists(#{name})")
            values |= {f":before_{name}": value} if value else {}
        parts = [f"{word} {', '.join(each)}" for word, each in (("SET", sets), ("REMOVE", removes)) if each]
        return update(
            alias.text,
            ONLY,
            " ".join(parts),
            ConditionExpression=" AND ".join(conditions),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

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

    def count_attempt(self, alias: Alias, most: int) -> Attempts:
        """Count a log-in of an identifier, known or not, and say how things stand with it.

        The count is raised before the password is looked at, so that guesses made side by side count too. A
        lock that is over, and attempts of more than an hour ago, are forgotten by whoever comes first; so
        are those that nobody ended within a minute, but for those that were told that they are wrong.

        Args:
            alias: The identifier's.
            most: Failures that lock it: no more than these are tried at one time.
        """
        for _ in range(_RACES):
            now_ms = int(1000 * self._table.now())
            counted, item = self._count(
                alias,
                now_ms,
                "SET #failed = if_not_exists(#failed, :none) + :one",
                "(attribute_not_exists(#wait) OR #wait <= :now) AND (attribute_not_exists(#failed)"
                " OR attribute_not_exists(#last) OR #locked > :now OR (#last > :forget AND #failed < :most"
                " AND (attribute_not_exists(#locked) OR #locked = :none)))",
                {":none": 0, ":forget": now_ms - _FORGET_MS, ":most": most},
            )
            attempts = _attempts(item, counted=counted)
            forgotten = _are_forgotten(item, attempts, now_ms)
            if counted or not (forgotten or _are_unended(item, attempts, now_ms, most)):
                return attempts
            counted, item = self._count(
                alias,
                now_ms,
                "SET #failed = :one, #wrong = :none, #wait = :none, #locked = :none"
                if forgotten
                else "SET #failed = if_not_exists(#wrong, :none) + :one",
                "#last = :seen AND #failed = :failed",
                {":none": 0, ":seen": int(item["last"]["N"]), ":failed": int(item["failed"]["N"])},
            )
            if counted:
                return _attempts(item, counted=True)
        return attempts._replace(counted=False)

    def _count(
        self, alias: Alias, now_ms: int, expression: str, condition: str, values: dict[str, int]
    ) -> tuple[bool, Item]:
        numbers = values | {":one": 1, ":now": now_ms, ":soon": now_ms // 1000 + _ATTEMPTS_S}
        return self._table.update_if(
            alias.text,
            ONLY,
            UpdateExpression=f"{expression}, #last = :now, expires = if_not_exists(forever, :soon)",
            ConditionExpression=condition,
            ExpressionAttributeNames={
                f"#{name}": name
                for name in ("failed", "last", "locked", "wait", "wrong")
                if f"#{name}" in expression + condition + "#last"
            },
            ExpressionAttributeValues={name: {"N": str(number)} for name, number in numbers.items()},
            ReturnValues="ALL_NEW",
        )

    def take_back(self, alias: Alias) -> None:
        """Count a log-in no longer, as it ended without a verdict."""
        self._table.update_if(
            alias.text,
            ONLY,
            UpdateExpression="SET #failed = #failed - :one",
            ConditionExpression="#failed > #wrong OR (attribute_not_exists(#wrong) AND #failed >= :one)",
            ExpressionAttributeNames={"#failed": "failed", "#wrong": "wrong"},
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    def forget_attempts(self, alias: Alias, *, begun: int = 0) -> Write:
        """Forget the failures of an identifier, and its lock; and count sessions that begin by it now."""
        return update(
            alias.text,
            ONLY,
            "SET #failed = :none, #wrong = :none, #wait = :none, #locked = :none ADD #begun :begun",
            ExpressionAttributeNames={
                f"#{name}": name for name in ("failed", "wrong", "wait", "locked", "begun")
            },
            ExpressionAttributeValues={":none": {"N": "0"}, ":begun": {"N": str(begun)}},
        )

    def note_ending(self, alias: Alias, ending: Sequence[str]) -> Write:
        """Note which sessions of a person end for those that begin by an identifier.

        Args:
            alias: The identifier's.
            ending: For each session that may begin before the person's are counted again, the session that
                ends for it; empty for none.
        """
        return update(
            alias.text,
            ONLY,
            "SET #ending = :ending, #begun = :none",
            ExpressionAttributeNames={"#ending": "ending", "#begun": "begun"},
            ExpressionAttributeValues={":ending": {"S": ",".join(ending)}, ":none": {"N": "0"}},
        )

    def note_wrong(self, alias: Alias, *, wait: int | None = None, locked: int | None = None) -> Write:
        """Note that a counted log-in is told that it is wrong.

        Args:
            alias: The identifier's.
            wait: Milliseconds since the epoch until which a log-in is refused; None changes nothing.
            locked: Milliseconds since the epoch until which every log-in fails; the same.
        """
        given = {"wait": wait, "locked": locked}
        values = {name: value for name, value in given.items() if value is not None}
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        return update(
            alias.text,
            ONLY,
            (f"SET {sets} " if sets else "") + "ADD #wrong :one",
            ExpressionAttributeNames={f"#{name}": name for name in ("wrong", *values)},
            ExpressionAttributeValues={
                f":{name}": {"N": str(each)} for name, each in (values | {"one": 1}).items()
            },
        )


def _attempts(item: Item, *, counted: bool) -> Attempts:
    return Attempts(
        user=item["user"]["S"] if "user" in item else None,
        failed=_number(item, "failed"),
        wait_ms=_number(item, "wait"),
        locked_ms=_number(item, "locked"),
        counted=counted,
        ending=tuple(item["ending"]["S"].split(",")[_number(item, "begun") :]) if "ending" in item else (),
    )


def _are_forgotten(item: Item, attempts: Attempts, now_ms: int) -> bool:
    """Whether what was counted before no longer counts, though no success has set it back."""
    if attempts.wait_ms > now_ms:
        return False
    return 0 < attempts.locked_ms <= now_ms or now_ms - _number(item, "last") >= _FORGET_MS


def _are_unended(item: Item, attempts: Attempts, now_ms: int, most: int) -> bool:
    """Whether so many are under way, for so long, that they must have died."""
    waits = attempts.wait_ms > now_ms or attempts.locked_ms
    return not waits and attempts.failed >= most and now_ms - _number(item, "last") > _UNENDED_MS


def _number(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0
