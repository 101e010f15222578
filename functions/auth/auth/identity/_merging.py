"""Whether two documents are of one person, and what one takes over of the other.

What is taken over keeps the time of its edit: somebody may edit the account that stays in another region, not
knowing of the merge, and what is older does not win over that.
"""

from typing import Any

from ._documents import Document, origin_key
from ._fields import PROFILE

__all__ = ["catch_up", "joined_addresses", "shared_identifier", "take_over", "taken_over"]

_FACTOR = {"totp", "recovery_code"}
_FOLLOWED = {*PROFILE, "notify_new_device", "secret", "old_hash"} | _FACTOR
"""Fields, and families of fields, of which the later edit counts in accounts of one person."""


def shared_identifier(one: Document, other: Document) -> str | None:
    """`email` or `phone`: what two people share, verified on both; None if nothing.

    An account whose address nobody has verified may have been made by somebody else to catch its owner: it
    is never merged.
    """
    for kind in ("email", "phone"):
        if one[kind] and one[kind] == other[kind] and one[f"{kind}_verified"] and other[f"{kind}_verified"]:
            return kind
    return None


def joined_addresses(
    document: Document, main: str, other: Document, other_main: str
) -> tuple[str, dict[str, Any], list[str]]:
    """What becomes of the addresses of two accounts of one person.

    A verified address comes before one that nobody has shown to be the person's: whoever has the mailbox of
    an unverified main address could start clean in the account of both.

    Args:
        document: Of the account that stays.
        main: Blind index of its main address; empty if it has none.
        other: Of the account that ends.
        other_main: The same of its main address.

    Returns:
        Blind index of the main address of both, empty for none; the edit of the first document; and the
        indexes of unverified addresses that are let go.
    """
    mains = [(index, each) for index, each in ((main, document), (other_main, other)) if index]
    verified: dict[str, str] = {index: each["email"] for index, each in mains if each["email_verified"]}
    for each in (document, other):
        for index, address in each.family("email_also"):
            verified.setdefault(index, address)
    chosen = next(iter(verified), "") or next((index for index, _ in mains), "")
    addresses = {index: each["email"] for index, each in mains} | verified
    changes: dict[str, Any] = {
        f"email_also.{index}": address for index, address in verified.items() if index != chosen
    }
    changes |= {"email": addresses.get(chosen), "email_verified": chosen in verified}
    if chosen:
        changes[f"email_also.{chosen}"] = None
    lost = dict.fromkeys(index for index, _ in mains if index not in verified and index != chosen)
    return chosen, changes, list(lost)


def take_over(document: Document, other: Document) -> None:
    """Have a document take another over, but for addresses: what it lacks is filled in.

    Removals come along: another region may merge the same two, knowing only of what was there before.

    Args:
        document: Of the account that stays.
        other: Of the account that ends.
    """
    for name, value in taken_over(document, other).items():
        document.take(name, value, other.reading(name) or other.latest)
    for name in other.names() - document.names():
        if name.split(".")[0] in _FOLLOWED and other[name] is None:
            document.take(name, None, other.reading(name))
    for origin in other.known_hashes() - other.old_hashes().keys():
        document.end_hash(origin, other.latest)


def catch_up(document: Document, other: Document) -> None:
    """Have a document take another over of which it may have taken something before: of each field the later
    edit counts, whichever of the two it was made in.

    A second factor follows the other one only if it came from there: it is not changed by whoever has another
    account with the same address, and no code of it.

    Args:
        document: Of the account that stays.
        other: Of the account that ends.
    """
    followed = _FOLLOWED if _have_one_factor(document, other) else _FOLLOWED - _FACTOR
    for name in sorted(other.names()):
        if name.split(".")[0] in followed and other.reading(name) > document.reading(name):
            document.take(name, other[name], other.reading(name))
    take_over(document, other)


def _have_one_factor(document: Document, other: Document) -> bool:
    """Whether the second factors of two documents were enrolled in one account."""
    return any(document[name] is not None and document[name] == other[name] for name in ("factor", "totp"))


def taken_over(document: Document, other: Document) -> dict[str, Any]:
    """The edit by which a document takes another over, but for addresses: what it lacks is filled in.

    Args:
        document: Of the account that stays.
        other: Of the account that ends.
    """
    changes: dict[str, Any] = {
        name: other[name] for name in PROFILE if document[name] is None and other[name] is not None
    }
    changes |= _origins_taken_over(document, other)
    if document["phone"] is None and other["phone"] is not None:
        changes |= {"phone": other["phone"], "phone_verified": other["phone_verified"]}
    if document["secret"] is None and other["secret"] is not None:
        changes["secret"] = other["secret"]
    if document["totp"] is None and other["totp"] is not None:
        # A password of the other one must not open more than it did.
        changes |= {"totp": other["totp"], "factor": other["factor"]}
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
    known = document.known_hashes()
    for key, wrapped in other.old_hashes().items():
        if key not in known:
            changes[f"old_hash.{key}"] = wrapped
    return changes
