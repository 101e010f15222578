"""Logging in, and the second factor of who is logged in."""

from typing import Any

from shared.http import BadRequestError, TooManyRequestsError

from ..clients import Client
from ..credentials import mfa
from ..credentials.logins import attempted, limit_of, prove
from ..identity import Kind, normalise_email, normalise_phone
from ..services import Services
from ..storage import Alias, Once
from ._common import SCOPE, again, logged_in

__all__ = ["log_in", "second_factor"]

_CODES, _CODES_S = 5, 300  # that can be tried to confirm or end a second factor


def log_in(
    services: Services,
    kind: Kind,
    identifier: str,
    password: str,
    code: str | None,
    visitor: str | None,
    client: Client,
    once: Once,
) -> dict[str, Any]:
    """Tokens for somebody who knows a password; see `logins.prove` for what is refused, and how.

    Args:
        services: The services.
        kind: email or phone.
        identifier: The address or the number, as it was typed.
        password: The password.
        code: A code of the second factor, or None.
        visitor: By what the client tells its visitors apart, such as a network address: failures count for
            it then, and not for the client; None for nothing.
        client: Who gets the tokens.
        once: The request.
    """
    alias = _find_alias(services, kind, identifier)
    limit = limit_of(services, client, visitor)

    def run() -> dict[str, Any]:
        with attempted(services, alias, limit) as attempt:
            proof = prove(services, attempt, password, code, client.id, once)
            _, began, answer = services.sessions.begin(proof.user, client, SCOPE, int(services.now()))
            audit = services.store.audit.add(proof.user.id, "login", client.id)
            services.store.commit(*proof.writes, began, audit, once=once)
        return answer | {"user_id": proof.user.id}

    return again(run)


def _find_alias(services: Services, kind: Kind, identifier: str) -> Alias:
    normalised = normalise_email(identifier) if kind == "email" else normalise_phone(identifier)
    return services.alias(kind, normalised)


def second_factor(
    services: Services, access_token: str, action: str, code: str | None, client: Client, once: Once
) -> dict[str, str]:
    """Begin, confirm or end the second factor of who is logged in; their other sessions end with a change.

    Args:
        services: The services.
        access_token: The person's token.
        action: enrol, confirm or disable.
        code: A code of the new secret to confirm, of the present one to disable.
        client: By whose server.
        once: The request.

    Returns:
        For `enrol` the secret and its `otpauth://` address; else the state, `enabled` or `disabled`.

    Raises:
        UnauthorizedError: The token is not good.
        BadRequestError: The code is wrong, or the action unknown.
        ConflictError: There is a second factor already, or none was begun.
        TooManyRequestsError: Five codes were tried in five minutes.
    """

    def run() -> dict[str, str]:
        user, session = logged_in(services, access_token, client)
        if action != "enrol" and services.store.counters.add("totp", user.id, _CODES_S) > _CODES:
            raise TooManyRequestsError("too_many_attempts", "Too many codes; try again later.", _CODES_S)
        document = services.open(user)
        redeemed = None
        if action == "enrol":
            changes, answer = mfa.enrol(user, document, document["email"] or user.id, client.title)
        elif action == "confirm":
            changes, redeemed = mfa.confirm(services, user, document, code or "")
            answer = {"state": "enabled"}
        elif action == "disable":
            if document["totp"]:
                redeemed = mfa.redeem(services, user, document["totp"], code or "")
                if redeemed is None:
                    raise BadRequestError("wrong_code", "The code is wrong, or was used before.")
            changes, answer = mfa.disable(), {"state": "disabled"}
        else:
            raise BadRequestError("bad_request", "action must be enrol, confirm or disable.")
        document.edit(changes, services.now_ms, services.region)
        after, moved = user, None
        if redeemed is not None:
            after = user.but(epoch=services.new_epoch())
            moved = services.store.sessions.move(user.id, session, after.epoch)
        _, save = services.close(user, after, document)
        audit = services.store.audit.add(user.id, f"totp_{action}", client.id)
        services.store.commit(save, redeemed, moved, audit, once=once)
        return answer

    return again(run)
