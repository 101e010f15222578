"""Whether two accounts are of one person, and what becomes of their addresses."""

from typing import Any

from ._documents import Document

__all__ = ["joined_addresses", "shared_identifier"]


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
) -> tuple[str, dict[str, Any]]:
    """What becomes of the addresses of two accounts of one person.

    A verified address comes before one that nobody has shown to be the person's: whoever has the mailbox of
    an unverified main address could start clean in the account of both.

    Args:
        document: Of the account that stays.
        main: Blind index of its main address; empty if it has none.
        other: Of the account that ends.
        other_main: The same of its main address.

    Returns:
        Blind index of the main address of both, empty for none; and the edit of the first document.
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
    return chosen, changes
