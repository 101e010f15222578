"""What the operations on accounts share."""

from collections.abc import Callable
from typing import Any

from shared.http import BusyError, UnauthorizedError

from ..clients import Client
from ..credentials import passwords
from ..identity import Document
from ..services import Services
from ..storage import Alias, LostRaceError, User
from ..tokens import InvalidTokenError

__all__ = [
    "SCOPE",
    "again",
    "aliases_of",
    "further_indexes",
    "logged_in",
    "main_alias",
    "phone_index",
    "policy",
    "shown",
]

SCOPE = "account"
"""The scope of tokens that a company's server gets for a person."""

_TRIES = 4


def again[T](operation: Callable[[], T]) -> T:
    """Run an operation, from its reads on, until it loses no race."""
    for _ in range(_TRIES):
        try:
            return operation()
        except LostRaceError:
            continue
    raise BusyError("busy", "The account is being changed right now; try again in a moment.")


def policy(services: Services) -> passwords.Policy:
    """What a new password must be like."""
    return passwords.Policy(services.settings.password_min, services.settings.password_min_second_factor)


def further_indexes(document: Document) -> list[str]:
    """The blind indexes of a person's further addresses."""
    return [index for index, _ in document.family("email_also")]


def aliases_of(user: User, document: Document) -> list[Alias]:
    """The aliases that are a person's by their record."""
    aliases = [Alias("email", user.email_index)] if user.email_index else []
    aliases += [Alias("phone", user.phone_index)] if document["phone_verified"] else []
    return aliases + [Alias("email", index) for index in further_indexes(document)]


def main_alias(user: User) -> Alias:
    """The alias by which attempts of a person count who is logged in already."""
    return Alias("email", user.email_index) if user.email_index else Alias("phone", user.phone_index)


def phone_index(services: Services, document: Document) -> str:
    return services.index("phone", document["phone"]) if document["phone"] else ""


def logged_in(services: Services, access_token: str, client: Client) -> tuple[User, str]:
    """The person of an access token that the client got at a log-in, and the session."""
    try:
        claims = services.sessions.read(access_token)
    except InvalidTokenError as error:
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.") from error
    user, session = claims["sub"], claims["sid"]
    # Who signs on to an application lets it read, and no more.
    if claims["client_id"] != client.id or claims["scope"] != SCOPE:
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    found = services.find(user)
    if found.status != "active":
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    return found, session


def shown(user: User, document: Document) -> dict[str, Any]:
    """What companies may see of a person."""
    return {"user_id": user.id, "status": user.status, "ts": user.ts, "profile": document.profile()}
