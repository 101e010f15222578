"""Making one account of two: when that is allowed, and what becomes of both."""

from typing import Any

from .documents import PROFILE, Document
from .errors import ConflictError
from .services import Records
from .store import User, Write

__all__ = ["merge", "shared_identifier", "taken_over"]

_FAMILIES = ("company", "old_hash", "email_also")


def shared_identifier(one: Document, other: Document) -> str | None:
    """`email` or `phone`: what two people share, verified on both; None if nothing.

    An account whose address nobody has verified may have been made by somebody else to catch its owner: it
    is never merged.
    """
    for kind in ("email", "phone"):
        if one[kind] and one[kind] == other[kind] and one[f"{kind}_verified"] and other[f"{kind}_verified"]:
            return kind
    return None


def taken_over(document: Document, other: Document, other_index: str) -> dict[str, Any]:
    """The edit by which a document takes another over: what it has stays, what it lacks is filled in.

    Args:
        document: Of the account that stays.
        other: Of the account that ends.
        other_index: Blind index of its main address; empty if it has none.
    """
    changes: dict[str, Any] = {
        name: other[name] for name in PROFILE if document[name] is None and other[name] is not None
    }
    for prefix in _FAMILIES:
        for key, value in other.family(prefix):
            if document[f"{prefix}.{key}"] is None:
                changes[f"{prefix}.{key}"] = value
    for kind in ("email", "phone"):
        if document[kind] is None and other[kind] is not None:
            changes |= {kind: other[kind], f"{kind}_verified": other[f"{kind}_verified"]}
    if document["email"] and other["email"] not in (None, document["email"]) and other["email_verified"]:
        changes[f"email_also.{other_index}"] = other["email"]
    if document["secret"] is None and other["secret"] is not None:
        changes["secret"] = other["secret"]
    return changes


def merge(
    records: Records, user: User, document: Document, other: User, other_document: Document
) -> tuple[User, list[Write]]:
    """The writes that make one account of two; the document is edited.

    Args:
        records: The records.
        user: The account that stays.
        document: Its document.
        other: The account that ends: its data go, its aliases and its id lead to the one that stays.
        other_document: Its document.

    Raises:
        ConflictError: They share nothing that is verified on both.
    """
    if shared_identifier(document, other_document) is None:
        raise ConflictError("not_the_same", "The accounts share no identifier that is verified on both.")
    document.edit(taken_over(document, other_document, other.email_index), records.now_ms, records.region)
    email_index = user.email_index or other.email_index
    after = user.but(
        status="active",
        email_index=email_index,
        phone_index=records.index("phone", document["phone"]) if document["phone"] else "",
    )
    after, save = records.close(user, after, document)
    ended = User(
        other.id, "merged", None, ts=records.reading(other.ts), version=other.version, merged_into=user.id
    )
    aliases = [f"E#{other.email_index}"] if other.email_index else []
    aliases += [f"E#{index}" for index, _ in other_document.family("email_also")]
    aliases += [f"P#{other.phone_index}"] if other_document["phone_verified"] else []
    moved = [
        records.store.claim(alias, user.id, held_by=other.id)
        for alias in aliases
        if records.store.owner(alias) in (other.id, None)
    ]
    return after, [save, records.store.save(ended.written_in(records.region), other), *moved]
