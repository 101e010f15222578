"""A new main address: asked for, approved by the person, confirmed by its mailbox, and made theirs.

A pending address lies in the document: `{"address", "index" (its blind index), "epoch", "approved",
"confirmed", "by_mail"}`. It becomes the main one once its mailbox has confirmed it and the person has
approved it: by showing who they are when it is asked for, or by the mail to the present address. A company
alone cannot change whose an account is.
"""

from contextlib import ExitStack
from typing import Any

from shared.http import ConflictError

from ..clients import Client
from ..identity import Document, replaced_address
from ..mail_jobs import notify
from ..services import Services
from ..storage import Alias, MailToken, Once, User, Write
from . import _mails as mails
from ._mails import MailJob

__all__ = ["ask", "redeem_for_address"]


def ask(
    services: Services,
    counted: ExitStack,
    user: User,
    document: Document,
    address: str,
    client: Client,
    *,
    approved: bool,
) -> list[Write]:
    """Begin a change of the main address; the document is edited, and the mails are in the queue.

    What was approved or confirmed of the very change stays so.

    Args:
        services: The services.
        counted: Within which the writes are committed: mails of which an outage leaves nothing do not count.
        user: The record.
        document: Its document.
        address: The new address, in canonical form.
        client: The company in whose name.
        approved: Whether the person has shown who they are.

    Returns:
        The writes of the mails' tokens.

    Raises:
        TooManyRequestsError: One of the addresses has had its mails of this hour.
        BusyError: The queue does not take the mails.
    """
    alias = services.alias("email", address)
    counted.enter_context(mails.counted(services, alias.text))
    pending: dict[str, Any] = {"address": address, "index": alias.index, "epoch": user.epoch}
    before = document["email_pending"]
    if not isinstance(before, dict) or before | pending != before:
        before = {"approved": False, "confirmed": False}
    approved = approved or before["approved"]
    pending |= {"approved": approved, "confirmed": before["confirmed"]}
    document.edit({"email_pending": pending}, services.now_ms, services.region)
    writes = [MailJob(services, "email", user, alias.index, client).send()]
    if not approved and user.email_index:
        counted.enter_context(mails.counted(services, user.id, "approve"))
        writes.append(MailJob(services, "approve", user, user.email_index, client, about=alias.index).send())
    return writes


def redeem_for_address(
    services: Services, user: User, found: MailToken, token: str, client: Client, once: Once
) -> dict[str, str]:
    """Redeem the token of the new address, or that of the old one; with the second of the two it counts.

    Raises:
        BadRequestError: The change is pending no more, or the token is of another address.
        ConflictError: The address is verified as somebody else's.
    """
    document = services.open(user)
    pending = document["email_pending"]
    index = pending["index"] if isinstance(pending, dict) else ""
    let_in = found.about if found.kind == "approve" else found.email_index
    if not index or pending["epoch"] != user.epoch or let_in != index:
        raise mails.invalid_token()
    pending = pending | (
        {"approved": True, "by_mail": True} if found.kind == "approve" else {"confirmed": True}
    )
    after, writes, state = user, list[Write](), "pending"
    changes: dict[str, Any] = {"email_pending": pending}
    audit = services.store.audit.add(user.id, found.kind, client.id)
    if pending["approved"] and pending["confirmed"]:
        writes = _claim(services, user, Alias("email", index))
        after, state = user.but(email_index=index, epoch=services.new_epoch()), "verified"
        changes = {
            "email": pending["address"],
            "email_verified": True,
            "email_pending": None,
            f"email_also.{index}": None,
        } | replaced_address(document, user.email_index, services.now(), by_mail="by_mail" in pending)
        notify(services, "new_address", after, client.id, audit, index, user.email_index)
    document.edit(changes, services.now_ms, services.region)
    _, save = services.close(user, after, document)
    services.store.commit(save, services.store.mail_tokens.redeem(token), audit, *writes, once=once)
    return {"user_id": user.id, "state": state}


def _claim(services: Services, user: User, alias: Alias) -> list[Write]:
    """The writes that make a confirmed address a person's, and free the one that they had.

    Who has it unverified loses it, and every way in that hangs on it: nobody ever showed that it is theirs.
    """
    aliases, holder = services.store.aliases, services.store.aliases.owner(alias)
    writes = [aliases.claim(alias, user.id, held_by=holder)]
    if holder not in (None, user.id):
        writes += _demote(services, services.find(holder), alias)
    if user.email_index not in ("", alias.index):
        writes += aliases.releases(Alias("email", user.email_index), user.id)
    return writes


def _demote(services: Services, loser: User, alias: Alias) -> list[Write]:
    document = services.open(loser)
    if document["email_verified"] or loser.email_index != alias.index:
        raise ConflictError("address_taken", "The address belongs to another account.")
    _, save = services.close(loser, services.without_address(loser, document), document)
    return [save, services.store.audit.add(loser.id, "demote", "")]
