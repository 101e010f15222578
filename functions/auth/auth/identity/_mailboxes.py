"""The mailboxes of a person: where mails about their account go.

A main address that was replaced counts for 30 days more: whoever lost it to somebody else still reads there
what becomes of the account, and can stop it. Each one is a field of its own, `email_previous.<blind
index>.<change>` (`{"address", "at"}`, and `"by_mail"` if its own mailbox approved that), so that two changes
in a row push none out.
"""

from hashlib import sha256
from typing import Any

from ._documents import Document

__all__ = ["known_addresses", "replaced_address"]

_REMEMBERED_S = 30 * 86_400
_CHANGE_DIGITS = 8


def known_addresses(document: Document, main_index: str, now: float) -> dict[str, str]:
    """The addresses of a person by their blind indexes: main, further ones, those of the last 30 days.

    Args:
        document: The person's document.
        main_index: Blind index of the main address; empty if there is none.
        now: Seconds since the epoch.
    """
    found = {
        key.partition(".")[0]: previous["address"]
        for key, previous in document.family("email_previous")
        if now - previous["at"] <= _REMEMBERED_S
    }
    found |= dict(document.family("email_also"))
    return found | ({main_index: document["email"]} if main_index else {})


def replaced_address(
    document: Document, main_index: str, now: float, *, by_mail: bool = False
) -> dict[str, Any]:
    """The edit that remembers the main address, which is about to be replaced; older ones are forgotten.

    Args:
        document: The person's document.
        main_index: Blind index of the address.
        now: Seconds since the epoch.
        by_mail: Whether its own mailbox approved that.
    """
    kept = known_addresses(document, main_index, now)
    names = [key for key, _ in document.family("email_previous") if key.partition(".")[0] not in kept]
    changes: dict[str, Any] = {f"email_previous.{key}": None for key in names}
    if main_index:
        change = sha256(f"{document.latest} {now}".encode()).hexdigest()[:_CHANGE_DIGITS]
        changes[f"email_previous.{main_index}.{change}"] = {"address": document["email"], "at": int(now)} | (
            {"by_mail": True} if by_mail else {}
        )
    return changes
