"""What the operations on accounts share."""

from collections.abc import Callable
from typing import Any

from shared.http import BusyError, UnauthorizedError

from ..clients import Client
from ..credentials import mfa, passwords
from ..credentials.logins import Attempt, Proof, prove
from ..identity import Document
from ..services import Services
from ..storage import Alias, LostRaceError, Once, User
from ..tokens import ACCOUNT, InvalidTokenError

__all__ = [
    "again",
    "logged_in",
    "main_alias",
    "names",
    "phone_index",
    "policy",
    "prove_again",
    "shown",
]


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


def names(address: str, client: Client) -> tuple[str, ...]:
    """What a new password may not be made of: the person's address, and the company's names."""
    title = client.title
    return (address, address.partition("@")[0], client.id, client.company, title, title.replace(" ", ""))


def main_alias(user: User) -> Alias:
    """The alias by which attempts of a person count who is logged in already."""
    return Alias("email", user.email_index) if user.email_index else Alias("phone", user.phone_index)


def prove_again(
    services: Services,
    attempt: Attempt,
    user: User,
    password: str,
    client: Client,
    once: Once | None,
    *,
    code: mfa.Code | None = None,
    second_factor: bool = False,
) -> Proof:
    """Prove that who is logged in is the person; for the other arguments see `logins.prove`.

    Args:
        services: The services.
        attempt: The log-in, from `attempted` with `main_alias`.
        user: Who is logged in.
        password: Their password.
        client: By whose server.
        once: The request; None if another write has it.
        code: A code of the second factor.
        second_factor: Whether a code is needed where there is a second factor.

    Raises:
        UnauthorizedError: It is not shown.
    """
    proof = prove(services, attempt, password, code, client.id, once, second_factor=second_factor)
    if proof.user.id != user.id:  # the address is another's, who has the account of a merged one
        raise UnauthorizedError("invalid_credentials", "The name or the password is wrong.")
    return proof


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
    if claims["client_id"] != client.id or claims["scope"] != ACCOUNT:
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    found = services.find(user)
    if found.status != "active":
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    return found, session


def shown(user: User, document: Document) -> dict[str, Any]:
    """What companies may see of a person."""
    return {"user_id": user.id, "status": user.status, "ts": user.ts, "profile": document.profile()}
