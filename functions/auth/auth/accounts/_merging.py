"""Making one account of two: the writes."""

from ..errors import ConflictError
from ..identity import Document, shared_identifier, taken_over
from ..services import Records
from ..storage import User, Write

__all__ = ["merge"]


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
    aliases = [f"E#{index}" for index, _ in other_document.family("email_also")]
    aliases += [f"P#{other.phone_index}"] if other_document["phone_verified"] else []
    moved = [f"E#{other.email_index}"] if other.email_index else []
    if not other_document["email_verified"] and user.email_index:  # nobody showed that it is the person's
        freed, moved = [write for alias in moved for write in records.releases(alias, other.id)], []
    else:
        freed = []
    claims = [
        records.store.claim(alias, user.id, held_by=other.id)
        for alias in (*moved, *aliases)
        if records.store.owner(alias) in (other.id, None)
    ]
    return after, [save, records.store.save(ended.written_in(records.region), other), *claims, *freed]
