"""Passwords that are forgotten, chosen anew, and changed."""

from uuid import uuid4

from ..clients import Client
from ..credentials import passwords
from ..credentials.logins import prove, unlock
from ..identity import PROFILE, Document, normalise_email
from ..services import Services
from ..storage import Alias, Once
from . import _mails as mails
from ._common import again, aliases_of, further_indexes, logged_in, policy
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
    mails.check_rate(services, alias)
    owner = services.store.aliases.owner(alias)
    job = MailJob(services, "reset" if owner else "none", owner or str(uuid4()), alias.index, client)
    services.store.commit(
        job.write, services.store.audit.add(owner or alias.text, "forgot", client.id), once=once
    )
    job.send()
    services.floor(started)


def reset_password(services: Services, token: str, password: str, client: Client, once: Once) -> None:
    """Redeem a verification token for a new password; all sessions end, and the address is verified.

    Raises:
        BadRequestError: The token is unknown, expired, for something else, or was used for another password.
        UnprocessableError: The password is too short, too long or breached.
    """

    def run() -> None:
        found = mails.find_token(services, token, frozenset({"reset", "known"}))
        user = services.find(found.user)
        document = services.open(user)
        if found.email_index not in (user.email_index, *further_indexes(document)):
            raise mails.invalid_token()
        if found.used:
            if not passwords.verify(password, document["secret"], {}).matched:
                raise mails.invalid_token()
            services.store.commit(once=once)
        else:
            _set_password(services, document, password)
            after = user
            if user.status == "unverified":
                # Whoever signed up with it may have been somebody else: nothing of theirs stays.
                strangers = dict.fromkeys([*PROFILE, "phone", "phone_verified"])
                document.edit(strangers, services.now_ms, services.region)
                after = user.but(status="active", phone_index="")
            document.edit({"email_verified": True}, services.now_ms, services.region)
            _, save = services.close(user, after, document)
            audit = services.store.audit.add(user.id, "reset", client.id)
            unlocked = [unlock(services, alias) for alias in aliases_of(user, document)]
            services.store.commit(save, services.store.mail_tokens.redeem(token), *unlocked, audit, once=once)
        services.store.commit_each(services.sessions.end(user.id))  # at a retry too

    again(run)


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
        alias = Alias("email", user.email_index) if user.email_index else Alias("phone", user.phone_index)
        proof = prove(services, alias, current, None, client.id, once, second_factor=False)
        _set_password(services, proof.document, password)
        _, save = services.close(user, user, proof.document)
        audit = services.store.audit.add(user.id, "change", client.id)
        services.store.commit(save, unlock(services, alias), audit, once=once)
        services.store.commit_each(services.sessions.end(user.id, session))

    again(run)


def _set_password(services: Services, document: Document, password: str) -> None:
    address = document["email"] or ""
    passwords.check_new(
        password,
        policy(services),
        second_factor=bool(document["totp"]),
        identifiers=(address, address.partition("@")[0]),
    )
    replaced = {f"old_hash.{company}": None for company, _ in document.family("old_hash")}
    secret = passwords.hash_password(password)
    document.edit({"secret": secret} | replaced, services.now_ms, services.region)
