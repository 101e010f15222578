"""Signing up, and verifying an address."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from shared.http import BadRequestError

from ..clients import Client
from ..credentials import passwords
from ..credentials.logins import attempted, limit_of, prove, unlock
from ..identity import Document, checked, normalise_email
from ..services import Services
from ..storage import Alias, LostRaceError, MailKind, MailToken, Once, User, UserStatus, Write
from . import _mails as mails
from ._addresses import redeem_for_address
from ._common import again, names, phone_index, policy
from ._mails import MailJob
from ._recovery import stop

__all__ = ["sign_up", "verify"]


def sign_up(
    services: Services, email: str, password: str, changes: dict[str, Any], client: Client, once: Once
) -> None:
    """Make an account that counts once its address is verified.

    Nothing tells whether the address is known: if it is, its owner gets a mail that says so, with a way to
    choose a new password. Two who sign up with one address make one account.

    Args:
        services: The services.
        email: The address as it was typed.
        password: The password.
        changes: Fields of the profile, `PROFILE` and `phone`.
        client: By whose server.
        once: The request.

    Raises:
        BadRequestError: The address or a field of the profile is malformed.
        UnprocessableError: The password is too short, too long or breached.
        TooManyRequestsError: The address has had its mails of this hour.
    """
    started = services.now()
    address = normalise_email(email)
    changes = checked(changes)
    passwords.check_new(password, policy(services), second_factor=False, identifiers=names(address, client))
    alias = services.alias("email", address)
    with mails.counted(services, alias.text):
        document = Document()
        known = {"email": address, "secret": passwords.hash_password(password)}
        document.edit(known | {f"company.{client.company}": {}} | changes, services.now_ms, services.region)
        index = phone_index(services, document)
        new = User(str(uuid4()), "unverified", None, alias.index, index, epoch=services.new_epoch())
        new, save = services.close(None, new, document)
        token = MailJob(services, "verify", new, alias.index, client).send()
        claim = services.store.aliases.claim(alias, new.id)
        audit = services.store.audit.add(new.id, "signup", client.id)
        try:
            services.store.commit(save, claim, token, audit, once=once)
        except LostRaceError:
            services.store.commit(*_tell_owner(services, alias, password, client), once=once)
    services.floor(started)


def _tell_owner(services: Services, alias: Alias, password: str, client: Client) -> tuple[Write, Write]:
    """The writes of a mail to whom an address belongs already.

    The very sign-up that made the account, sent again, is answered as it was: by the mail that verifies.
    """
    owner = services.store.aliases.owner(alias)
    user = services.store.users.get(owner) if owner else None
    kind: MailKind = "known" if user else "none"
    if user and user.status == "unverified":
        secret = services.open(user)["secret"]
        kind = "verify" if passwords.verify(password, secret, {}).matched else "known"
    token = MailJob(services, kind, user, alias.index, client).send()
    subject = user.id if user else alias.text
    return token, services.store.audit.add(subject, "signup", client.id, "known")


def verify(
    services: Services, token: str, password: str | None, client: Client, once: Once
) -> dict[str, str]:
    """Redeem a verification token: of a sign-up, of a new address, of the old one that lets it go, or of a
    delayed reset, which it stops.

    Args:
        services: The services.
        token: The token of the mail.
        password: The password of the sign-up that is verified: a mailbox alone does not tell who chose it.
            Who does not know it chooses another one with the same token, by `reset_password`.
        client: By whose server.
        once: The request.

    Returns:
        `user_id`, and `state`: `verified`, `pending` while a new address waits for the other mail, or
        `cancelled`.

    Raises:
        BadRequestError: The token is unknown, expired, for something else, or of an account of which a
            credential was changed since; or the password is missing.
        UnauthorizedError: The password is not that of the sign-up.
        ConflictError: The address became somebody else's meanwhile.
        TooManyRequestsError: Too many passwords were tried.
    """

    def run() -> dict[str, str]:
        found = mails.find_token(services, token, frozenset({"verify", "email", "approve", "recovery"}))
        if found.kind == "recovery":
            return stop(services, found, client, once)
        if found.used:
            return _answer_again(services, found, once)
        user = mails.account_of(services, found)
        if found.kind == "verify":
            return _verify_sign_up(services, user, found, token, password, client, once)
        return redeem_for_address(services, user, found, token, client, once)

    return again(run)


def _answer_again(services: Services, found: MailToken, once: Once) -> dict[str, str]:
    """What a used token led to; that it was pending, and then voided, is no success."""
    user = services.find(found.user)
    is_main = user.email_index == found.email_index
    if found.kind != "verify" and user.epoch == found.epoch:
        state = "pending"
    elif found.kind == "verify" or is_main == (found.kind == "email"):
        state = "verified"
    else:
        raise mails.invalid_token()
    services.store.commit(once=once)
    return {"user_id": user.id, "state": state}


def _verify_sign_up(
    services: Services,
    user: User,
    found: MailToken,
    token: str,
    password: str | None,
    client: Client,
    once: Once,
) -> dict[str, str]:
    # In two regions at once two accounts may come to be with an address, and the mail be of either.
    if user.status not in ("unverified", "conflict") or user.email_index != found.email_index:
        raise mails.invalid_token()
    if password is None:
        raise BadRequestError("password_missing", "The password of the sign-up is needed.")
    alias = Alias("email", user.email_index)
    with attempted(services, alias, limit_of(services, client, user.id)) as attempt:
        if user.status == "conflict":
            attempt = replace(attempt, user=user, document=services.open(user))
            if attempt.document["email_verified"]:
                raise mails.invalid_token()
        proof = prove(services, attempt, password, None, client.id, once, second_factor=False, verifying=True)
        # Whose the address is then, the replication decides.
        status: UserStatus = "active" if user.status == "unverified" else "conflict"
        after = user.but(status=status, epoch=services.new_epoch())
        proof.document.edit({"email_verified": True}, services.now_ms, services.region)
        _, save = services.close(user, after, proof.document)
        redeemed = services.store.mail_tokens.redeem(token)
        audit = services.store.audit.add(user.id, "verify", client.id)
        services.store.commit(save, redeemed, unlock(services, alias), audit, once=once)
    return {"user_id": user.id, "state": "verified"}
