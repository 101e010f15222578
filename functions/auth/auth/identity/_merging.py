"""Whether two documents are of one person, and what one takes over of the other."""

from typing import Any

from ._documents import Document, origin_key
from ._fields import PROFILE

__all__ = ["shared_identifier", "taken_over"]


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
    changes |= _origins_taken_over(document, other)
    for index, address in other.family("email_also"):
        if document[f"email_also.{index}"] is None:
            changes[f"email_also.{index}"] = address
    for kind in ("email", "phone"):
        if document[kind] is None and other[kind] is not None:
            changes |= {kind: other[kind], f"{kind}_verified": other[f"{kind}_verified"]}
    if document["email"] and other["email"] not in (None, document["email"]) and other["email_verified"]:
        changes[f"email_also.{other_index}"] = other["email"]
    if document["secret"] is None and other["secret"] is not None:
        changes["secret"] = other["secret"]
    if document["totp"] is None and other["totp"] is not None:
        changes["totp"] = other["totp"]  # a password of the other one must not open more than it did
        changes |= {f"recovery_code.{number}": code for number, code in other.family("recovery_code")}
    return changes


def _origins_taken_over(document: Document, other: Document) -> dict[str, Any]:
    """The ids and the hashes in companies' systems that a document lacks, and another has."""
    changes: dict[str, Any] = {
        f"company.{company}": {}
        for company, _ in other.family("company")
        if document[f"company.{company}"] is None
    }
    for company, person in other.origins() - document.origins():
        changes[f"company_id.{origin_key(company, person)}"] = True
    hashes = document.old_hashes()
    for key, wrapped in other.old_hashes().items():
        if key not in hashes:
            changes[f"old_hash.{key}"] = wrapped
    return changes
