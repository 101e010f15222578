"""Passwords that are forgotten, chosen anew, and changed."""

from contextlib import suppress
from typing import Any

from shared.http import BusyError

from ..clients import Client
from ..credentials import mfa, passwords
from ..credentials.logins import attempted, limit_of, unlock
from ..identity import PROFILE, Document, normalise_email
from ..mail_jobs import notify
from ..services import Services, aliases_of
from ..storage import Alias, Once, User, Write
from . import _mails as mails
from ._common import again, logged_in, main_alias, names, policy, prove_again
from ._mails import MailJob

__all__ = ["change_password", "forgot_password", "reset_password"]


def forgot_password(services: Services, email: str, client: Client, once: Once) -> None:
    """Send a mail with which a new password can be chosen; nothing tells whether the address is known.

    Raises:
        BadRequestError: The address is malformed.
        TooManyRequestsError: It has had its mails of this hour.
    """
    started = services.now()
    alias = services.alias("email", normalise_email(email))
    with mails.counted(services, alias.text):
        owner = services.store.aliases.owner(alias)
        user = services.store.users.get(owner) if owner else None
        job = MailJob(services, "reset" if user else "none", user, alias.index, client)
        audit = services.store.audit.add(user.id if user else alias.text, "forgot", client.id)
        services.store.commit(job.send(), audit, once=once)
    services.floor(started)


def reset_password(services: Services, token: str, password: str, client: Client, once: Once) -> None:
    """Redeem a verification token for a new password; all sessions end, and the address is verified.

    Whoever set up an account whose address was never verified may have been somebody else: of what they left
    nothing stays, be it a profile, a second factor or a session.

    Raises:
        BadRequestError: The token is unknown, expired, used, for something else, or of an account of which a
            credential was changed since.
        UnprocessableError: The password is too short, too long or breached.
    """

    def run() -> None:
        found = mails.find_token(services, token, frozenset({"reset", "known", "verify"}))
        if found.used:
            raise mails.invalid_token()
        user = mails.account_of(services, found)
        document = services.open(user)
        further = dict(document.family("email_also"))
        if found.email_index not in (user.email_index, *further):
            raise mails.invalid_token()
        after = user.but(status="active", epoch=services.new_epoch())
        released: list[Write] = []
        # A further address was verified when it came, and says nothing about the main one.
        is_new = not document["email_verified"] and found.email_index == user.email_index
        if is_new and further:
            raise mails.invalid_token()  # a verified address is the person's, and not this one
        address = document["email"] if found.email_index == user.email_index else further[found.email_index]
        by = {"epoch": after.epoch, "address": address, "index": found.email_index}
        # Before all that follows from it: see `Document`.
        shown: dict[str, Any] = {"reset": by}
        if is_new:
            shown |= {"email_verified": True, "cleaned": after.epoch}
        document.edit(shown, services.now_ms, services.region)
        if is_new:
            after, released = _start_clean(services, after, document)
        # But for those that are released: a transaction has each item once.
        unlocked = [unlock(services, alias) for alias in aliases_of(after, document)]
        _set_password(services, document, password, client)
        _, save = services.close(user, after, document)
        audit = services.store.audit.add(user.id, "reset", client.id)
        notify(services, "new_password", after, client.id, audit)
        redeemed = services.store.mail_tokens.redeem(token)
        services.store.commit(save, redeemed, *unlocked, *released, audit, once=once)
        with suppress(BusyError):  # sessions are dead by their epoch already, and expire
            services.store.commit_each(
                services.store.users.delete_belongings(user.id) if is_new else services.sessions.end(user.id)
            )

    again(run)


def _start_clean(services: Services, user: User, document: Document) -> tuple[User, list[Write]]:
    """Take away what was set up before anybody verified the address; the document is edited.

    What was granted to applications goes at once, as no epoch ends it; it is asked for again.

    Returns:
        The record without a phone number, and the writes that free the number.
    """
    left = [*PROFILE, "notify_new_device", "phone", "phone_verified", "email_pending", "recovery"]
    left += [f"email_previous.{index}" for index, _ in document.family("email_previous")]
    document.edit(dict.fromkeys(left) | mfa.disable(document), services.now_ms, services.region)
    services.store.commit_each(services.store.users.delete_belongings(user.id))
    released = services.store.aliases.releases(Alias("phone", user.phone_index), user.id)
    return user.but(phone_index=""), released


def change_password(
    services: Services, access_token: str, current: str, password: str, client: Client, once: Once
) -> None:
    """Replace the password of who is logged in; the other sessions end.

    Raises:
        UnauthorizedError: The token is not good, or the current password is wrong.
        UnprocessableError: The new password is too short, too long or breached.
    """

    def run() -> None:
        user, session = logged_in(services, access_token, client)
        with attempted(services, main_alias(user), limit_of(services, client, user.id)) as attempt:
            proof = prove_again(services, attempt, user, current, client, once)
            _set_password(services, proof.document, password, client)
            after = user.but(epoch=services.new_epoch())
            moved = services.store.sessions.move(user.id, session, after.epoch)
            _, save = services.close(user, after, proof.document)
            audit = services.store.audit.add(user.id, "change", client.id)
            notify(services, "new_password", after, client.id, audit)
            # A password alone sets back no count of the codes that were tried beside it.
            guarded = bool(proof.document["totp"])
            unlocked = None if guarded else unlock(services, attempt.alias)
            services.store.commit(save, unlocked, moved, audit, once=once)
        with suppress(BusyError):  # dead by their epoch already
            services.store.commit_each(services.sessions.end(user.id, session))
            if guarded:
                services.store.aliases.take_back(attempt.alias)

    again(run)


def _set_password(services: Services, document: Document, password: str, client: Client) -> None:
    passwords.check_new(
        password,
        policy(services),
        second_factor=bool(document["totp"]),
        identifiers=names(document["email"] or "", client),
    )
    replaced = {f"old_hash.{company}": None for company, _ in document.family("old_hash")}
    secret = passwords.hash_password(password)
    document.edit({"secret": secret} | replaced, services.now_ms, services.region)
