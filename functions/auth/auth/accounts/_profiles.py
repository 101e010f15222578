"""What is known of a person: shown, edited, exported."""

from typing import Any

from shared.http import BadRequestError

from ..clients import Client
from ..identity import checked, normalise_email
from ..services import Services
from ..storage import Alias, Once
from . import _mails as mails
from ._common import again, phone_index, shown
from ._mails import MailJob

__all__ = ["edit", "export", "profile"]


def profile(services: Services, user_id: str, once: Once) -> dict[str, Any]:
    """What companies may see of a person."""
    services.store.commit(once=once)
    user = services.find(user_id)
    return shown(user, services.open(user))


def edit(
    services: Services, user_id: str, changes: dict[str, Any], client: Client, once: Once
) -> dict[str, Any]:
    """Change a profile: fields of `PROFILE`, `phone` and `email`; None removes one, though not the address.

    A new phone number counts as unverified. A new address counts once the token of its mail was redeemed.

    Raises:
        BadRequestError: A field is unknown, too long or malformed.
        ConflictError: The address belongs to another account.
    """
    if not isinstance(changes.get("email", ""), str):
        raise BadRequestError("bad_field", "The address is not a text; it can be changed, and not removed.")
    address = normalise_email(changes["email"]) if "email" in changes else None
    changes = checked({name: value for name, value in changes.items() if name != "email"})

    def run() -> dict[str, Any]:
        user = services.find(user_id)
        document = services.open(user)
        writes = []
        after = user
        if "phone" in changes and changes["phone"] != document["phone"]:
            writes += services.store.aliases.releases(Alias("phone", user.phone_index), user.id)
            changes["phone_verified"] = None
        job = None
        if address is not None and address != document["email"]:
            alias = services.alias("email", address)
            mails.check_rate(services, alias)
            changes["email_pending"] = address
            job = MailJob(services, "email", user.id, alias.index, client)
            writes.append(job.write)
        document.edit(
            {f"company.{client.company}": document[f"company.{client.company}"] or {}} | changes,
            services.now_ms,
            services.region,
        )
        after = user.but(phone_index=phone_index(services, document))
        after, save = services.close(user, after, document)
        services.store.commit(save, *writes, services.store.audit.add(user.id, "edit", client.id), once=once)
        if job is not None:
            job.send()
        return shown(after, document)

    return again(run)


def export(services: Services, user_id: str, client: Client, once: Once) -> dict[str, Any]:
    """Everything that is known of a person, but for what proves who they are (hashes, secrets)."""
    user = services.find(user_id)
    document = services.open(user)
    services.store.commit(services.store.audit.add(user.id, "export", client.id), once=once)
    return {
        **shown(user, document),
        "further_addresses": [address for _, address in document.family("email_also")],
        "pending_address": document["email_pending"],
        "second_factor": bool(document["totp"]),
        "legacy_passwords_of": [company for company, _ in document.family("old_hash")],
        "sessions": [
            {"client": session.client, "began": session.began, "scope": session.scope}
            for session in services.store.sessions.of_user(user.id)
        ],
        "granted": [
            {"client": grant.client, "scopes": list(grant.scopes)}
            for grant in services.store.grants.of_user(user.id)
        ],
        "same_identifier": [
            each
            for alias in (Alias("email", user.email_index), Alias("phone", user.phone_index))
            for each in (services.store.users.sharing(alias) if alias.index else ())
            if each != user.id
        ],
        "trail": [entry._asdict() for entry in services.store.audit.of_subject(user.id)],
    }
