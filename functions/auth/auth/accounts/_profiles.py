"""What is known of a person: shown and edited."""

from contextlib import ExitStack
from typing import Any

from shared.http import BadRequestError, ConflictError, UnauthorizedError

from ..clients import Client
from ..credentials import mfa
from ..credentials.logins import attempted, limit_of
from ..identity import checked, normalise_email
from ..services import Services
from ..storage import Alias, Once, User
from . import _addresses as addresses
from ._common import again, logged_in, main_alias, phone_index, prove_again, shown

__all__ = ["edit", "profile"]

_REAUTHENTICATION = {"access_token", "current", "totp"}
_CHOICES = {"notify_new_device"}


def profile(services: Services, user_id: str, once: Once) -> dict[str, Any]:
    """What companies may see of a person."""
    services.store.commit(once=once)
    user = services.find(user_id)
    return shown(user, services.open(user))


def edit(
    services: Services, user_id: str, changes: dict[str, Any], client: Client, once: Once
) -> dict[str, Any]:
    """Change a profile: fields of `PROFILE`, `phone` and `email`; None removes one, though not the address.

    `notify_new_device` is whether the person wants a mail at each log-in from a new device; None is no.

    A new phone number counts as unverified. A new address counts once the token of its mail was redeemed, and
    the person approved it: by `access_token`, `current` (the password) and `totp` beside it, or by a mail to
    the present address.

    Raises:
        UnauthorizedError: The person did not show who they are.
        BadRequestError: A field is unknown, too long or malformed.
        ConflictError: The account has no log-in, for which an address could be changed: whoever signed up and
            was never verified signs up again with the right one.
    """
    if not isinstance(changes.get("email", ""), str):
        raise BadRequestError("bad_field", "The address is not a text; it can be changed, and not removed.")
    address = normalise_email(changes["email"]) if "email" in changes else None
    shown_by = {name: value for name, value in changes.items() if name in _REAUTHENTICATION}
    chosen = {name: changes[name] for name in _CHOICES & set(changes)}
    if not all(isinstance(value, bool | None) for value in chosen.values()):
        raise BadRequestError("bad_field", "notify_new_device is true or false.")
    others = {"email", *_REAUTHENTICATION, *_CHOICES}
    changes = checked({name: changes[name] for name in changes if name not in others}) | chosen
    shown_at = again(lambda: _reauthenticated(services, user_id, address, shown_by, client))

    def run() -> dict[str, Any]:
        with ExitStack() as counted:
            return save(counted)

    def save(counted: ExitStack) -> dict[str, Any]:
        user = services.find(user_id)
        document = services.open(user)
        writes = []
        after = user
        if "phone" in changes and changes["phone"] != document["phone"]:
            writes += services.store.aliases.releases(Alias("phone", user.phone_index), user.id)
            changes["phone_verified"] = None
        if address is not None and address != document["email"]:
            _check_active(user)
            # Or a credential was changed meanwhile; and the password of an account whose address was never
            # verified shows no more than who chose it.
            approved = shown_at == user.epoch and bool(document["email_verified"])
            writes += addresses.ask(services, counted, user, document, address, client, approved=approved)
        document.edit(changes, services.now_ms, services.region, anew=True)
        after = user.but(phone_index=phone_index(services, document))
        after, saved = services.close(user, after, document)
        services.store.commit(saved, *writes, services.store.audit.add(user.id, "edit", client.id), once=once)
        return shown(after, document)

    return again(run)


def _check_active(user: User) -> None:
    if user.status == "unverified":
        raise ConflictError("unverified", "The address was never verified; sign up with the right one.")
    if user.status != "active":
        raise ConflictError("not_active", "The account has no log-in.")


def _reauthenticated(
    services: Services, user_id: str, address: str | None, given: dict[str, Any], client: Client
) -> str | None:
    """The account's epoch at which the person showed who they are; None if they did not try to.

    Raises:
        BadRequestError: A part of what shows it is missing or no text, or there is no address.
        UnauthorizedError: It does not show it.
    """
    if not given:
        return None
    if address is None or not {"access_token", "current"} <= set(given):
        raise BadRequestError("incomplete", "access_token and current go together, and with email.")
    if not all(isinstance(value, str) for value in given.values()):
        raise BadRequestError("bad_request", "access_token, current and totp are texts.")
    user, _ = logged_in(services, given["access_token"], client)
    if user.id != services.find(user_id).id:
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    with attempted(services, main_alias(user), limit_of(services, client, user.id)) as attempt:
        code = mfa.Code(given["totp"]) if "totp" in given else None
        proof = prove_again(
            services, attempt, user, given["current"], client, None, code=code, second_factor=True
        )
        services.store.commit(*proof.writes)
    return proof.user.epoch
