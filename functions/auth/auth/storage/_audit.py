"""The audit trail.

===========  ==============================================================
Item         who did what
Key          `pk` = `A#<subject>`, `sk` = `<time, ISO 8601 in UTC>#<eight random hexadecimal digits>`
Attributes   `action` S, `client` S, `outcome` S
TTL          400 days
Written by   whatever changes an account, in the same transaction
===========  ==============================================================

===========  ==============================================================
Item         what was refused in an hour, as often as it was tried
Key          `pk` = `A#<subject>`, `sk` = `<hour, ISO 8601 in UTC>#<action>#<client>#<outcome>`
Attributes   `action` S, `client` S, `outcome` S, `count` N, `first` S, `last` S (times, ISO 8601)
TTL          400 days
Written by   log-ins that are refused: their rows are bounded, whatever strangers try
===========  ==============================================================

The subject is a person's id, the alias of an identifier that is nobody's, or a client.
"""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal, NamedTuple

from ._table import Item, Table, Write, put

__all__ = ["AuditEntry", "AuditTrail", "NoticeKind"]

_KEPT_S = 400 * 86_400
_HOUR = len("2026-11-28T08")

type NoticeKind = Literal[
    "new_password",
    "new_address",
    "factor_on",
    "factor_off",
    "new_recovery_codes",
    "recovery_code_used",
    "locked",
    "merged",
    "recovery_done",
    "recovery_cancelled",
    "new_device",
]
"""What a person is told of by a mail without a token: of an entry of the trail that was written."""


class AuditEntry(NamedTuple):
    """An entry of the trail.

    Attributes:
        at: When; ISO 8601 in UTC.
        action: What was done, `login`.
        client: By whose server.
        outcome: `ok`, or why not.
        times: How often, from then on.
        until: When the last time.
    """

    at: str
    action: str
    client: str
    outcome: str
    times: int
    until: str


class AuditTrail:
    """Reads and writes of the trail."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, subject: str, action: str, client: str, outcome: str = "ok") -> Write:
        """Write an entry that happens now.

        Args:
            subject: The person's id, or the text of an alias that is nobody's.
            action: What was done, `login`.
            client: By whose server.
            outcome: `ok`, or why not.
        """
        item: Item = {
            "action": {"S": action},
            "client": {"S": client},
            "outcome": {"S": outcome},
            "expires": self._expires(),
        }
        return put(_key(subject), f"{self._now()}#{token_hex(4)}", item)

    def count(self, subject: str, action: str, client: str, outcome: str) -> None:
        """Count what is refused now, beside any transaction: many at once must not meet in it.

        Args:
            subject: The person's id, or the text of an alias that is nobody's.
            action: What was refused, `login`.
            client: By whose server.
            outcome: Why.
        """
        now = self._now()
        values = {":now": now, ":action": action, ":client": client, ":outcome": outcome}
        self._table.update(
            _key(subject),
            f"{now[:_HOUR]}#{action}#{client}#{outcome}",
            UpdateExpression=(
                "SET #first = if_not_exists(#first, :now), #last = :now, #action = :action,"
                " #client = :client, #outcome = :outcome, expires = :expires ADD #count :one"
            ),
            ExpressionAttributeNames={
                f"#{name}": name for name in ("first", "last", "action", "client", "outcome", "count")
            },
            ExpressionAttributeValues={
                **{name: {"S": value} for name, value in values.items()},
                ":expires": self._expires(),
                ":one": {"N": "1"},
            },
        )

    def add_of_client(self, client: str, action: str) -> Write:
        """Write an entry of what a client does for itself."""
        return self.add(f"client#{client}", action, client)

    @staticmethod
    def name_of(entry: Write) -> str:
        """The name under which `get` finds an entry once it is written."""
        name: str = entry.request["Item"]["sk"]["S"]
        return name

    def get(self, subject: str, name: str) -> AuditEntry | None:
        """An entry; None if it was not written."""
        item = self._table.get(_key(subject), name)
        return None if item is None else _entry(item)

    def of_subject(self, subject: str, most: int | None = None) -> list[AuditEntry]:
        """The trail of a subject, oldest first; no more entries than are asked for."""
        return [_entry(item) for item in self._table.query(_key(subject), most=most)]

    def _now(self) -> str:
        return datetime.fromtimestamp(self._table.now(), UTC).isoformat(timespec="milliseconds")

    def _expires(self) -> Item:
        return {"N": str(int(self._table.now()) + _KEPT_S)}


def _key(subject: str) -> str:
    return f"A#{subject}"


def _entry(item: Item) -> AuditEntry:
    at = item["first"]["S"] if "first" in item else item["sk"]["S"].partition("#")[0]
    return AuditEntry(
        at,
        item["action"]["S"],
        item["client"]["S"],
        item["outcome"]["S"],
        int(item["count"]["N"]) if "count" in item else 1,
        item["last"]["S"] if "last" in item else at,
    )
