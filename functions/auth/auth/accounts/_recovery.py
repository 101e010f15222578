"""The delayed reset of who lost the second factor, or the mailbox: by a company that knows the person.

It takes two calls with a day between them, of which every mailbox of the person is told, and in which each of
them can stop it; both calls are of one region, as is the link that stops it. So does a change of any
credential, since the reset carries the account's epoch: who still logs in with everything changes the
password; and a log-in with a code of the factor that is said to be lost.
Nobody resets anything by a mail alone: mails only stop it.
"""

from contextlib import ExitStack, suppress
from typing import Any

from shared.http import BusyError, ConflictError, ForbiddenError

from ..clients import Client
from ..credentials import mfa
from ..credentials.logins import stop_recovery
from ..identity import Document, Recovery, known_addresses, normalise_email, recovery_of
from ..mail_jobs import notify
from ..services import Services
from ..storage import MailToken, Once, User
from . import _addresses as addresses
from . import _mails as mails
from ._common import again
from ._mails import MailJob

__all__ = ["recover", "stop"]

_EVERYBODY = "*"  # the company of the group's own clients


def recover(
    services: Services, user_id: str, email: str | None, client: Client, once: Once, *, second_factor: bool
) -> dict[str, Any]:
    """Ask for a delayed reset, or apply the one that is due.

    The same call again changes nothing until it is due, and answers as first once it is done; a new address
    that is not confirmed yet gets another mail then.

    Args:
        services: The services.
        user_id: The person.
        email: The main address that is to be; None to keep the present one. It counts once the mail to it is
            confirmed.
        client: By whose server.
        once: The request.
        second_factor: Whether the second factor and the recovery codes are to be taken away.

    Returns:
        `state`: `pending`, with `due` in seconds since the epoch, or `done`.

    Raises:
        BadRequestError: The address is malformed.
        ForbiddenError: The person has nothing to do with the client's company.
        ConflictError: Another reset waits, there is nothing to reset, or the account has no log-in.
        TooManyRequestsError: The person has had the mails of this hour.
    """
    address = normalise_email(email) if email is not None else ""

    def run() -> dict[str, Any]:
        user = services.find(user_id)
        document = services.open(user)
        if client.company not in (_EVERYBODY, *document.companies()):
            raise ForbiddenError("not_of_company", "The person is not one of this company.")
        if user.status != "active":
            raise ConflictError("not_active", "The account has no log-in.")
        known = recovery_of(document)
        if known and known.region not in ("", services.region) and known.state == "pending":
            known = None  # it begins anew here
        if known is None or not known.asks_for(second_factor=second_factor, email=address):
            if known and known.is_pending(user.epoch, services.now()):
                raise ConflictError("recovery_pending", "Another reset of the account waits.")
            known = None
        if known and known.state == "done" and known.epoch == user.epoch:
            return _send_again(services, user, document, known, client, once)
        if known is None or not known.is_pending(user.epoch, services.now()):
            due = int(services.now()) + services.settings.recovery_seconds
            wanted = Recovery("pending", second_factor, address, due, user.epoch, services.region)
            return _begin(services, user, document, wanted, client, once)
        if services.now() < known.due:
            services.store.commit(once=once)
            return {"state": "pending", "due": known.due}
        return _apply(services, user, document, known, client, once)

    return again(run)


def _begin(
    services: Services, user: User, document: Document, wanted: Recovery, client: Client, once: Once
) -> dict[str, Any]:
    changes_factor = wanted.second_factor and document["totp"]
    if not changes_factor and wanted.email in ("", document["email"]):
        raise ConflictError("nothing_to_recover", "There is no second factor, and no other address.")
    known = known_addresses(document, user.email_index, services.now())
    if not known:
        raise ConflictError("no_mailbox", "The account has no address, so that nobody would be told.")
    document.edit({"recovery": wanted._asdict()}, services.now_ms, services.region)
    _, save = services.close(user, user, document)
    with mails.counted(services, user.id, "recovery"):
        tokens = [MailJob(services, "recovery", user, index, client).send() for index in known]
        audit = services.store.audit.add(user.id, "recovery_asked", client.id)
        services.store.commit(save, *tokens, audit, once=once)
    return {"state": "pending", "due": wanted.due}


def _apply(
    services: Services, user: User, document: Document, known: Recovery, client: Client, once: Once
) -> dict[str, Any]:
    after = user.but(epoch=services.new_epoch())
    done = known._replace(state="done", epoch=after.epoch)
    by = {"epoch": after.epoch, "asked": document.reading("recovery")}
    changes = {"recovery": done._asdict(), "reset": by} | (
        mfa.disable(document) if known.second_factor else {}
    )
    document.edit(changes, services.now_ms, services.region)
    tokens = []
    with ExitStack() as counted:
        if known.email not in ("", document["email"]):
            tokens = addresses.ask(services, counted, after, document, known.email, client, approved=True)
        _, save = services.close(user, after, document)
        audit = services.store.audit.add(user.id, "recovery_done", client.id)
        told = known_addresses(document, user.email_index, services.now())
        notify(services, "recovery_done", after, client.id, audit, *told)
        services.store.commit(save, *tokens, audit, once=once)
    with suppress(BusyError):  # dead by their epoch already
        services.store.commit_each(services.sessions.end(user.id))
    return {"state": "done"}


def _send_again(
    services: Services, user: User, document: Document, known: Recovery, client: Client, once: Once
) -> dict[str, Any]:
    tokens, save = [], None
    with ExitStack() as counted:
        if known.email not in ("", document["email"]):
            tokens = addresses.ask(services, counted, user, document, known.email, client, approved=True)
            _, save = services.close(user, user, document)
        services.store.commit(save, *tokens, once=once)
    return {"state": "done"}


def stop(services: Services, found: MailToken, client: Client, once: Once) -> dict[str, str]:
    """Stop the delayed reset that a person's mailbox was told of; with the same token as often as asked.

    Raises:
        BadRequestError: A credential was changed since, by the reset itself too.
    """
    user = mails.account_of(services, found)
    document = services.open(user)
    changes, entries = stop_recovery(services, user, document, client.id)
    save = None
    if changes:
        document.edit(changes, services.now_ms, services.region)
        _, save = services.close(user, user, document)
    services.store.commit(save, *entries, once=once)
    return {"user_id": user.id, "state": "cancelled"}
