"""What two regions know of an account together.

A version vector says which writes a record has seen: region to number of writes. Of two records one has seen
the other, and takes its place; or neither has, and they are joined: of each field the later edit counts (see
`Document.joined`). A join depends on nothing but the two, whichever comes first: both regions come to the
same, however often and in whatever order they are told.

Erasure wins over everything, for ever. An account that was merged stays merged; what was edited of it
meanwhile stays with it, until it is carried to the account that it was merged into.

After Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", 1983 (version vectors), and
Shapiro et al., "Conflict-free Replicated Data Types", 2011 (joins).
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

from ..identity import Document, Kind, joined_epoch
from ..services import claims_of
from ..storage import User, UserStatus

__all__ = ["Known", "Order", "base_status", "joined", "joined_version", "order"]

type Order = Literal["same", "newer", "older", "concurrent"]
"""Whether a version has seen all writes of another one, the other way around, both, or neither."""


class Known(NamedTuple):
    """What a region knows of an account.

    Attributes:
        user: The record.
        document: Its document; None if it has none any more.
    """

    user: User
    document: Document | None


def order(mine: Mapping[str, int], theirs: Mapping[str, int]) -> Order:
    """How two version vectors stand to each other."""
    regions = {*mine, *theirs}
    ahead = any(mine.get(region, 0) > theirs.get(region, 0) for region in regions)
    behind = any(mine.get(region, 0) < theirs.get(region, 0) for region in regions)
    if ahead and behind:
        return "concurrent"
    return "newer" if ahead else "older" if behind else "same"


def base_status(document: Document) -> UserStatus:
    """The status of an account that has its identifiers: one that signed up and was never verified cannot log
    in; an imported one can."""
    verified = (
        document["email_verified"] or document["phone_verified"] or next(document.family("email_also"), None)
    )
    return "active" if verified or document.origins() else "unverified"


def joined(mine: Known, theirs: Known, index: Callable[[Kind, str], str], held: Container[str] = ()) -> Known:
    """What two records of one account say together, neither of which has seen the other.

    The record has no sealed document yet, and may have to be settled: see `Replication`.

    Args:
        mine: What is known of the account here.
        theirs: What is known of it in the other region.
        index: Gives the blind index of an address or a number.
        held: The blind indexes of addresses that were the account's, and are somebody else's by now.
    """
    one, other = mine.user, theirs.user
    later = max(one, other, key=lambda user: (user.ts, user.id, user.merged_into))
    epoch, epoch_version = _joined_epoch(one, other)
    user = User(
        one.id,
        later.status,
        ts=later.ts,
        version=joined_version(one.version, other.version),
        merged_into=later.merged_into or one.merged_into or other.merged_into,
        epoch=epoch,
        epoch_version=epoch_version,
    )
    statuses = {one.status, other.status}
    if "erased" in statuses:  # with what the erasure knew that it had taken over
        taken = frozenset().union(*(each.taken for each in (one, other) if each.status == "erased"))
        return Known(user.but(status="erased", taken=taken, unsettled=True), None)
    epochs = {reset for known in (mine, theirs) if known.document for reset in known.document.resets()}
    documents = [known.document for known in (mine, theirs) if known.document is not None]
    document = documents[0].joined(documents[-1], held) if documents else None
    if document is None:
        return Known(user.but(status="merged", unsettled=True), None)
    if epochs - {*document.resets()}:  # what began under a reset that counts no more ends with it
        user = replace(user, epoch=joined_epoch(epoch_version))
    user = replace(
        user,
        status="merged"
        if "merged" in statuses
        else "active"
        if "active" in statuses
        else base_status(document),
        ts=max(user.ts, document.latest),
        email_index=index("email", document["email"]) if document["email"] else "",
        phone_index=index("phone", document["phone"]) if document["phone"] else "",
        cleaned=document["cleaned"] or "",
        taken=frozenset(document.accounts()),
        unsettled="merged" in statuses or "conflict" in statuses,
    )
    if user.status != "merged":
        user = user.but(claims=claims_of(user, document))
    return Known(user, document)


def joined_version(*versions: Mapping[str, int]) -> dict[str, int]:
    """The version that has seen what others have."""
    regions = sorted({region for version in versions for region in version})
    return {region: max(version.get(region, 0) for version in versions) for region in regions}


def _joined_epoch(one: User, other: User) -> tuple[str, Mapping[str, int]]:
    """The epoch of who changed a credential last; of two who did, one that is neither's."""
    version = joined_version(one.epoch_version, other.epoch_version)
    seen = order(one.epoch_version, other.epoch_version)
    if seen == "newer" or one.epoch == other.epoch:
        return one.epoch, version
    return (other.epoch if seen == "older" else joined_epoch(version)), version
