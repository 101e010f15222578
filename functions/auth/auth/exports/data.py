"""What an export has."""

from collections.abc import Iterable
from typing import Any

from ..credentials import mfa
from ..identity import Document, recovery_of
from ..services import Records
from ..storage import Alias, AuditEntry, User

__all__ = ["collected"]


def collected(
    records: Records, user: User, document: Document, trail: Iterable[AuditEntry]
) -> dict[str, Any]:
    """Everything that is known of a person, but for hashes and secrets.

    Args:
        records: The records.
        user: The person's record.
        document: Its document.
        trail: Their trail, oldest first.
    """
    store = records.store
    aliases = [Alias("email", user.email_index), Alias("phone", user.phone_index)]
    return {
        "user_id": user.id,
        "status": user.status,
        "ts": user.ts,
        "profile": document.profile(),
        "further_addresses": [address for _, address in document.family("email_also")],
        "pending_address": (document["email_pending"] or {}).get("address"),
        "previous_addresses": [each["address"] for _, each in document.family("email_previous")],
        "second_factor": bool(document["totp"]),
        "recovery_codes_left": mfa.codes_left(document),
        "recovery": _shown_recovery(document),
        "legacy_passwords_of": document.companies_of_hashes(),
        "sessions": [
            {"client": session.client, "began": session.began, "scope": session.scope}
            for session in store.sessions.of_user(user.id)
        ],
        "browser_sessions": [
            {"auth_time": browser.auth_time, "expires": browser.expires}
            for browser in store.browsers.of_user(user.id)
        ],
        "granted": [
            {"client": grant.client, "scopes": list(grant.scopes)}
            for grant in store.grants.of_user(user.id, user.cleaned)
        ],
        "same_identifier": [
            each
            for alias in aliases
            for each in (store.users.sharing(alias) if alias.index else ())
            if each != user.id
        ],
        "trail": [entry._asdict() for entry in trail],
    }


def _shown_recovery(document: Document) -> dict[str, Any] | None:
    recovery = recovery_of(document)
    if recovery is None:
        return None
    shown = recovery._asdict()
    del shown["epoch"]
    return shown
