"""Signing up, and verifying an address."""

from typing import Any
from uuid import uuid4

from shared.http import ConflictError

from ..clients import Client
from ..credentials import passwords
from ..identity import Document, checked, normalise_email
from ..services import Services
from ..storage import Alias, LostRaceError, Once, User, Write
from . import _mails as mails
from ._common import again, phone_index, policy
from ._mails import MailJob

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
    local_part = address.partition("@")[0]
    passwords.check_new(password, policy(services), second_factor=False, identifiers=(address, local_part))
    alias = services.alias("email", address)
    mails.check_rate(services, alias)
    document = Document()
    known = {"email": address, "secret": passwords.hash_password(password), f"company.{client.company}": {}}
    document.edit(known | changes, services.now_ms, services.region)
    new = User(str(uuid4()), "unverified", None, alias.index, phone_index(services, document))
    new, save = services.close(None, new, document)
    job = MailJob(services, "verify", new.id, alias.index, client)
    try:
        services.store.commit(
            save,
            services.store.aliases.claim(alias, new.id),
            job.write,
            services.store.audit.add(new.id, "signup", client.id),
            once=once,
        )
    except LostRaceError:
        owner = services.store.aliases.owner(alias)
        job = MailJob(services, "known" if owner else "none", owner or new.id, alias.index, client)
        services.store.commit(
            job.write, services.store.audit.add(owner or alias.text, "signup", client.id, "known"), once=once
        )
    job.send()
    services.floor(started)


def verify(services: Services, token: str, client: Client, once: Once) -> str:
    """Redeem a verification token: the address is the person's; returns whose.

    Raises:
        BadRequestError: The token is unknown, expired or for something else.
        ConflictError: The address became somebody else's meanwhile.
    """

    def run() -> str:
        found = mails.find_token(services, token, frozenset({"verify", "email"}))
        user = services.find(found.user)
        if found.used:
            services.store.commit(once=once)
            return user.id
        document = services.open(user)
        writes = []
        after = user
        if found.kind == "email":
            writes = _change_address(services, user, document, found.email_index)
            after = user.but(email_index=found.email_index)
        elif user.email_index != found.email_index:
            raise mails.invalid_token()
        document.edit({"email_verified": True}, services.now_ms, services.region)
        if after.status == "unverified":
            after = after.but(status="active")
        _, save = services.close(user, after, document)
        audit = services.store.audit.add(user.id, "verify", client.id)
        services.store.commit(save, services.store.mail_tokens.redeem(token), audit, *writes, once=once)
        return user.id

    return again(run)


def _change_address(services: Services, user: User, document: Document, index: str) -> list[Write]:
    """Make the pending address the person's; the document is edited."""
    address = document["email_pending"]
    alias = Alias("email", services.index("email", address) if address else "")
    if alias.index != index:
        raise mails.invalid_token()
    if services.store.aliases.owner(alias) not in (None, user.id):
        raise ConflictError("address_taken", "The address belongs to another account.")
    writes = [services.store.aliases.claim(alias, user.id)]
    if user.email_index != alias.index:
        writes += services.store.aliases.releases(Alias("email", user.email_index), user.id)
    document.edit({"email": address, "email_pending": None}, services.now_ms, services.region)
    return writes
