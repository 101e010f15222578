"""Accounts that end: two that become one, and one that is erased."""

from typing import Any

from shared.http import ConflictError, NotFoundError

from ..clients import Client
from ..credentials import legacy, mfa
from ..identity import Document, joined_addresses, shared_identifier
from ..mail_jobs import notify
from ..services import Records, Services, aliases_of
from ..storage import Alias, Once, User, Write
from ._common import again, shown

__all__ = ["erase", "erasure", "merge", "merge_accounts"]

_MOST_IDENTIFIERS = 50
"""Of one account: an erasure frees all in one transaction, and a transaction takes 100 writes
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)."""


def erase(services: Services, user_id: str, client: Client, once: Once) -> None:
    """Forget a person: what stays is a tombstone without data and without keys, for ever.

    The tombstone is a write like any other, so that it reaches every region and beats all that was before.

    Raises:
        NotFoundError: There never was such an account.
    """

    def run() -> None:
        user = services.end_of(user_id)
        if user is None:
            raise NotFoundError("unknown_user", "There is no such account.")
        if user.status == "erased":
            services.store.commit(once=once)
        else:
            audit = services.store.audit.add(user.id, "erase", client.id)
            services.store.commit(*erasure(services, user), audit, once=once)
        # Last: no log-in can be written any more; at a retry too.
        services.store.commit_each(services.store.users.delete_belongings(user.id))

    again(run)


def erasure(records: Records, user: User) -> list[Write]:
    """The writes that make a tombstone of an account, and free its identifiers.

    Raises:
        BusyError: A record from before there were regions has to be opened for it, and KMS does not answer.
    """
    aliases = [Alias.of_text(text) for text in records.claims(user)]
    after = User(
        user.id, "erased", None, ts=records.reading(user.ts), version=user.version,
        merged_into=user.merged_into, epoch=records.new_epoch(), taken=user.taken,
    )  # fmt: skip
    freed = [write for alias in aliases for write in records.store.aliases.releases(alias, user.id)]
    return [records.store.users.save(after.written_in(records.region), user), *freed]


def merge(services: Services, user_id: str, other_id: str, client: Client, once: Once) -> dict[str, Any]:
    """Make one account of two that share an identifier which is verified on both.

    Args:
        services: The services.
        user_id: The account that stays.
        other_id: The account that is taken over; its id leads to the other one from then on.
        client: By whose server.
        once: The request.

    Raises:
        ConflictError: They share nothing, or it is not verified on both.
    """

    def run() -> dict[str, Any]:
        user, other = services.find(user_id), services.find(other_id)
        document = services.open(user)
        if user.id == other.id:
            services.store.commit(once=once)
            after = user
        else:
            after, writes = merge_accounts(services, user, document, other, services.open(other))
            audits = [services.store.audit.add(each, "merge", client.id) for each in (user.id, other.id)]
            notify(services, "merged", after, client.id, audits[0], after.email_index, other.email_index)
            services.store.commit(*writes, *audits, once=once)
        for ended in {other.id, other_id} - {user.id}:  # at a retry too, when the id leads to who stays
            services.store.commit_each(services.store.users.delete_belongings(ended))
        return shown(after, document)

    return again(run)


def merge_accounts(
    records: Records,
    user: User,
    document: Document,
    other: User,
    other_document: Document,
    *,
    late: bool = False,
) -> tuple[User, list[Write]]:
    """The writes that make one account of two; the document is edited.

    Args:
        records: The records.
        user: The account that stays.
        document: Its document.
        other: The account that ends: its data go, its aliases and its id lead to the one that stays.
        other_document: Its document.
        late: Whether they are known to be one person's, by an address that both have shown or by an earlier
            merge, and may have been edited in two regions: then the later edit of each field counts.

    Raises:
        ConflictError: They share nothing that is verified on both, or have too costly hashes or too many
            addresses together.
    """
    if not late and shared_identifier(document, other_document) is None:
        raise ConflictError("not_the_same", "The accounts share no identifier that is verified on both.")
    main = _main_address(records, user, document, {user.id, other.id})
    other_main = _main_address(records, other, other_document, {user.id, other.id})
    known = document.taken(other.id)
    if known is not None and known.same(other_document, "email"):
        other_main = ""  # and what became of it since
    email_index, addresses = joined_addresses(document, main, other_document, other_main)
    document.absorb(user.id, other.id, other_document, records.reading(max(document.latest, other.ts)))
    changes = addresses
    if other_document["phone_verified"] and not document["phone_verified"]:
        changes |= {"phone": other_document["phone"], "phone_verified": True}
    document.edit(changes, records.now_ms, records.region)
    if not late and legacy.total_cost(document.old_hashes().values()) > 1000 * legacy.MAX_COST:
        raise ConflictError(
            "legacy_hashes_too_costly", "The old hashes of both cost too much together; log in to one first."
        )
    after = user.but(
        status="active",
        epoch=records.new_epoch(),
        email_index=email_index,
        phone_index=records.index("phone", document["phone"]) if document["phone"] else "",
    )
    after, save = records.close(user, after, document)
    if not late and len(after.claims) > _MOST_IDENTIFIERS:
        raise ConflictError("too_many_identifiers", f"Both have over {_MOST_IDENTIFIERS} addresses together.")
    ended = User(
        other.id, "merged", None, ts=records.reading(other.ts), version=other.version, merged_into=user.id,
        epoch=records.new_epoch(),
    )  # fmt: skip
    # Such as an address that nobody has shown to be theirs.
    lost = {*records.claims(user), *records.claims(other)} - {*after.claims}
    freed = [
        write
        for alias in map(Alias.of_text, sorted(lost))
        for owner in (user.id, other.id)
        for write in records.store.aliases.releases(alias, owner)
    ]
    claims = [
        records.store.aliases.claim(alias, user.id, held_by=other.id)
        for alias in aliases_of(after, document)
        if records.store.aliases.owner(alias) in (other.id, None)
    ]
    step = records.store.totp_steps.last(other.id) if document["totp"] else -1
    if step > records.store.totp_steps.last(user.id):  # its factor may have come along: the code stays spent
        freed = [*freed, mfa.spend(records.store, user.id, step)]
    return after, [save, records.store.users.save(ended.written_in(records.region), other), *claims, *freed]


def _main_address(records: Records, user: User, document: Document, merging: set[str]) -> str:
    """Blind index of an account's main address; empty, and none in its document, if it is somebody else's.

    An account in `conflict` has an address that another one has too. What is verified is claimed, whoever has
    it now: another region's write may be on its way, and the replication decides whose it is.
    """
    if document["email_verified"]:
        return user.email_index
    alias = Alias("email", user.email_index)
    if user.email_index and records.store.aliases.owner(alias) not in {None, *merging}:
        document.edit({"email": None, "email_verified": None}, records.now_ms, records.region)
        return ""
    return user.email_index
