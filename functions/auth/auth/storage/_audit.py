"""The audit trail.

===========  ==============================================================
Item         who did what
Key          `pk` = `A#<subject>`, `sk` = `<time, ISO 8601 in UTC>#<eight random hexadecimal digits>`
Attributes   `action` S, `client` S, `outcome` S
TTL          400 days
Written by   whatever changes an account, in the same transaction
===========  ==============================================================

The subject is a person's id, the alias of an identifier that is nobody's, or a client.
"""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal, NamedTuple

from ._table import Item, Table, Write, put

__all__ = ["AuditEntry", "AuditTrail", "NoticeKind"]

_KEPT_S = 400 * 86_400

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
    """

    at: str
    action: str
    client: str
    outcome: str


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
        now = self._table.now()
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        item: Item = {
            "action": {"S": action},
            "client": {"S": client},
            "outcome": {"S": outcome},
            "expires": {"N": str(int(now) + _KEPT_S)},
        }
        return put(_key(subject), f"{at}#{token_hex(4)}", item)

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

    def of_subject(self, subject: str) -> list[AuditEntry]:
        """The trail of a subject, oldest first."""
        return [_entry(item) for item in self._table.query(_key(subject))]


def _key(subject: str) -> str:
    return f"A#{subject}"


def _entry(item: Item) -> AuditEntry:
    return AuditEntry(
        item["sk"]["S"].partition("#")[0],
        item["action"]["S"],
        item["client"]["S"],
        item["outcome"]["S"],
    )
